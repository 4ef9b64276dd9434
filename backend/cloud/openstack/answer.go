package openstack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// answer is a refusal by the cloud, whatever its shape. Five shapes are in use:
//
//	gateway   {"error_code":"APIGW.0301","error_msg":"..","request_id":".."}
//	ECS       {"error":{"code":"Ecs.0114","message":".."}}
//	Keystone  {"error":{"code":401,"title":"Unauthorized","message":".."}}
//	Nova      {"itemNotFound":{"code":404,"message":".."}}
//	flat      {"code":"404 Not Found","title":"Not Found","message":".."}
type answer struct {
	status int
	// code is the gateway's or ECS's code, normalized to APIGW.nnnn for the gateway; empty in the
	// other shapes.
	code string
	// fault is the name of a Nova fault, such as itemNotFound.
	fault      string
	keystone   bool   // it has Keystone's or ECS's shape
	reason     string // the cloud's text, neither shortened nor cleaned
	requestID  string
	retryAfter time.Duration
}

// answerOf returns the cloud's refusal inside an error of gophercloud, false if the error is none.
func answerOf(err error) (answer, bool) {
	var response gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &response) {
		return answer{}, false
	}
	a := parseBody(response.Body)
	a.status = response.Actual
	if id := requestIDOf(response.ResponseHeader); id != "" {
		a.requestID = id
	}
	if delay := cloud.RetryAfter(response.ResponseHeader.Get("Retry-After"), time.Now()); delay > 0 {
		a.retryAfter = delay
	}
	return a, true
}

// detail is the inner object of the ECS, Keystone and Nova shapes.
type detail struct {
	Code       json.RawMessage `json:"code"`
	Message    string          `json:"message"`
	RetryAfter json.RawMessage `json:"retryAfter"`
}

func parseBody(body []byte) answer {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return answer{}
	}
	if code := stringOf(fields["error_code"]); code != "" {
		id := stringOf(fields["request_id"])
		if !requestIDForm.MatchString(id) {
			id = ""
		}
		return answer{code: normalizeCode(code), reason: stringOf(fields["error_msg"]), requestID: id}
	}
	var d detail
	if raw, ok := fields["error"]; ok && json.Unmarshal(raw, &d) == nil {
		return answer{code: normalizeCode(stringOf(d.Code)), reason: d.Message, keystone: true}
	}
	if message, ok := fields["message"]; ok {
		return answer{code: normalizeCode(stringOf(fields["code"])), reason: stringOf(message)}
	}
	if len(fields) != 1 {
		return answer{}
	}
	for name, raw := range fields {
		if json.Unmarshal(raw, &d) == nil {
			return answer{
				fault:      name,
				reason:     d.Message,
				retryAfter: cloud.RetryAfter(strings.Trim(string(d.RetryAfter), `"`), time.Now()),
			}
		}
	}
	return answer{}
}

// stringOf reads a JSON string, "" for anything else.
func stringOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

var codeForm = regexp.MustCompile(`^[A-Z][A-Za-z]{1,15}\.[0-9]{3,8}$`)

// normalizeCode keeps codes such as Ecs.0114 and writes both prefixes of the gateway as one: some
// pages and regions say APIG for APIGW.
func normalizeCode(code string) string {
	if !codeForm.MatchString(code) {
		return ""
	}
	if number, ok := strings.CutPrefix(code, "APIG."); ok {
		return "APIGW." + number
	}
	return code
}

var requestIDForm = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,128}$`)

func requestIDOf(header http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Openstack-Request-Id", "X-Compute-Request-Id"} {
		if id := header.Get(name); requestIDForm.MatchString(id) {
			return id
		}
	}
	return ""
}

// redactor holds the secrets of a call, which no message may repeat even if the cloud does.
type redactor []string

// line prepares the cloud's text for a message.
func (r redactor) line(reason string) string { return text.Line(reason, cloud.MaxText, r...) }

// unparsable reports whether an answer arrived whole and was no JSON of the expected form. A
// connection that broke inside the body is not that.
func unparsable(err error) bool {
	var exchange *url.Error
	if errors.As(err, &exchange) {
		return false
	}
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &typed) || errors.Is(err, io.EOF) || errors.Is(err, errAnswerForm)
}

// errAnswerForm is for an answer that is JSON but lacks what it must have.
var errAnswerForm = errors.New("unexpected form of the answer")
