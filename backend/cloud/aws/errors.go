package aws

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// codeNone is the code that the SDK makes up for an error answer without one.
const codeNone = "UnknownError"

// translate turns an SDK error into one of cloud's kinds. from is where the keys of the request came
// from. The secrets are kept out of what the cloud says.
func translate(from origin, c call, err error, secrets ...string) *cloud.Error {
	var answer *awshttp.ResponseError
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	// The SDK wraps failures to send in a ResponseError as well, one whose status is 0.
	if timedOut || !errors.As(err, &answer) || answer.HTTPStatusCode() == 0 {
		return withoutAnswer(c, err)
	}
	var code, reason string
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != codeNone {
		// Old EC2 endpoints prefix the side that is to blame.
		code = strings.TrimPrefix(strings.TrimPrefix(api.ErrorCode(), "Client."), "Server.")
		reason = clean(api.ErrorMessage(), secrets...)
	}
	m := meaningOf(c.service, code, answer.HTTPStatusCode())
	if m == wrongCredentials && clockIsWrong(reason) {
		m = expired
	}
	var lost *net.OpError
	if code == "" && (errors.As(err, &lost) || errors.Is(err, io.ErrUnexpectedEOF)) {
		m = cutShort
	}
	advice := strings.NewReplacer(
		"{permission}", c.service+":"+c.action,
		"{endpoint}", "endpoints."+c.service,
		"{keys}", from.keys,
		"{principal}", from.principal,
		"{check}", from.check.String(),
	).Replace(m.advice)
	out := cloud.Errorf(m.kind, "%s: %s", c, advice)
	if reason != "" && !m.own {
		out.Message += "; the cloud says: " + reason
	}
	out.Code = text.Line(code, cloud.MaxCode, secrets...)
	out.RequestID = text.Line(answer.ServiceRequestID(), cloud.MaxCode, secrets...)
	out.Hint, out.Err = from.check, err
	if m.kind == cloud.Throttled && answer.HTTPResponse() != nil {
		out.RetryAfter = cloud.RetryAfter(answer.HTTPResponse().Header.Get("Retry-After"), time.Now())
	}
	return out
}

// clockIsWrong reports whether the text of a refused signature is about its time alone. STS, IAM and Systems
// Manager have no code for that, they say "Signature expired: 20220127T001427Z is now earlier than ..." or
// "Signature not yet current: ..." (github.com/aws/aws-cli/issues/6676, github.com/aws/aws-sdk-js/issues/2565).
func clockIsWrong(reason string) bool {
	return strings.HasPrefix(reason, "Signature expired") || strings.HasPrefix(reason, "Signature not yet current")
}

// withoutAnswer classifies a failure to get an answer at all.
func withoutAnswer(c call, err error) *cloud.Error {
	var unsigned *v4.SigningError
	var unserialized *smithy.SerializationError
	if errors.As(err, &unsigned) || errors.As(err, &unserialized) {
		return &cloud.Error{Kind: cloud.Unavailable, Message: c.String() + ": the request could not be made and was not sent", Err: err}
	}
	return cloud.Transport(c.String(), err)
}

// clean makes a cloud's text fit for an error message, without the opaque blob that EC2 appends to a denial.
func clean(s string, secrets ...string) string {
	s, _, _ = strings.Cut(s, "Encoded authorization failure message:")
	return text.Line(s, cloud.MaxText, secrets...)
}

// permissionCodes are how the services say that they know the keys and do not allow them the call.
var permissionCodes = []string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "NotAuthorized"}

// permissionMissing reports whether the cloud knew the keys but did not allow them the call.
func permissionMissing(err error) bool {
	return cloud.KindOf(err) == cloud.Denied && slices.Contains(permissionCodes, cloud.CodeOf(err))
}
