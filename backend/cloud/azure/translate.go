package azure

import (
	"errors"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// translate makes the error of a call that was made with a token of that origin. secrets are kept out of it even where the
// cloud repeats them.
func translate(from origin, a action, err error, secrets ...string) *cloud.Error {
	var answer *answerError
	if errors.As(err, &answer) {
		return unreadable(a, answer)
	}
	if refusal, ok := asAPIError(err); ok {
		return refused(from, a, refusal, secrets)
	}
	return cloud.Transport(a.String(), err)
}

// refused translates an error that ARM answered with.
func refused(from origin, a action, refusal *apiError, secrets []string) *cloud.Error {
	v := judge(refusal)
	reason := text.Line(refusal.Message, cloud.MaxText, secrets...)
	advice := strings.NewReplacer("{permission}", a.permission, "{credentials}", from.credentials, "{principal}", from.principal,
		"{check}", from.check.String()).Replace(v.advice)
	e := &cloud.Error{
		Kind:      v.kind,
		Code:      text.Line(refusal.Code, cloud.MaxCode, secrets...),
		RequestID: text.Line(refusal.RequestID, cloud.MaxCode, secrets...),
		Message:   a.String() + ": " + advice,
		Hint:      from.check,
	}
	if e.Kind == cloud.Throttled {
		e.RetryAfter = refusal.retryAfter
	}
	if e.Kind == cloud.Unknown {
		e.Message += a.outcomeOpen()
	}
	if reason != "" {
		e.Message += "; the cloud says: " + reason
	}
	// Its words are in the message, without secrets.
	e.Err = &apiError{status: refusal.status, Code: e.Code, Message: reason, RequestID: e.RequestID, throttled: refusal.throttled}
	return e
}

// unreadable translates an answer that is none of the API's. A gateway's 429 is believed for calls that only read; a
// command may have passed the gateway.
func unreadable(a action, answer *answerError) *cloud.Error {
	e := &cloud.Error{Kind: cloud.Unknown, Err: answer}
	switch {
	case answer.status == http.StatusTooManyRequests && a.reads:
		e.Kind, e.RetryAfter = cloud.Throttled, answer.retryAfter
		e.Message = a.String() + ": " + adviceSlow
	case answer.status >= 300 && answer.status < 400:
		e.Message = a.String() + ": " + answer.Error() + "; redirects are not followed, check endpoints.arm"
	case answer.status >= 500:
		e.Message = a.String() + ": " + answer.Error() + "; " + adviceServer
	default:
		e.Message = a.String() + ": " + answer.Error() + "; check endpoints.arm and proxies on the way"
	}
	if e.Kind == cloud.Unknown {
		e.Message += a.outcomeOpen()
	}
	return e
}
