package novaapi

import (
	"encoding/json"
	"net/http"
)

// answer is what a handler decided. It is written after the faults of the
// request had their say.
type answer struct {
	status int
	// code is the cloud's error code, for the log; empty on success.
	code   string
	header http.Header
	// body is marshalled as JSON; nil sends none. A string is sent as it is.
	body any
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func (a *answer) with(name, value string) *answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
	return a
}

// write sends the answer under the cloud's id of the request.
func (a *answer) write(w http.ResponseWriter, requestID string) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Openstack-Request-Id", requestID)
	w.Header().Set("X-Compute-Request-Id", requestID)
	switch body := a.body.(type) {
	case nil:
		w.WriteHeader(a.status)
	case string:
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.WriteHeader(a.status)
		w.Write([]byte(body))
	default:
		text, err := json.Marshal(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		w.Write(text)
	}
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
	return &answer{status: status, code: name, body: map[string]any{
		name: map[string]any{"code": status, "message": message},
	}}
}

// keystoneError is an error in Keystone's form.
func keystoneError(status int, message string) *answer {
	title := http.StatusText(status)
	return &answer{status: status, code: title, body: map[string]any{
		"error": map[string]any{"code": status, "message": message, "title": title},
	}}
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
