package openstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// call names a request for the limiter and for messages.
type call struct {
	action     string // the limiter's name
	instance   string // the instance it is about; empty if it is about none
	permission string // the IAM permission or Nova's policy it needs
	identity   bool   // it goes to the identity endpoint
	image      bool   // it goes to the image endpoint
	plain      bool   // the cloud is OpenStack without a vendor's gateway
	// applicationCredential is the id of the one that the connection uses; empty if it uses none.
	applicationCredential string
	// check is what to type to see which permissions the credentials have.
	check hint.Hint
}

func (c call) String() string {
	if c.instance != "" {
		return c.action + " of instance " + c.instance
	}
	return c.action
}

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
		"scoped), and this host's clock, which may be off by at most 15 minutes"
	hintClock      = "the cloud takes a signature for 15 minutes and finds this one expired; set this host's clock right (NTP)"
	hintToken      = "the cloud does not accept the token; check project_id, region and whether the user is still enabled"
	hintThrottled  = "too many requests; lower the connection's max_requests_per_second"
	hintAccount    = "the account is restricted (balance, real-name check or suspension); its owner must clear that with the cloud"
	hintInstance   = "no such instance in this project and region"
	hintState      = "the instance's state does not allow this now; try again when it runs"
	hintRequest    = "the cloud does not accept the request"
	hintAddress    = "the cloud does not accept requests from this host's address; check its access control"
	hintAccessKeys = "the user may not manage his own access keys; the account's administrator allows it in the console under IAM, " +
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

func (a answer) meaning(c call) meaning {
	m, ok := meaning{}, false
	if c.action == actionChange {
		m, ok = a.changeMeaning(c)
	}
	if !ok {
		m, ok = codeMeanings[a.code]
	}
	if !ok {
		m, ok = faultMeanings[a.fault]
	}
	if !ok {
		m = statusMeaning(a.status)
	}
	switch {
	case m.kind == cloud.NotFound && c.instance == "":
		m = meaning{cloud.Refused, hintEndpoint}
	case m.kind == cloud.Denied && m.hint == "":
		m.hint = a.deniedHint(c)
	}
	switch {
	case c.plain && a.foreignProject():
		m = meaning{cloud.Denied, hintProject}
	case a.unknownApplicationCredential(c):
		m = meaning{cloud.Denied, hintApplicationCredential(c)}
	case c.plain && m.kind == cloud.NotFound && a.reason == noResource:
		m = meaning{cloud.Refused, hintEndpoint}
	case c.identity && m.hint == hintEndpoint:
		m.hint = "no identity API at this address; check auth_url"
	case c.plain && m.hint == hintInstance:
		m.hint = hintInstance + "; a server of another project needs a connection for that project; see: openstack server show " + c.instance
	}
	if c.plain {
		m.hint = strings.ReplaceAll(m.hint, "endpoints."+endpointECS, "endpoints."+endpointCompute)
	}
	return m
}

// foreignProject recognizes how Nova says that the project in the path is not that of the token
// (nova/api/openstack/wsgi.py, status 400).
func (a answer) foreignProject() bool {
	return a.status == http.StatusBadRequest && strings.Contains(a.reason, "match Context's project_id")
}

// noResource is what Nova says where nobody gave a reason, for example when a path has no such
// operation. Of an instance that does not exist it says so, by its id (nova/exception.py,
// InstanceNotFound).
const noResource = "The resource could not be found."

// unknownApplicationCredential recognizes Keystone's answer to an application credential that it does
// not know, or not any more: 404, while a wrong secret is 401 (keystone/auth/plugins/core.py, AppCredInfo). Tokens
// of one that was deleted get the same answer from Keystone, whatever they ask for. Any other 404 may as well
// come from a wrong address.
func (a answer) unknownApplicationCredential(c call) bool {
	return c.identity && c.applicationCredential != "" && a.status == http.StatusNotFound &&
		strings.Contains(strings.ToLower(a.reason), "application credential") && strings.Contains(a.reason, c.applicationCredential)
}

// deniedHint tells wrong credentials from a missing permission, as far as the cloud does.
func (a answer) deniedHint(c call) string {
	permission := a.status == http.StatusForbidden || strings.HasPrefix(a.code, "Ecs.0003") || strings.HasPrefix(a.code, "Ecs.0110") ||
		a.code == "Pdp.0001"
	reason := strings.ToLower(a.reason)
	login := c.identity && c.action == actionToken
	switch {
	case c.plain:
		return plainDeniedHint(c, permission, reason)
	case login && permission:
		return "the user may not use this project; check project_id or project_name, and the user's groups in IAM"
	case login:
		return "the cloud does not accept the user; check username, password, user_domain_name and whether the user is locked"
	case permission && c.identity:
		return hintAccessKeys
	case permission && c.permission != "":
		return "the credentials lack the permission " + c.permission + " in this project; for the policy to add, see: " + c.check.String()
	case strings.Contains(reason, "failed to reach the limit"):
		return "the access key is locked after five wrong signatures; check secret_key and try again in five minutes"
	case strings.Contains(reason, "ak not exist"):
		return "the cloud does not know the access key; check access_key and region"
	case strings.Contains(reason, "signature expired"): // as users of huaweicloud-sdk-java-v3 saw it
		return hintClock
	case strings.Contains(reason, "token"):
		return hintToken
	}
	return hintKeys
}

