package tencentapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// failure is an error answer. Codes are those that the API pages and the Go
// SDK's errors.go list for the actions, and the common ones.
type failure struct {
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(code, message string) *failure { return &failure{code, message} }

// chinese are the messages that a client gets which does not ask for English,
// by the first part of the code.
var chinese = map[string]string{
	"AuthFailure":           "鉴权失败，请检查密钥与签名。",
	"FailedOperation":       "操作失败。",
	"InternalError":         "内部错误。",
	"InternalServerError":   "操作内部错误。",
	"InvalidAction":         "接口不存在。",
	"InvalidFilter":         "无效的过滤器。",
	"InvalidInstanceId":     "无效的实例ID。",
	"InvalidParameter":      "参数错误。",
	"InvalidParameterValue": "参数取值错误。",
	"MissingParameter":      "缺少参数。",
	"MutexOperation":        "操作互斥，实例有正在执行的任务。",
	"OperationDenied":       "操作被拒绝。",
	"RequestLimitExceeded":  "请求的次数超过了频率限制。",
	"ResourceNotFound":      "资源不存在。",
	"UnauthorizedOperation": "未授权操作。",
	"UnknownParameter":      "未知参数。",
	"UnsupportedOperation":  "不支持的操作。",
	"UnsupportedRegion":     "接口不支持所传地域。",
}

type envelope struct {
	Response any `json:"Response"`
}

type errorBody struct {
	Error struct {
		Code    string `json:"Code"`
		Message string `json:"Message"`
	} `json:"Error"`
	RequestID string `json:"RequestId"`
}

// answerError writes a failure: HTTP 200, as this cloud does, in Chinese
// unless the request asks for English.
func answerError(in *arrival, f *failure, requestID string) wire.Answer {
	var body errorBody
	body.Error.Code, body.Error.Message, body.RequestID = f.code, f.message, requestID
	if in.language != english {
		kind, _, _ := strings.Cut(f.code, ".")
		body.Error.Message = cmp.Or(chinese[kind], f.message)
	}
	return answerJSON(body, f.code, requestID)
}

func answerJSON(body any, code, requestID string) wire.Answer {
	text, err := json.Marshal(envelope{body})
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "InternalError", Body: []byte(err.Error())}
	}
	return wire.Answer{
		Status: http.StatusOK, Code: code, RequestID: requestID, Body: text,
		Header: map[string]string{"Content-Type": "application/json", "Server": "nginx"},
	}
}

// refusal translates an injected refusal or the rate limit's.
func refusal(action string, r *model.Refusal) *failure {
	switch r.Kind {
	case model.Coded:
		return fail(r.Code, cmp.Or(r.Message, "The request was refused."))
	case model.Throttled:
		return fail("RequestLimitExceeded", "Your current request times exceeds the limit of `"+strconv.Itoa(cmp.Or(r.Limit, 10))+
			"` times per second for action `"+action+"`, please retry later.")
	default:
		return fail("InternalError", "An internal error has occurred. Retry your request, but if the problem persists, contact us.")
	}
}
