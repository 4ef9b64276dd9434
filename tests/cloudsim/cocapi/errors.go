package cocapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Codes of COC's table of errors, both with the status 400. It uses the first for a name in use and for parameters that are not
// valid; that it is the one of all other values that are not, too, is [unconfirmed].
const (
	codeInvalid  = "COC.00040601"
	codeInternal = "COC.00040701"
)

// failure is an error answer.
type failure struct {
	status        int
	code, message string
}

func fail(status int, code, message string) *failure { return &failure{status, code, message} }

// invalid refuses a value.
func invalid(what string) *failure { return fail(http.StatusBadRequest, codeInvalid, what) }

// notFound refuses an id that is of nothing. Status and code are [unconfirmed]: the table of errors has nothing for it.
func notFound(what string) *failure {
	return fail(http.StatusNotFound, "COC.00040401", what+" does not exist.")
}

// denied refuses a call that the caller's permissions do not cover. Status and text are IAM's; the code is [unconfirmed].
func denied(permission string) *failure {
	return fail(http.StatusForbidden, "COC.00040301", "Policy doesn't allow "+permission+" to be performed.")
}

// failed is a failure in the form of COC and of the gateway, which adds its id of the request.
func failed(f *failure, requestID string) wire.Answer {
	body := map[string]any{"error_code": f.code, "error_msg": f.message}
	if strings.HasPrefix(f.code, "APIGW.") {
		body["request_id"] = requestID
	}
	return answer(f.status, f.code, requestID, body)
}

// done is the answer to a call that was carried out. All have their content in "data".
func done(data any, requestID string) wire.Answer {
	return answer(http.StatusOK, "", requestID, map[string]any{"data": data})
}

func answer(status int, code, requestID string, body any) wire.Answer {
	out := wire.Answer{Status: status, Code: code, RequestID: requestID, Header: map[string]string{"Content-Type": "application/json"}}
	if requestID != "" {
		out.Header["X-Request-Id"] = requestID
	}
	text, err := json.Marshal(body)
	if err != nil {
		out.Status, text = http.StatusInternalServerError, []byte(`"`+codeInternal+`"`)
	}
	out.Body = text
	return out
}

// refusal translates an injected refusal or the rate limit's. The throttling is the gateway's.
func refusal(r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return fail(r.Status, r.Code, cmp.Or(r.Message, "The request was refused."))
	case model.Throttled:
		return fail(http.StatusTooManyRequests, "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit")
	default:
		return fail(http.StatusInternalServerError, codeInternal, "Internal server error")
	}
}

// read reads the request's body. Fields that the SDK does not know are refused, so that a misspelt one does not go unnoticed.
func (r *request) read(into any) *failure {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return invalid("Content-Type must be application/json")
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalid("The request body is not valid: " + err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("The request body is not valid: there is something after it")
	}
	return nil
}
