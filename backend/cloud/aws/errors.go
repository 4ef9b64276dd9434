package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// codeDryRun is how EC2 answers a permitted call with DryRun=true.
const codeDryRun = "DryRunOperation"

// codeNoInvocation is how Systems Manager answers about a command that it does not show, or not yet.
const codeNoInvocation = "InvocationDoesNotExist"

// codeUnreachable is how Systems Manager refuses a command for an instance that it cannot reach.
const codeUnreachable = "InvalidInstanceId"

// codeNone is the code that the SDK makes up for an error answer without one.
const codeNone = "UnknownError"

// meaning is what an error code of the cloud says to the rotation core and to people.
type meaning struct {
	kind cloud.Kind
	// advice is the reason in our words and the way out. {permission} stands for the IAM action
	// of the call, {endpoint} for the connection field with the URL that was asked, {keys},
	// {principal} and {check} for what the origin of the keys says.
	advice string
	// own is set where the advice says all: the cloud's text about wrong credentials helps nobody
	// and may quote parts of the signed request.
	own bool
}

// Advice that several codes share.
var (
	wrongCredentials = meaning{cloud.Denied,
		"the credentials are wrong, deleted or inactive; check {keys}, and that the region belongs to their partition", true}
	expired = meaning{cloud.Denied,
		"the request counts as expired; check the clock of this host (timedatectl set-ntp true), or renew {keys}", true}
	notAllowed = meaning{cloud.Denied, "the credentials lack the permission {permission}; allow it in the IAM policies of " +
		"{principal}, and look for a policy that denies it; for the text to add: {check}", false}
	account = meaning{cloud.Denied, "the AWS account may not use this service or region now; its owner must settle that with AWS",
		false}
	unsuitable = meaning{cloud.Refused, "the cloud does not accept the request; check the region and {endpoint} of the connection",
		false}
	wrongState = meaning{cloud.Refused, "the instance is in a state in which the cloud does not do this; wait until it runs", false}
	throttled  = meaning{cloud.Throttled,
		"the account sends too many requests to this region; retry later, or lower max_requests_per_second of the connection", false}
	broken   = meaning{cloud.Unknown, "the cloud has a fault of its own; retry later", false}
	fullUp   = meaning{cloud.Refused, "a quota of the account is used up; have it raised", false}
	cutShort = meaning{cloud.Unknown, "the connection was lost in the middle of the answer; retry later", true}
)

// meanings has every code that the EC2 API documents as common to all actions or for the actions
// that this package calls, the common errors of STS, those of the IAM actions, and the throttling codes that the SDK knows
// (sources in the package's comment).
var meanings = map[string]meaning{
	"InvalidInstanceID.NotFound": {cloud.NotFound, "no such instance in this account and region; a new one can take some seconds to appear",
		false},
	"InvalidKeyPair.NotFound":     {cloud.NotFound, "no such key pair in this account and region", false},
	"InvalidInstanceID":           {cloud.Refused, "the cloud does not accept the instance id; check instance_ids of the role", false},
	"InvalidInstanceID.Malformed": {cloud.Refused, "the cloud does not accept the instance id; check instance_ids of the role", false},
	"InvalidInstanceId":           {cloud.Refused, "the cloud does not accept the instance id; check instance_ids of the role", false},

	"AuthFailure":                         wrongCredentials,
	"InvalidAccessKeyId":                  wrongCredentials,
	"InvalidClientTokenId":                wrongCredentials,
	"UnrecognizedClientException":         wrongCredentials,
	"InvalidSignatureException":           wrongCredentials,
	"SignatureDoesNotMatch":               wrongCredentials,
	"IncompleteSignature":                 wrongCredentials,
	"IncompleteSignatureException":        wrongCredentials,
	"MissingAuthenticationToken":          wrongCredentials,
	"MissingAuthenticationTokenException": wrongCredentials,

	"LimitExceeded": fullUp,
	"NoSuchEntity":  {cloud.NotFound, "IAM does not know what the call was about", false},

	"ExpiredToken":          expired,
	"ExpiredTokenException": expired,
	"RequestExpired":        expired,

	"UnauthorizedOperation": notAllowed,
	"AccessDenied":          notAllowed,
	"AccessDeniedException": notAllowed,
	"NotAuthorized":         notAllowed,

	"Blocked":                 account,
	"OptInRequired":           account,
	"PendingVerification":     account,
	"RegionDisabledException": account,

	"IncorrectInstanceState":       wrongState,
	"IncorrectState":               wrongState,
	"UnsupportedOperation":         wrongState,
	"Unsupported":                  unsuitable,
	"UnsupportedInstanceAttribute": unsuitable,
	"UnsupportedProtocol":          unsuitable,

	codeDryRun:                     {cloud.Refused, "the cloud only tried the request, as it was told", false},
	"FilterLimitExceeded":          unsuitable,
	"IdempotentParameterMismatch":  unsuitable,
	"InvalidAction":                unsuitable,
	"InvalidCharacter":             unsuitable,
	"InvalidFilter":                unsuitable,
	"InvalidInput":                 unsuitable,
	"InvalidNextToken":             unsuitable,
	"InvalidPaginationToken":       unsuitable,
	"InvalidParameter":             unsuitable,
	"InvalidParameterCombination":  unsuitable,
	"InvalidParameterDependency":   unsuitable,
	"InvalidParameterValue":        unsuitable,
	"InvalidQueryParameter":        unsuitable,
	"MalformedQueryString":         unsuitable,
	"MissingAction":                unsuitable,
	"MissingParameter":             unsuitable,
	"NoSuchVersion":                unsuitable,
	"RequestResourceCountExceeded": unsuitable,
	"UnknownParameter":             unsuitable,
	"ValidationError":              unsuitable,

	"BandwidthLimitExceeded":                 throttled,
	"EC2ThrottledException":                  throttled,
	"LimitExceededException":                 throttled,
	"PriorRequestNotComplete":                throttled,
	"ProvisionedThroughputExceededException": throttled,
	"RequestLimitExceeded":                   throttled,
	"RequestThrottled":                       throttled,
	"RequestThrottledException":              throttled,
	"SlowDown":                               throttled,
	"ThrottledException":                     throttled,
	"Throttling":                             throttled,
	"ThrottlingException":                    throttled,
	"TooManyRequestsException":               throttled,
	"TransactionInProgressException":         throttled,

	"InternalError":               broken,
	"ServiceFailure":              broken,
	"InternalFailure":             broken,
	"InternalServerError":         broken,
	"RequestTimeout":              broken,
	"RequestTimeoutException":     broken,
	"ServiceUnavailable":          broken,
	"ServiceUnavailableException": broken,
	"Unavailable":                 broken,
}

