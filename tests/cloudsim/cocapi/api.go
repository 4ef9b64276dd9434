package cocapi

import (
	"net/http"
	"strings"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Ways in which a script gets its parameters. The pages show "${name}" in a script's text, which is right for both.
const (
	// Replace puts the values into the text, in place of "${name}".
	Replace = "replace"
	// Environment sets a variable for each.
	Environment = "environment"
)

// Options configure an API. Only Identity is required.
type Options struct {
	// Identity is the cloud's gateway, which says who sends a request.
	Identity *novaapi.Cloud
	// MaxScript is how many characters a script may have; default 4,096. Some pages say 100 KB.
	MaxScript int
	// Parameters is Replace, the default, or Environment.
	Parameters string
	// NewScripts is the status of a script that names no reviewer; default APPROVED.
	NewScripts string
}

// defaultMaxScript is the least of what the pages say.
const defaultMaxScript = 4096

// API is an http.Handler for COC.
type API struct {
	world *model.World
	opts  Options

	mu         sync.Mutex
	newScripts string
	scripts    []*script // oldest first
	orders     []*order
	scriptSeq  int64
	orderSeq   int64
	targetSeq  int64
}

// New makes the handler over a world.
func New(world *model.World, o Options) *API {
	if o.MaxScript <= 0 {
		o.MaxScript = defaultMaxScript
	}
	if o.Parameters == "" {
		o.Parameters = Replace
	}
	if o.NewScripts == "" {
		o.NewScripts = approved
	}
	return &API{world: world, opts: o, newScripts: o.NewScripts}
}

// request is an authenticated request.
type request struct {
	*http.Request
	api      *API
	caller   novaapi.Caller
	vars     []string
	body     []byte
	exchange *model.Exchange
}

// route is one call.
type route struct {
	method, path string
	action       string
	permission   string
	run          func(*request) (any, *failure)
}

// routes are the calls, by path after /v1/job. The permissions are those of the pages.
var routes = []route{
	{http.MethodPost, "scripts", "CreateScript", "coc:document:create", createScript},
	{http.MethodGet, "scripts", "ListScripts", "coc:document:list", listScripts},
	{http.MethodGet, "scripts/*", "GetScript", "coc:document:get", getScript},
	{http.MethodDelete, "scripts/*", "DeleteScript", "coc:document:delete", deleteScript},
	{http.MethodPost, "scripts/*", actionExecute, "coc:instance:executeDocument", executeScript},
	{http.MethodPost, "scripts/*/action", "AcceptScript", "coc:document:approve", acceptScript},
	{http.MethodGet, "script/orders", "ListScriptJobs", "coc:job:list", listOrders},
	{http.MethodGet, "script/orders/*", "GetScriptJobInfo", "coc:job:list", getOrder},
	{http.MethodGet, "script/orders/*/statistics", "GetScriptJobStatistics", "coc:job:list", getStatistics},
	{http.MethodGet, "script/orders/*/batches", "ListScriptJobBatches", "coc:job:list", listBatches},
	{http.MethodGet, "script/orders/*/batches/*", "GetScriptJobBatch", "coc:job:list", getBatch},
	{http.MethodPut, "script/orders/*/operation", "OperateScriptJob", "coc:job:action", operateOrder},
}

const actionExecute = "ExecuteScript"

// find looks a call up, with the segments that its path leaves open.
func find(method, path string) (route, []string, bool) {
	have := strings.Split(strings.Trim(path, "/"), "/")
	for _, rt := range routes {
		want := strings.Split("v1/job/"+rt.path, "/")
		if rt.method != method || len(want) != len(have) {
			continue
		}
		vars, fits := []string{}, true
		for i := range want {
			switch {
			case want[i] == "*" && have[i] != "":
				vars = append(vars, have[i])
			case want[i] != have[i]:
				fits = false
			}
		}
		if fits {
			return rt, vars, true
		}
	}
	return route{}, nil, false
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, hr *http.Request) {
	body, err := wire.ReadBody(hr)
	if err != nil {
		wire.Write(rw, failed(invalid("the request body cannot be read"), ""))
		return
	}
	rt, vars, known := find(hr.Method, hr.URL.Path)
	if !known {
		wire.Write(rw, failed(fail(http.StatusNotFound, "APIGW.0101",
			"The API does not exist or has not been published in the environment"), ""))
		return
	}
	caller, refused := a.opts.Identity.Identify(hr, body)
	r := &request{Request: hr, api: a, caller: caller, vars: vars, body: body}
	call := r.describe(rt)
	call.Unauthenticated = refused != nil
	r.exchange = a.world.Begin(call)
	if refused != nil {
		r.exchange.Done(refused.Status, refused.Code, refused.RequestID)
		wire.Write(rw, *refused)
		return
	}
	wire.Serve(rw, a.world, r.exchange,
		func(f *model.Refusal) wire.Answer { return failed(refusal(f), caller.RequestID) },
		func() wire.Answer {
			result, f := r.run(rt)
			if f != nil {
				return failed(f, caller.RequestID)
			}
			return done(result, caller.RequestID)
		})
}

// run checks what is the same in all calls, then does the one.
func (r *request) run(rt route) (any, *failure) {
	if language := r.Header.Get("X-Language"); language != "" && language != "zh-cn" && language != "en-us" {
		return nil, invalid("X-Language must be zh-cn or en-us")
	}
	if !r.caller.May("coc", rt.action) {
		return nil, denied(rt.permission)
	}
	return rt.run(r)
}

// describe is what the log keeps of a request, and what faults look at.
func (r *request) describe(rt route) model.Call {
	call := model.Call{
		Cloud: model.HuaweiCloud, Service: "coc", Action: rt.action, Region: r.caller.Region(), Source: wire.Source(r.Request),
		Account: r.caller.Account.ID, AccessKey: r.caller.LogName(), Params: map[string]string{},
	}
	if len(r.vars) > 0 {
		call.Params["id"] = r.vars[0]
	}
	if rt.action == actionExecute {
		var in executeBody
		if r.read(&in) == nil {
			call.Instances = in.servers()
			for _, p := range in.parameters() {
				call.Params["parameter "+p.Name] = p.Value
			}
		}
	}
	return call
}