// plainDeniedHint is deniedHint for Keystone and Nova as they come. Keystone answers a wrong password,
// an unknown project and a missing role alike.
func plainDeniedHint(c call, permission bool, reason string) string {
	login := c.identity && c.action == actionToken
	switch {
	case login && c.applicationCredential != "":
		return hintApplicationCredential(c)
	case login:
		return "Keystone does not accept the user for this project; check username, password, user_domain_name, project_id or project_name, " +
			"and the user's roles: openstack role assignment list --names --user USER --project PROJECT"
	case permission && strings.Contains(reason, "managing additional application credentials"):
		return hintRestricted
	case permission && c.permission != "" && c.applicationCredential != "":
		return "the credentials lack the permission " + c.permission + " in this project; an application credential has the roles that it was " +
			"made with, so make another, of a user who has a role with the permission: " +
			createWithRoles + "; for all that is missing: " + c.check.String()
	case permission && c.permission != "":
		return "the credentials lack the permission " + c.permission + " in this project; give the user a role that has it: openstack role " +
			"add --user USER --project PROJECT member; for all that is missing: " + c.check.String()
	case permission:
		return "the credentials may not do this in this project; see: " + c.check.String()
	}
	hint := "the cloud does not accept the token that auth_url gave; check that the compute endpoint belongs to the same cloud: openstack " +
		"catalog show compute"
	if c.applicationCredential != "" {
		// keystonemiddleware answers 401 to what the access rules do not name, and to everything where there are
		// rules and the service's configuration has no service_type (auth_token/__init__.py,
		// validate_allowed_request).
		hint += "; or the application credential's access rules leave this call out: openstack application credential show " +
			c.applicationCredential
	}
	return hint
}

// createWithRoles makes an application credential that may do everything: Keystone gives it no role that its
// roles imply, as it gives users the reader of a member.
const createWithRoles = "openstack application credential create --unrestricted --role member --role reader cloudpw"

func hintApplicationCredential(c call) string {
	return "Keystone does not accept the application credential: it has ended or was deleted, its secret is wrong, or its user was " +
		"disabled; see: openstack application credential show " +
		c.applicationCredential + "; for another one: openstack application credential create --unrestricted cloudpw"
}

// translate turns an error of gophercloud or of the HTTP layer into one of the core's kinds. An
// error that is translated already passes.
func translate(c call, err error, secrets redactor) *cloud.Error {
	var done *cloud.Error
	if errors.As(err, &done) {
		return done
	}
	a, answered := answerOf(err)
	switch {
	case answered:
	case unparsable(err):
		key := endpointECS
		if c.plain {
			key = endpointCompute
		}
		return &cloud.Error{
			Kind:    cloud.Unknown,
			Message: c.String() + ": the answer cannot be read; check that endpoints." + key + " is a compute API",
			Err:     err,
		}
	default:
		return cloud.Transport(c.String(), err)
	}
	m := a.meaning(c)
	message := c.String() + ": " + m.hint
	if reason := secrets.line(a.reason); reason != "" {
		message += "; the cloud says: " + reason
	} else if a.code == "" {
		message += fmt.Sprintf("; the cloud answered HTTP status %d", a.status)
	}
	e := &cloud.Error{Kind: m.kind, Code: a.displayCode(), Message: message, Hint: c.check, RequestID: a.requestID, Err: err}
	if m.kind == cloud.Throttled {
		e.RetryAfter = a.retryAfter
	}
	return e
}

// displayCode is the cloud's code, else the fault's name if it is a known one.
func (a answer) displayCode() string {
	if a.code != "" {
		return a.code
	}
	if _, known := novaFaults[a.fault]; known {
		return a.fault
	}
	return ""
}

// novaFaults are all names of faults that Nova gives (nova/api/openstack/wsgi.py). Any other name is
// not repeated: it would be the first field of some foreign JSON.
var novaFaults = map[string]bool{
	"badRequest": true, "unauthorized": true, "forbidden": true, "itemNotFound": true, "badMethod": true,
	"conflictingRequest": true, "overLimit": true, "badMediaType": true, "notImplemented": true,
	"serviceUnavailable": true, "computeFault": true,
}

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