// notAccepted is a request of Systems Manager that breaks its rules. The cloud's text may quote the command.
var notAccepted = meaning{cloud.Refused, "the cloud does not accept the request; check the region and {endpoint} of the connection", true}

// commandMeanings has the codes that the API reference of Systems Manager documents for the actions that this
// package calls, where they are not those of all services or mean something else there.
var commandMeanings = map[string]meaning{
	codeUnreachable: {cloud.Refused,
		"Systems Manager cannot run commands on the instance: it is stopped or terminated, its SSM Agent does not run or has not registered " +
			"(instance profile with AmazonSSMManagedInstanceCore, way to the endpoints ssm and ssmmessages), or the credentials may not use it",
		false},
	codeNoInvocation: {cloud.NotFound, "Systems Manager does not show the command", false},
	"InvalidDocument": {cloud.Refused,
		"Systems Manager has no such document here; cloudpw needs AWS-RunShellScript and AWS-RunPowerShellScript", false},
	"UnsupportedPlatformType": {cloud.Refused, "the instance's operating system is not the one that EC2 reports; check the image", false},

	"DuplicateInstanceId":                   notAccepted,
	"InvalidCommandId":                      notAccepted,
	"InvalidDocumentVersion":                notAccepted,
	"InvalidFilterKey":                      notAccepted,
	"InvalidInstanceInformationFilterValue": notAccepted,
	"InvalidParameters":                     notAccepted,
	"InvalidPluginName":                     notAccepted,
	"MaxDocumentSizeExceeded":               notAccepted,
	"SerializationException":                notAccepted,
	"UnknownOperationException":             notAccepted,
	"ValidationException":                   notAccepted,
}

// meaningOf returns what an error answer of a service means by its code, else by its HTTP status. AWS
// refuses a request with a 4xx answer before anything is done.
func meaningOf(service, code string, status int) meaning {
	if m, ok := commandMeanings[code]; ok && service == endpointSSM {
		return m
	}
	if m, ok := meanings[code]; ok {
		return m
	}
	switch {
	case strings.HasSuffix(code, ".NotFound"):
		return meaning{cloud.NotFound, "the cloud does not know what the call was about", false}
	case status >= 300 && status < 400:
		return meaning{cloud.Unknown, fmt.Sprintf("the endpoint answered with a redirect (HTTP %d), and redirects are not followed; check "+
			"{endpoint} of the connection", status), true}
	case code == "" && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return meaning{cloud.Denied,
			fmt.Sprintf("HTTP %d without an AWS error code, maybe from a proxy; check the credentials, {endpoint} and the way to it", status), true}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return notAllowed
	case status == http.StatusTooManyRequests:
		return throttled
	case code == "" && status == http.StatusRequestTimeout:
		// From something between here and AWS, which may have passed the request on.
		return meaning{cloud.Unknown, fmt.Sprintf("HTTP %d without an AWS error code, maybe from a proxy; check {endpoint} and the way to it",
			status), true}
	case code == "" && status >= 400 && status < 500:
		return meaning{cloud.Refused, fmt.Sprintf("HTTP %d without an AWS error code; check {endpoint} of the connection", status), true}
	case status >= 400 && status < 500:
		return unsuitable
	case status >= 500:
		return broken
	}
	return meaning{cloud.Unknown, fmt.Sprintf("the answer (HTTP %d) cannot be read as one of AWS; check {endpoint} of the connection", status),
		true}
}

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
