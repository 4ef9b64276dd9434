package openstack

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// meaning is what an error code or a status stands for.
type meaning struct {
	kind cloud.Kind
	hint string // the way out
}

const (
	hintSupport  = "the cloud reports a fault of its own; try again later, then ask its support with the request id"
	hintEndpoint = "no such API at this address; check endpoints.ecs and region"
	hintProject  = "the project does not fit the credentials; check project_id and region"
	hintKeys     = "the cloud does not accept the credentials; check access_key, secret_key and region, signature_style (direct or " +
		"scoped), and this host's clock, which may be off by at most 15 minutes; a temporary key works with its security_token only"
	hintClock      = "the cloud takes a signature for 15 minutes and finds this one expired; set this host's clock right (NTP)"
	hintToken      = "the cloud does not accept the token; check project_id, region and whether the user is still enabled"
	hintThrottled  = "too many requests; lower the connection's max_requests_per_second"
	hintAccount    = "the account is restricted (balance, real-name check or suspension); its owner must clear that with the cloud"
	hintInstance   = "no such instance in this project and region"
	hintState      = "the instance's state does not allow this now; try again when it runs"
	hintRequest    = "the cloud does not accept the request"
	hintAddress    = "the cloud does not accept requests from this host's address; check its access control"
	hintAccessKeys = "the user may not manage their own access keys; the account's administrator allows it in the console under IAM, " +
		"Security Settings, Access Key Management"
	hintRestricted = "the application credential is restricted, and Keystone lets only unrestricted ones make and delete others; make one: " +
		"openstack application credential create --unrestricted cloudpw; then write its id and secret to the connection"
	hintOutcome = "the cloud cannot say whether the request took effect; try again later"
)

