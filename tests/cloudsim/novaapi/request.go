package novaapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// request is one HTTP request on its way through a Cloud.
type request struct {
	*http.Request
	id      string // "req-…", as OpenStack writes it
	body    []byte
	route   string // the path below the service's own root
	api     api
	project string   // project id from the path; may be empty
	vars    []string // path segments that the route left open
	version microversion
	caller  caller
	// exchange carries the faults that may bend what the request starts.
	exchange *model.Exchange
}

// caller is who sent a request.
type caller struct {
	user    model.User
	account model.Account
	project *model.Project
	key     *model.AccessKey // nil for tokens
	token   *token           // nil for signatures
}

// logName is the name under which the log knows the caller.
func (c caller) logName() string {
	if c.key != nil {
		return c.key.ID
	}
	return c.user.ID
}

func (c caller) region() string {
	if c.project == nil {
		return ""
	}
	return c.project.Region
}

// api says in which shape a request's errors are written.
type api int

const (
	apiIdentity api = iota
	apiNova         // /v2.1 and /v2
	apiECS          // /v1
	apiOther        // another service behind the gateway, which answers for it here
)

// route is one operation. A "*" segment of its path matches any one segment.
type route struct {
	method string
	path   string
	action string
	handle func(*Cloud, *request) *answer
	// open routes need no authentication, or do their own.
	open bool
	// server tells that the first open segment is a server's id.
	server bool
	// plain routes are OpenStack's own; the vendors' references do not have them.
	plain bool
}

// match reports whether path fits, and the segments that were left open.
func (rt route) match(path string) ([]string, bool) {
	want, have := strings.Split(rt.path, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	var vars []string
	for i := range want {
		switch {
		case want[i] == "*" && have[i] != "":
			vars = append(vars, have[i])
		case want[i] != have[i]:
			return nil, false
		}
	}
	return vars, true
}

// find looks a path up. allowed is false when only other methods have it.
func find(routes []route, method, path string) (rt route, vars []string, known, allowed bool) {
	for _, rt := range routes {
		vars, ok := rt.match(path)
		if !ok {
			continue
		}
		known = true
		if rt.method == method {
			return rt, vars, true, true
		}
	}
	return route{}, nil, known, false
}

// newRequest reads the body and undoes what a mux in front may have changed:
// signatures cover the path as the client sent it.
func (c *Cloud) newRequest(r *http.Request) (*request, error) {
	out := &request{Request: r, route: r.URL.Path, id: "req-" + c.world.NewUUID()}
	if sent, err := url.ParseRequestURI(r.RequestURI); err == nil && sent.Path != r.URL.Path {
		out.Request = r.Clone(r.Context())
		out.URL = sent
	}
	var err error
	out.body, err = wire.ReadBody(r)
	return out, err
}
