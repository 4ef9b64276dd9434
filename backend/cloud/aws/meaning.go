package aws

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// codeDryRun is how EC2 answers a permitted call with DryRun=true.
const codeDryRun = "DryRunOperation"

// codeNoInvocation is how Systems Manager answers about a command that it does not show, or not yet.
const codeNoInvocation = "InvocationDoesNotExist"

// codeUnreachable is how Systems Manager refuses a command for an instance that it cannot reach.
const codeUnreachable = "InvalidInstanceId"

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