// codeMeanings gives every code of the gateway ("API Request Signing Guide", table of error codes)
// and those of ECS ("Elastic Cloud Server API Reference", Error Codes) that say something else than
// their HTTP status does, or more. All other codes mean what their status means.
//
// APIGW.0201 is missing on purpose: it is used for oversized requests as well as for an unreachable
// backend, and only the status tells which.
var codeMeanings = map[string]meaning{
	"APIGW.0101": {cloud.Refused, hintEndpoint},
	"APIGW.0103": {cloud.Refused, hintEndpoint},
	"APIGW.0104": {cloud.Refused, hintSupport},
	"APIGW.0105": {cloud.Refused, hintSupport},
	"APIGW.0106": {cloud.Refused, hintSupport},
	"APIGW.0301": {cloud.Denied, ""}, // an empty hint: see deniedHint
	"APIGW.0302": {cloud.Denied, "the IAM user may not use this API; check the block and allow lists of the account"},
	"APIGW.0303": {cloud.Denied, ""},
	"APIGW.0304": {cloud.Denied, "the credentials may not use this API"},
	"APIGW.0305": {cloud.Denied, ""},
	"APIGW.0306": {cloud.Denied, "the credentials may not use this API"},
	"APIGW.0307": {cloud.Denied, ""},
	"APIGW.0308": {cloud.Throttled, hintThrottled},
	"APIGW.0310": {cloud.Denied, hintProject},
	"APIGW.0311": {cloud.Denied, ""},
	"APIGW.0401": {cloud.Denied, hintAddress},
	"APIGW.0402": {cloud.Denied, hintAddress},
	"APIGW.0404": {cloud.Denied, hintAddress},
	"APIGW.0501": {cloud.Refused, "the quota for API calls is used up; raise it with the cloud"},
	"APIGW.0502": {cloud.Denied, hintAccount},
	"APIGW.0601": {cloud.Unknown, hintSupport},
	"APIGW.0602": {cloud.Refused, hintRequest},
	"APIGW.0605": {cloud.Unknown, hintSupport},
	"APIGW.0606": {cloud.Unknown, hintSupport},
	"APIGW.0607": {cloud.Refused, "the endpoint wants another protocol; check endpoints.ecs"},
	"APIGW.0608": {cloud.Unknown, hintSupport},
	"APIGW.0609": {cloud.Unknown, hintSupport},
	"APIGW.0610": {cloud.Unknown, hintSupport},
	"APIGW.0611": {cloud.Unknown, hintSupport},
	"APIGW.0612": {cloud.Unknown, hintSupport},
	"APIGW.0613": {cloud.Unknown, "the cloud's IAM is not available; try again later"},
	"APIGW.0705": {cloud.Unknown, hintSupport},
	"APIGW.0801": {cloud.Denied, "the service cannot be used in this region; check region"},
	"APIGW.0802": {cloud.Denied, "the user may not use this region; check region and the user's IAM settings"},

	"Ecs.0002": {cloud.Unknown, hintOutcome},
	"Ecs.0003": {cloud.Denied, ""},
	"Ecs.0004": {cloud.Denied, ""},
	"Ecs.0011": {cloud.PasswordRefused, "the password does not meet the cloud's rules; change password_policy"},
	"Ecs.0023": {cloud.Denied, hintProject},
	"Ecs.0066": {cloud.Denied, hintAccount},
	"Ecs.0067": {cloud.Denied, hintAccount},
	"Ecs.0068": {cloud.Denied, hintAccount},
	"Ecs.0069": {cloud.Denied, hintAccount},
	"Ecs.0070": {cloud.Denied, hintAccount},
	"Ecs.0071": {cloud.Denied, hintAccount},
	"Ecs.0100": {cloud.Refused, hintState},
	"Ecs.0110": {cloud.Denied, ""},
	"Ecs.0114": {cloud.NotFound, hintInstance},
	"Ecs.0301": {cloud.Unknown, hintSupport},
	"Ecs.0314": {cloud.Refused, "no such key pair for this user"},
	"Ecs.0603": {cloud.Refused, "another command runs on the instance; try again in a minute"},
	"Ecs.0605": {cloud.Refused, "the instance is locked; unlock it in the cloud's console"},
	"Ecs.0614": {cloud.NotFound, hintInstance},
	"Ecs.1000": {cloud.Unknown, hintOutcome},
	"Ecs.1001": {cloud.Unknown, hintOutcome},
	"Ecs.1002": {cloud.Unknown, hintOutcome},
	"Ecs.1100": {cloud.Unknown, hintOutcome},

	"Common.0001": {cloud.Unknown, hintSupport},
	"Common.0013": {cloud.Denied, ""},
	"Common.0018": {cloud.Denied, hintProject},
	"Common.0024": {cloud.Throttled, hintThrottled}, // comes with status 202
	"Common.0999": {cloud.Unknown, hintSupport},
	"Common.1503": {cloud.Throttled, hintThrottled},

	"Pdp.0001": {cloud.Denied, ""},
}

// faultMeanings gives the names of Nova's faults (nova/api/openstack/wsgi.py) that say more than
// their status.
var faultMeanings = map[string]meaning{
	"itemNotFound":       {cloud.NotFound, hintInstance},
	"conflictingRequest": {cloud.Refused, hintState},
	"overLimit":          {cloud.Throttled, hintThrottled},
}

// statusMeaning is for answers whose code or fault says nothing more.
func statusMeaning(status int) meaning {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return meaning{cloud.Denied, ""}
	case status == http.StatusNotFound:
		// Without a code that names the instance this may as well be a wrong address, and an
		// instance must not be taken for deleted because of that.
		return meaning{cloud.Refused, hintEndpoint}
	case status == http.StatusTooManyRequests:
		return meaning{cloud.Throttled, hintThrottled}
	case status == http.StatusConflict:
		return meaning{cloud.Refused, hintState}
	case status == http.StatusMultipleChoices:
		// Nova's answer to a path below no version, with the versions that there are.
		return meaning{cloud.Refused, hintEndpoint}
	case status == http.StatusRequestTimeout:
		return meaning{cloud.Unknown, hintOutcome}
	case status == http.StatusNotImplemented:
		return meaning{cloud.Refused, "the cloud does not offer this call"}
	case status >= 300 && status < 400:
		return meaning{cloud.Refused, "the endpoint redirects to another address, which is not followed because the request carries " +
			"credentials; set endpoints.ecs (auth_url for the token) to the final URL"}
	case status >= 400 && status < 500:
		return meaning{cloud.Refused, hintRequest}
	}
	return meaning{cloud.Unknown, hintOutcome}
}
