package novaapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// answer is what a handler decided. It is sent after the faults of the
// request had their say.
type answer struct {
	status int
	// code is the cloud's error code, for the log; empty on success.
	code   string
	header map[string]string
	body   any // marshalled as JSON; nil sends none
	// text is sent where body is nil: not every refusal is JSON.
	text string
	// anonymous answers come from before the place where requests get their id.
	anonymous bool
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func (a *answer) with(name, value string) *answer {
	if a.header == nil {
		a.header = map[string]string{}
	}
	a.header[name] = value
	return a
}

// wire puts an answer into its final form, under the cloud's id of the request
// in the given headers.
func (a *answer) wire(requestID string, headers []string) wire.Answer {
	out := wire.Answer{Status: a.status, Code: a.code, RequestID: requestID, Header: map[string]string{}}
	for _, name := range headers {
		if !a.anonymous {
			out.Header[name] = requestID
		}
	}
	maps.Copy(out.Header, a.header)
	if a.text != "" {
		out.Body = []byte(a.text)
		if out.Header["Content-Type"] == "" {
			out.Header["Content-Type"] = "text/plain; charset=UTF-8"
		}
	}
	if a.body == nil {
		return out
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		out.Status, text = http.StatusInternalServerError, []byte(strconv.Quote(err.Error()))
	}
	out.Body = text
	if out.Header["Content-Type"] == "" {
		out.Header["Content-Type"] = "application/json"
	}
	return out
}

// novaFaults names the faults of Nova by HTTP status; others are computeFault.
var novaFaults = map[int]string{
	http.StatusBadRequest:            "badRequest",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "itemNotFound",
	http.StatusMethodNotAllowed:      "badMethod",
	http.StatusConflict:              "conflictingRequest",
	http.StatusRequestEntityTooLarge: "overLimit",
	http.StatusUnsupportedMediaType:  "badMediaType",
	http.StatusTooManyRequests:       "overLimit",
	http.StatusNotImplemented:        "notImplemented",
	http.StatusServiceUnavailable:    "serviceUnavailable",
}

// novaFault is an error in Nova's native form.
func novaFault(status int, message string) *answer {
	name := novaFaults[status]
	if name == "" {
		name = "computeFault"
	}
	a := &answer{status: status, code: name, body: map[string]any{
		name: map[string]any{"code": status, "message": message},
	}}
	return a.with("Content-Type", "application/json; charset=UTF-8")
}

// noResource is how the router in front of Nova's operations answers a path or
// a method that it does not know.
func noResource() *answer {
	return &answer{status: http.StatusNotFound, code: "404", text: "404 Not Found\n\nThe resource could not be found.\n\n   "}
}

// keystoneError is an error in Keystone's form.
func keystoneError(status int, message string) *answer {
	title := http.StatusText(status)
	return &answer{status: status, code: title, body: map[string]any{
		"error": map[string]any{"code": status, "message": message, "title": title},
	}}
}

// malformed is Keystone's 400 about a request's form. It ends every such message
// with the same words.
func malformed(message string) *answer {
	return keystoneError(http.StatusBadRequest, message+
		" The server could not comply with the request since it is either malformed or otherwise incorrect. "+
		"The client is assumed to be in error.")
}

// ecsError is an error of the /v1 API of Huawei Cloud and Open Telekom Cloud.
func ecsError(status int, code, message string) *answer {
	return &answer{status: status, code: code, body: map[string]any{
		"error": map[string]any{"code": code, "message": message},
	}}
}

// Codes of the API gateway in front of Huawei Cloud's and Open Telekom
// Cloud's services.
const (
	codeGatewayAuth     = "APIGW.0301"
	codeGatewayDenied   = "APIGW.0302"
	codeGatewayThrottle = "APIGW.0308"
)

// gatewayError is an error of that gateway.
func gatewayError(status int, code, message, requestID string) *answer {
	return &answer{status: status, code: code, body: map[string]any{
		"error_code": code, "error_msg": message, "request_id": requestID,
	}}
}

func gatewayAuthError(detail, requestID string) *answer {
	return gatewayError(http.StatusUnauthorized, codeGatewayAuth, "Incorrect IAM authentication information: "+detail, requestID)
}
