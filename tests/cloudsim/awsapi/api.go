// Package awsapi serves the AWS part of the cloud simulator: EC2's Query API
// (GetPasswordData, DescribeInstances, DescribeKeyPairs), STS, IAM, and Run
// Command of Systems Manager, with Signature Version 4. One handler serves all
// four; the Version parameter, or the header X-Amz-Target, tells them apart.
//
// Sources: the EC2, STS, IAM and Systems Manager API references and their error
// pages; the shapes of botocore's service models.
package awsapi

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// API is an http.Handler for AWS.
type API struct {
	world    *model.World
	services map[string]*service
}

// service is one of AWS's services.
type service struct {
	name      string
	namespace string
	actions   map[string]action
}

// action is one call of a service.
type action struct {
	// params are the names it knows; "X.N" is a list, "X.N.Y" a list of
	// structures with lists in them.
	params []string
	// required are the names that must be there.
	required []string
	// texts are what the models of STS and IAM say of parameters.
	texts map[string]constraint
	// open marks a call that needs no permission.
	open bool
	run  func(*request) (any, *failure)
}

// request is an authenticated request.
type request struct {
	api    *API
	world  *model.World
	caller caller
	form   url.Values
	id     string
	// exchange is for calls that start something.
	exchange *model.Exchange
}

// get returns a parameter.
func (r *request) get(name string) string { return r.form.Get(name) }

// New makes the handler over a world.
func New(w *model.World) *API {
	return &API{world: w, services: map[string]*service{
		"2011-06-15": stsService(),
		"2010-05-08": iamService(),
		"":           ec2Service(), // of many versions
	}}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		a.serveSSM(rw, r, target)
		return
	}
	id := a.world.NewUUID()
	form := r.URL.Query()
	body, err := wire.ReadBody(r)
	if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		var more url.Values
		more, err = url.ParseQuery(string(body))
		for name, values := range more {
			form[name] = append(form[name], values...)
		}
	}
	s := a.service(r, form.Get("Version"))
	if err != nil {
		wire.Write(rw, answerError(s, fail("MalformedQueryString", err.Error()), id))
		return
	}
	who, f := a.authenticate(s, r, body)
	req := &request{api: a, world: a.world, caller: who, form: form, id: id}
	x := a.world.Begin(model.Call{
		Cloud: model.AWS, Service: s.name, Action: form.Get("Action"), Region: who.region, Source: wire.Source(r),
		Account: who.key.AccountID, AccessKey: who.key.ID,
		Instances: list(form, "InstanceId"), Params: logged(form), Unauthenticated: f != nil,
	})
	if f != nil {
		x.Done(f.status, f.code, id)
		wire.Write(rw, answerError(s, f, id))
		return
	}
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return answerError(s, refusal(s, ref), id) },
		func() wire.Answer {
			result, f := a.run(s, req)
			if f != nil {
				return answerError(s, f, id)
			}
			return answerXML(http.StatusOK, "", result, id)
		})
}

// service is the one that a request is for: by the version of its API, else by the scope of the signature.
func (a *API) service(r *http.Request, version string) *service {
	if s := a.services[version]; s != nil && version != "" {
		return s
	}
	if sig, err := parseSignature(r); err == nil {
		for _, s := range a.services {
			if s.name == sig.service {
				return s
			}
		}
	}
	return a.services[""]
}

// run checks an action's parameters and the permission, then does it.
func (a *API) run(s *service, r *request) (any, *failure) {
	name := r.get("Action")
	act, ok := s.actions[name]
	switch {
	case s.name == "ec2" && r.get("Version") == "":
		return nil, fail("MissingParameter", "The request must contain the parameter Version")
	case s.name == "ec2" && !slices.Contains(ec2Versions, r.get("Version")):
		return nil, fail("NoSuchVersion", "The requested version ("+r.get("Version")+") of service AmazonEC2 does not exist")
	case name == "":
		return nil, fail("MissingAction", "The request is missing an action or a required parameter")
	case !ok && s.name == "ec2":
		return nil, fail("InvalidAction", "The action "+name+" is not valid for this web service.")
	case !ok || s.name != "ec2" && a.services[r.get("Version")] != s:
		return nil, fail("InvalidAction", "Could not find operation "+name+" for version "+cmp.Or(r.get("Version"), "NO_VERSION_SPECIFIED"))
	}
	for _, given := range slices.Sorted(maps.Keys(r.form)) {
		if !knows(act.params, given) {
			return nil, fail("UnknownParameter", "The parameter "+given+" is not recognized")
		}
	}
	for _, p := range act.required {
		switch {
		case r.get(p) != "" || s.name != "ec2" && r.form.Has(p):
		case s.name == "ec2":
			return nil, fail("MissingParameter", "The request must contain the parameter "+p)
		default:
			return nil, fail("ValidationError", absent(lowerFirst(p)))
		}
	}
	for _, p := range slices.Sorted(maps.Keys(act.texts)) {
		if broken := act.texts[p].broken(r.get(p)); broken != "" && r.form.Has(p) {
			return nil, fail("ValidationError", violation(r.get(p), lowerFirst(p), broken))
		}
	}
	if !act.open && !a.world.Allowed(r.caller.key, s.name, name) {
		return nil, a.denied(s, r, name)
	}
	return act.run(r)
}

// denied is the answer to a call without permission.
func (a *API) denied(s *service, r *request, name string) *failure {
	text := "User: " + r.caller.arn(a.world) + " is not authorized to perform: " + s.name + ":" + name +
		" because no identity-based policy allows the " + s.name + ":" + name + " action"
	if s.name == "ec2" {
		return &failure{http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. " + text}
	}
	return &failure{http.StatusForbidden, "AccessDenied", text}
}

// always are parameters of every call: its name and a presigned signature.
var always = []string{"Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
	"X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"}

// knows says whether a parameter is in a list of names and patterns.
func knows(params []string, given string) bool {
	if slices.Contains(always, given) || slices.Contains(params, given) {
		return true
	}
	return slices.ContainsFunc(params, func(p string) bool {
		want, have := strings.Split(p, "."), strings.Split(given, ".")
		if len(want) != len(have) {
			return false
		}
		for i := range want {
			if want[i] != have[i] && (want[i] != "N" || index(have[i]) == 0) {
				return false
			}
		}
		return true
	})
}

// number reads a parameter of STS or IAM that may be left out.
func (r *request) number(name string, least, most, otherwise int) (int, *failure) {
	given := r.get(name)
	if given == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(given)
	broken := outside(n, least, most)
	if err != nil {
		broken = "Member must be a number"
	}
	if broken != "" {
		return 0, fail("ValidationError", violation(given, lowerFirst(name), broken))
	}
	return n, nil
}

// logged are the parameters worth keeping in the log.
func logged(form url.Values) map[string]string {
	out := map[string]string{}
	for name := range form {
		if name != "Action" && name != "Version" && !strings.HasPrefix(name, "X-Amz-") {
			out[name] = form.Get(name)
		}
	}
	return out
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
