package tencentcloud

import (
	"errors"
	"net/http"
	"strings"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// clientErrors is the prefix of codes that the SDK makes itself.
const clientErrors = "ClientError."

// translate makes the error of a call that was signed with keys of that origin. secrets are kept
// out of it even where the cloud repeats them.
func translate(from origin, a action, err error, secrets ...string) *cloud.Error {
	if own := cloud.AsError(err); own != nil {
		return own
	}
	var answer *answerError
	if errors.As(err, &answer) {
		return unreadable(a, answer)
	}
	var api *tcerr.TencentCloudSDKError
	if !errors.As(err, &api) {
		return cloud.Transport(a.String(), err)
	}
	if code, ok := strings.CutPrefix(api.Code, clientErrors); ok {
		if api.Unwrap() != nil {
			return cloud.Transport(a.String(), err)
		}
		// The text of such an error holds the whole answer: it is dropped with the error.
		return cloud.Errorf(cloud.Unknown, "%s: the answer cannot be read (the SDK says %s)", a, text.Line(code, 64))
	}
	return refusal(from, a, api, secrets)
}

// refusal translates an error that the API answered with.
func refusal(from origin, a action, api *tcerr.TencentCloudSDKError, secrets []string) *cloud.Error {
	v := judge(a.service, api.Code)
	reason := text.Line(api.Message, cloud.MaxText, secrets...)
	advice := strings.NewReplacer("{permission}", a.service+":"+a.name, "{endpoint}", "endpoints."+a.service,
		"{keys}", from.keys, "{id}", from.id, "{mismatch}", from.mismatch, "{ended}", from.ended, "{principal}", from.principal, "{check}",
		from.check.String()).Replace(v.advice)
	e := &cloud.Error{
		Kind:      v.kind,
		Code:      text.Line(api.Code, cloud.MaxCode, secrets...),
		RequestID: text.Line(api.RequestId, cloud.MaxCode, secrets...),
		Message:   a.String() + ": " + advice,
		Hint:      from.check,
	}
	if v.kind == cloud.Unknown && !a.reads {
		e.Message += a.outcomeOpen()
	}
	// What the cloud says about a refused password could describe it.
	if v.kind == cloud.PasswordRefused {
		reason = ""
	}
	if reason != "" {
		e.Message += "; the cloud says: " + reason
	}
	e.Err = tcerr.NewTencentCloudSDKError(e.Code, reason, e.RequestID)
	return e
}

// unreadable translates an answer that is none of the API's. A gateway's 429 is believed for calls
// that only read; a reset may have passed the gateway.
func unreadable(a action, answer *answerError) *cloud.Error {
	e := &cloud.Error{Kind: cloud.Unknown, Err: answer}
	switch {
	case answer.status == http.StatusTooManyRequests && a.reads:
		e.Kind, e.RetryAfter = cloud.Throttled, answer.retryAfter
		e.Message = a.String() + ": " + adviceSlow
	case answer.status >= 300 && answer.status < 400:
		e.Message = a.String() + ": " + answer.Error() + "; redirects are not followed, check endpoints." + a.service
	case answer.status >= 500:
		e.Message = a.String() + ": " + answer.Error() + "; " + adviceServer
	default:
		e.Message = a.String() + ": " + answer.Error() + "; check endpoints." + a.service + " and proxies on the way"
	}
	if !a.reads {
		e.Message += a.outcomeOpen()
	}
	return e
}

// permissionMissing reports whether the cloud knew the keys but did not allow them the call.
func permissionMissing(err error) bool {
	code := cloud.CodeOf(err)
	return cloud.KindOf(err) == cloud.Denied && (code == "AuthFailure.UnauthorizedOperation" || code == "UnauthorizedOperation" ||
		strings.HasPrefix(code, "UnauthorizedOperation.") && code != cvm.UNAUTHORIZEDOPERATION_INVALIDTOKEN)
}
