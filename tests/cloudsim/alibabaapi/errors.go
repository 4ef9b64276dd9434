package alibabaapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// failure is an error answer.
type failure struct {
	status        int
	code, message string
}

func fail(status int, code, message string) *failure { return &failure{status, code, message} }

// errorBody is the form of every error.
type errorBody struct {
	RequestID string `json:"RequestId"`
	HostID    string `json:"HostId"`
	Code      string
	Message   string
	Recommend string
}

// answers writes the answer to one request.
type answers struct {
	host, id, product string
}

// failed writes a failure with its HTTP status.
func (a answers) failed(f *failure) wire.Answer {
	return a.write(f.status, f.code, errorBody{
		RequestID: a.id, HostID: a.host, Code: f.code, Message: f.message,
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + f.code + "&product=" + a.product + "&requestId=" + a.id,
	})
}

func (a answers) done(body any) wire.Answer { return a.write(http.StatusOK, "", body) }

func (a answers) write(status int, code string, body any) wire.Answer {
	text, err := json.Marshal(body)
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "InternalError", Body: []byte(err.Error())}
	}
	return wire.Answer{
		Status: status, Code: code, RequestID: a.id, Body: text,
		Header: map[string]string{"Content-Type": "application/json;charset=utf-8", "X-Acs-Request-Id": a.id},
	}
}

// refusal translates an injected refusal or the rate limit's. Throttling comes with the status 400 or 503, by page; the
// simulator has the first.
func refusal(r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return fail(r.Status, r.Code, cmp.Or(r.Message, "The request was refused."))
	case model.Throttled:
		return fail(http.StatusBadRequest, "Throttling.User", "Request was denied due to user flow control.")
	default:
		return fail(http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error.")
	}
}

func upper(s string) string { return strings.ToUpper(s) }
