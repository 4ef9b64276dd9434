package example

import (
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// APIError is an answer of the cloud that refuses a request.
type APIError struct{ Code, Message string }

// Error implements error.
func (e *APIError) Error() string { return e.Code + ": " + e.Message }

// Codes of the cloud's errors.
const (
	codeThrottled = "TooManyRequests"
	codeDenied    = "AccessDenied"
	codeNotFound  = "NoSuchServer"
	codeBusy      = "ServerBusy"
	codeState     = "WrongState"
	codePassword  = "WeakPassword"
)

// kinds says what the codes mean. A code may stand here only if the cloud has certainly done nothing when it answers so; of any
// other one the outcome is unknown, and the engine sends the same password again.
var kinds = map[string]struct {
	kind   cloud.Kind
	advice string
}{
	codeThrottled: {cloud.Throttled, "too many requests; lower max_requests_per_second of the connection"},
	codeDenied:    {cloud.Denied, "the key is wrong, or its user lacks the permission; check access_key, secret_key and the user's policies"},
	codeNotFound:  {cloud.NotFound, "there is no such server"},
	codeBusy:      {cloud.Refused, "another operation runs on the server; its end is waited for"},
	codeState:     {cloud.Refused, "the server's state does not allow it; a running server needs force_stop=true of the role"},
	codePassword:  {cloud.PasswordRefused, "the cloud does not accept the password; check the password policy"},
}

// translate makes the error of a call: what was tried, what it means, what to do, and the cloud's words without secrets.
func translate(action string, err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	var api *APIError
	if !errors.As(err, &api) {
		// The network's: package cloud knows which of those prove that nothing was sent.
		return cloud.Transport(action, err)
	}
	e := &cloud.Error{
		Kind: cloud.Unknown, Code: text.Line(api.Code, cloud.MaxCode, secrets...),
		Message: action + ": the cloud failed; the outcome is not known",
	}
	known, ok := kinds[api.Code]
	if ok {
		e.Kind, e.Message = known.kind, action+": "+known.advice
	}
	// What a cloud says of a refused password could describe it.
	if words := text.Line(api.Message, cloud.MaxText, secrets...); words != "" && e.Kind != cloud.PasswordRefused {
		e.Message += "; the cloud says: " + words
	}
	return e
}
