package novaapi

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Caller is who sent a request to another service of the cloud.
type Caller struct {
	User    model.User
	Account model.Account
	// Project is the one that the request works in; nil for none.
	Project *model.Project
	// Key is nil for tokens.
	Key *model.AccessKey
	// RequestID is the gateway's id of the request.
	RequestID string

	cloud *Cloud
}

// Identify finds out who sent a request, whose body has been read, to a service behind the gateway that stands in front of this
// cloud's others, too. A non-nil answer refuses the request.
func (c *Cloud) Identify(hr *http.Request, body []byte) (Caller, *wire.Answer) {
	r := &request{Request: hr, body: body, id: "req-" + c.world.NewUUID(), api: apiOther}
	refused := c.authenticate(r)
	out := Caller{User: r.caller.user, Account: r.caller.account, Project: r.caller.project, Key: r.caller.key, RequestID: r.id, cloud: c}
	if refused == nil {
		return out, nil
	}
	a := c.final(r, refused)
	return out, &a
}

// LogName is the name under which the log knows the caller.
func (c Caller) LogName() string { return caller{user: c.User, key: c.Key}.logName() }

// Region is that of the caller's project; "" without one.
func (c Caller) Region() string { return caller{project: c.Project}.region() }

// May says whether the caller's permissions cover a call of a service.
func (c Caller) May(service, action string) bool {
	return c.cloud.world.UserAllowed(c.User, service, action) && (c.Key == nil || c.cloud.world.Allowed(*c.Key, service, action))
}

// Uses says whether the caller's user may work in a project.
func (c Caller) Uses(project string) bool { return mayUse(c.User, project) }
