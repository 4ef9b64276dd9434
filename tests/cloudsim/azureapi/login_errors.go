package azureapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// refuse is an error of the login service. Its numbers and texts are those of public reports and of the page
// "Microsoft Entra authentication and authorization error codes".
func refuse(status int, code string, number int, text string) *failure {
	return fail(status, code, fmt.Sprintf("AADSTS%d: %s", number, text))
}

// missingParameter refuses a form without a parameter.
func missingParameter(name string) *failure {
	return refuse(http.StatusBadRequest, "invalid_request", 900144,
		"The request body must contain the following parameter: '"+name+"'.")
}

// loginRefusal translates an injected refusal. What Entra answers when requests come too fast is unconfirmed but for the status.
func loginRefusal(r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return fail(r.Status, r.Code, cmp.Or(r.Message, "The request was refused."))
	case model.Throttled:
		f := refuse(http.StatusTooManyRequests, "temporarily_unavailable", 90055, "Tenant throttled due to too many requests.")
		f.after = time.Second
		return f
	default:
		return refuse(http.StatusServiceUnavailable, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.")
	}
}

// loginAnswers writes the answer to one request.
type loginAnswers struct {
	trace, correlation string
	now                time.Time
}

func (l *Login) answersFor(r *http.Request) loginAnswers {
	trace := l.world.NewUUID()
	return loginAnswers{trace: trace, correlation: cmp.Or(r.Header.Get("Client-Request-Id"), trace), now: l.world.Now()}
}

var aadsts = regexp.MustCompile(`^AADSTS([0-9]+):`)

// failed writes an error with its status.
func (a loginAnswers) failed(f *failure) wire.Answer {
	when := a.now.UTC().Format("2006-01-02 15:04:05Z")
	body := struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes,omitempty"`
		Timestamp     string `json:"timestamp"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
		URI           string `json:"error_uri,omitempty"`
	}{
		Error: f.code, Timestamp: when, TraceID: a.trace, CorrelationID: a.correlation,
		Description: f.message + " Trace ID: " + a.trace + " Correlation ID: " + a.correlation + " Timestamp: " + when,
	}
	if m := aadsts.FindStringSubmatch(f.message); m != nil {
		number, _ := strconv.Atoi(m[1]) // the expression admits digits only
		body.Codes, body.URI = []int{number}, "https://login.microsoftonline.com/error?code="+m[1]
	}
	out := a.write(f.status, f.code, body)
	if f.after > 0 {
		out.Header["Retry-After"] = strconv.Itoa(int((f.after + time.Second - 1) / time.Second))
	}
	return out
}

// write writes a body as JSON.
func (a loginAnswers) write(status int, code string, body any) wire.Answer {
	text, err := json.Marshal(body)
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "server_error", Body: []byte(err.Error())}
	}
	return wire.Answer{Status: status, Code: code, RequestID: a.trace, Body: text, Header: map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store, no-cache", "X-Ms-Request-Id": a.trace,
	}}
}
