package azureapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// failure is an error answer.
type failure struct {
	status        int
	code, message string
	target        string
	details       []errorBody
	inner         string // internalErrorCode
	// bare leaves the wrapper out, as Compute's throttles do.
	bare bool
	// after is the Retry-After header; 0 for none.
	after  time.Duration
	header map[string]string
}

func fail(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message}
}

// errorBody is what all errors have, within "error" or bare.
type errorBody struct {
	Code    string      `json:"code"`
	Message string      `json:"message,omitempty"`
	Target  string      `json:"target,omitempty"`
	Details []errorBody `json:"details,omitempty"`
	Inner   *innerError `json:"innererror,omitempty"`
}

type innerError struct {
	Code string `json:"internalErrorCode"`
}

// answers writes the answer to one request.
type answers struct{ id string }

// failed writes a failure with its HTTP status.
func (a answers) failed(f *failure) wire.Answer {
	inner := errorBody{Code: f.code, Message: f.message, Target: f.target, Details: f.details}
	if f.inner != "" {
		inner.Inner = &innerError{f.inner}
	}
	var body any = struct {
		Error errorBody `json:"error"`
	}{inner}
	if f.bare {
		body = inner
	}
	header := merged(f.header, nil)
	if f.after > 0 {
		header["Retry-After"] = strconv.Itoa(seconds(f.after))
	}
	if f.status == http.StatusUnauthorized {
		header["Www-Authenticate"] = `Bearer error="invalid_token", error_description="` + f.message + `"`
	}
	return a.write(f.status, f.code, body, header)
}

// write writes a body as JSON; nil is none.
func (a answers) write(status int, code string, body any, header map[string]string) wire.Answer {
	out := wire.Answer{Status: status, Code: code, RequestID: a.id, Header: map[string]string{
		"X-Ms-Request-Id": a.id, "X-Ms-Correlation-Request-Id": a.id, "Cache-Control": "no-cache",
	}}
	maps.Copy(out.Header, header)
	if body == nil {
		return out
	}
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "InternalServerError", Body: []byte(err.Error())}
	}
	// Compute's bodies have the line ends of Windows.
	out.Header["Content-Type"], out.Body = "application/json; charset=utf-8", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	return out
}

// merged is both maps together.
func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// refusal translates an injected refusal.
func refusal(r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return fail(r.Status, r.Code, cmp.Or(r.Message, "The request was refused."))
	case model.Throttled:
		f := fail(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled.")
		f.after = time.Second
		return f
	default:
		return fail(http.StatusInternalServerError, "InternalServerError", "Encountered internal server error.")
	}
}

// stamp is a time as ARM writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000+00:00") }
