// Package alibabaapi serves the Alibaba Cloud part of the cloud simulator: ECS
// (DescribeInstances and Cloud Assistant), STS and RAM, with the V3 signature
// (ACS3-HMAC-SHA256). One handler serves them all; the version tells them apart.
// Parameters may be in the query or in a form.
//
// Sources: the models and their texts in the Go SDK (ecs-20140526 v7.7.0) and in
// npm's @alicloud/ecs20140526 7.11.6, the API pages of RunCommand, InvokeCommand,
// CreateCommand, StopInvocation and DescribeInvocationResults with their error
// tables, of STS and RAM, the page on the V3 signature, the list of errors that are
// common to all services (help.aliyun.com/document_detail/53438.html), and for the
// words of some messages the answers in public bug reports. What no source confirms
// says so where it is.
package alibabaapi

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// API is an http.Handler for Alibaba Cloud.
type API struct {
	world    *model.World
	services map[string]*service // by version

	mu sync.Mutex
	// nonces are those of accepted signatures, with their times; pruned is when old ones were last removed.
	nonces map[nonce]time.Time
	pruned time.Time
	// commands are the answers to RunCommand by ClientToken. A lock is held from the look to the
	// entry, so that of two requests with one token one is a repetition.
	commands map[tokenID]remembered
}

// service is one of Alibaba Cloud's services.
type service struct {
	name    string
	version string
	// denied is the refusal of a call without permission.
	denied *failure
	// regional services refuse requests without RegionId.
	regional bool
	actions  map[string]action
}

// action is one call.
type action struct {
	// open marks a call that needs no permission, or that says so in its own way.
	open bool
	// params makes the structure that the parameters are read into.
	params func() any
	run    func(*request, any) (any, *failure)
}

// request is an authenticated request.
type request struct {
	api      *API
	world    *model.World
	key      model.AccessKey
	region   string
	id       string
	exchange *model.Exchange
}

// New makes the handler over a world.
func New(w *model.World) *API {
	a := &API{world: w, services: map[string]*service{}, nonces: map[nonce]time.Time{}, commands: map[tokenID]remembered{}}
	for _, s := range []*service{ecsService(), stsService(), ramService()} {
		a.services[s.version] = s
	}
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	out := answers{host: r.Host, id: a.requestID()}
	in, f := read(r)
	if f != nil {
		wire.Write(rw, out.failed(f))
		return
	}
	s := a.services[in.version]
	if s == nil {
		wire.Write(rw, out.failed(fail(http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid.")))
		return
	}
	out.product = s.name
	key, f := a.authenticate(r, in)
	call := model.Call{
		Cloud: model.AlibabaCloud, Service: s.name, Action: in.action, Region: in.params["RegionId"], Source: wire.Source(r),
		Account: key.AccountID, AccessKey: key.ID, Unauthenticated: f != nil,
	}
	in.describe(&call)
	x := a.world.Begin(call)
	if f != nil {
		x.Done(f.status, f.code, out.id)
		wire.Write(rw, out.failed(f))
		return
	}
	req := &request{api: a, world: a.world, key: key, region: call.Region, id: out.id, exchange: x}
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return out.failed(refusal(ref)) },
		func() wire.Answer {
			result, f := a.run(s, in, req)
			if f != nil {
				return out.failed(f)
			}
			return out.done(result)
		})
}

// run checks action, region, permission and parameters, then does it.
func (a *API) run(s *service, in *arrival, req *request) (any, *failure) {
	act, ok := s.actions[in.action]
	if !ok {
		return nil, fail(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	}
	if s.regional {
		account, _ := a.world.Account(model.AlibabaCloud, req.key.AccountID)
		switch {
		case req.region == "":
			return nil, missing("RegionId")
		case !account.HasRegion(req.region):
			return nil, fail(http.StatusNotFound, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records.")
		}
	}
	if !act.open && !a.world.Allowed(req.key, s.name, in.action) {
		return nil, s.denied
	}
	params := act.params()
	if f := in.fill(params, s.regional); f != nil {
		return nil, f
	}
	return act.run(req, params)
}

// requestID makes an id in the cloud's form.
func (a *API) requestID() string { return upper(a.world.NewUUID()) }

// nobody is the answer for a caller whom a RAM policy does not allow a call of STS or RAM.
func nobody() *failure {
	return fail(http.StatusForbidden, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
}

// result is the answer of a call that tells nothing but its id.
type result struct {
	RequestID string `json:"RequestId"`
}

// none makes the parameters of a call that has none.
func none() any { return new(struct{}) }

// inText is a time in the form that all three services use.
func inText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// invalid refuses the value of a parameter in ECS's common words.
func invalid(name string) *failure {
	return fail(http.StatusBadRequest, "InvalidParameter", fmt.Sprintf("The specified parameter %q is not valid.", name))
}

// missing refuses a request without a parameter, as the gateway in front of all services does (Missing{ParameterName}).
func missing(name string) *failure {
	return fail(http.StatusBadRequest, "Missing"+name, name+" is mandatory for this action.")
}
