package openstack

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func (a answer) meaning(c call) meaning {
	m, ok := meaning{}, false
	switch c.action {
	case actionChange:
		m, ok = a.changeMeaning(c)
	case actionAssume:
		m, ok = a.assumeMeaning(c)
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
	case c.coc && a.status == http.StatusNotFound && strings.HasPrefix(a.code, "COC."):
		m.hint = "COC does not know (any more) what was asked for"
	case c.identity && m.hint == hintEndpoint:
		m.hint = "no identity API at this address; check auth_url"
	case c.plain && m.hint == hintInstance:
		m.hint = hintInstance + "; a server of another project needs a connection for that project; see: openstack server show " + c.instance
	}
	switch {
	case c.plain:
		m.hint = strings.ReplaceAll(m.hint, "endpoints."+endpointECS, "endpoints."+endpointCompute)
	case c.coc:
		m.hint = strings.ReplaceAll(m.hint, "endpoints."+endpointECS, "endpoints."+endpointCOC)
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
		return &cloud.Error{Kind: cloud.Unknown, Message: c.String() + ": the answer cannot be read; " + c.addressHint(), Err: err}
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

// addressHint says which address to check where something else seems to answer.
func (c call) addressHint() string {
	switch {
	case c.coc:
		return "check that endpoints." + endpointCOC + " is COC"
	case c.plain:
		return "check that endpoints." + endpointCompute + " is a compute API"
	}
	return "check that endpoints." + endpointECS + " is a compute API"
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
