package azureapi

import (
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Principal is whom a bearer token stands for.
type Principal struct {
	// Key is the application's client id with the secret that the token was got with.
	Key model.AccessKey
	// TenantID is the tenant that issued the token, and ObjectID the service principal in it.
	TenantID, ObjectID string
	// Audience is the resource that the token is for, as the client has written it in its scope.
	Audience string
	Expires  time.Time
}

// Tokens knows the bearer tokens that were issued.
type Tokens interface {
	// Token says whom a token stands for, even one that has expired; false: nobody has issued it.
	Token(token string) (Principal, bool)
}

// Options configure API.
type Options struct {
	// Tokens judges bearer tokens. It is required.
	Tokens Tokens
	// TokenLifetime is how long a token of the login service lasts; default DefaultTokenLifetime.
	TokenLifetime time.Duration
	// PageSize is how many entries a page of a list has; default DefaultPageSize.
	PageSize int
	// Limits replace DefaultLimits; one that is missing does not limit.
	Limits map[string]Limit
}

// DefaultPageSize is the length of a page unless Options say otherwise. The documents name none.
const DefaultPageSize = 50

// API is an http.Handler for Azure Resource Manager.
type API struct {
	world  *model.World
	opts   Options
	routes []route

	mu      sync.Mutex
	buckets map[string]*bucket
	// records are the run commands, by server, in order of creation, and names what every name has been used for.
	records    map[string][]*record
	names      map[recordName]*use
	operations map[string]*operation
}

// New makes the handler over a world.
func New(w *model.World, o Options) *API {
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	if o.Limits == nil {
		o.Limits = DefaultLimits()
	}
	return &API{world: w, opts: o, routes: routes(), buckets: map[string]*bucket{}, records: map[string][]*record{},
		names: map[recordName]*use{}, operations: map[string]*operation{}}
}

// request is an authenticated request.
type request struct {
	api      *API
	world    *model.World
	exchange *model.Exchange
	who      Principal
	route    route
	place    place
	query    url.Values
	body     []byte
	// base is the address of the API as the client has it.
	base string
	// vm is the server that the path names; found is false if there is none.
	vm    model.Server
	found bool
	// header is what every answer has: how much the limits leave.
	header map[string]string
}

// reply is a successful answer.
type reply struct {
	status int
	body   any // nil: none
	header map[string]string
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	out := answers{id: a.world.NewUUID()}
	req, f := a.read(r)
	if f == nil {
		req.who, f = a.authenticate(r)
	}
	x := a.world.Begin(req.call(r, f != nil))
	if f != nil {
		x.Done(f.status, f.code, out.id)
		wire.Write(rw, out.failed(f))
		return
	}
	req.exchange = x
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer {
			if ref.Kind == model.Throttled {
				return out.failed(req.tooMany("write", time.Second))
			}
			return out.failed(refusal(ref))
		},
		func() wire.Answer {
			done, f := req.run()
			if f != nil {
				f.header = merged(req.header, f.header)
				return out.failed(f)
			}
			return out.write(done.status, "", done.body, merged(req.header, done.header))
		})
}

// read takes a request apart. What it refuses is refused before anybody asks who it is.
func (a *API) read(r *http.Request) (*request, *failure) {
	req := &request{api: a, world: a.world, query: r.URL.Query(), base: "http://" + r.Host, header: map[string]string{}}
	if r.TLS != nil {
		req.base = "https://" + r.Host
	}
	body, err := wire.ReadBody(r)
	switch {
	case errors.Is(err, wire.ErrBodyTooLong):
		return req, fail(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content is too large.")
	case err != nil:
		return req, fail(http.StatusBadRequest, "InvalidRequestContent", err.Error())
	}
	req.body = body
	req.route, req.place = a.find(r.Method, r.URL.Path)
	if req.place.vm != "" {
		req.vm, req.found = a.server(req.place)
	}
	return req, nil
}

// call describes the request for the log.
func (r *request) call(from *http.Request, unauthenticated bool) model.Call {
	c := model.Call{
		Cloud: model.Azure, Service: "arm", Action: r.route.name, Region: r.vm.Region, Source: wire.Source(from),
		Account: r.who.Key.AccountID, AccessKey: r.who.Key.ID, Unauthenticated: unauthenticated,
		Params: map[string]string{"method": from.Method, "path": from.URL.Path, "query": from.URL.RawQuery},
	}
	if len(r.body) > 0 {
		c.Params["body"] = string(r.body)
	}
	if r.found {
		c.Instances = []string{r.vm.ID}
	}
	return c
}

// run judges the request as Resource Manager does, then does it.
func (r *request) run() (reply, *failure) {
	for _, check := range []func() *failure{r.checkType, r.checkVersion, r.checkSubscription, r.authorize, r.throttleManager, r.checkParent} {
		if f := check(); f != nil {
			return reply{}, f
		}
	}
	return r.route.run(r)
}

// again looks the server up once more: a fault may have ended it while the request waited.
func (r *request) again() bool {
	r.vm, r.found = r.api.server(r.place)
	return r.found
}
