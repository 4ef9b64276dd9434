// Package tencentapi serves the Tencent Cloud part of the cloud simulator:
// CVM (DescribeInstances, ResetInstancesPassword), TAT (RunCommand,
// DescribeInvocationTasks), STS and CAM, with Signature v3 (TC3-HMAC-SHA256; POST
// with JSON, and GET) and v1 (HmacSHA1 and HmacSHA256; GET, and POST with a form).
// One handler serves them all; the version and the credential's scope tell them
// apart.
//
// Sources: the API pages of CVM, TAT, STS and CAM, "Signature v3", "Signature" (v1),
// "Common Params", "Request Structure" and "common error codes", the models and
// error lists of tencentcloud-sdk-go, and for the words of some messages the
// answers in bug reports about the SDKs.
package tencentapi

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// API is an http.Handler for Tencent Cloud.
type API struct {
	world    *model.World
	services map[string]*service // by version
}

// service is one of Tencent's services.
type service struct {
	name    string
	version string
	// regional services refuse requests without a region.
	regional bool
	actions  map[string]action
}

// action is one call.
type action struct {
	// open marks a call that needs no permission.
	open bool
	// params makes the structure that the parameters are read into.
	params func() any
	run    func(*request, any) (any, *failure)
}

// request is an authenticated request.
type request struct {
	world    *model.World
	key      model.AccessKey
	region   string
	id       string
	exchange *model.Exchange
}

// New makes the handler over a world.
func New(w *model.World) *API {
	a := &API{world: w, services: map[string]*service{}}
	for _, s := range []*service{cvmService(), tatService(), stsService(), camService()} {
		a.services[s.version] = s
	}
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	id := a.world.NewUUID()
	rw.Header().Set("Date", a.world.Now().UTC().Format(http.TimeFormat)) // by the clock that judges timestamps
	in, f := read(r)
	refuse := func(f *failure) { wire.Write(rw, answerError(in, f, id)) }
	if f != nil {
		refuse(f)
		return
	}
	s := a.services[in.version]
	if s == nil {
		refuse(fail("NoSuchVersion", "The version `"+in.version+"` of this API does not exist."))
		return
	}
	key, f := a.authenticate(s, in.claim)
	call := model.Call{
		Cloud: model.TencentCloud, Service: s.name, Action: in.action, Region: in.region, Source: wire.Source(r),
		Account: key.AccountID, AccessKey: key.ID, Unauthenticated: f != nil,
	}
	in.describe(&call)
	x := a.world.Begin(call)
	if f != nil {
		x.Done(http.StatusOK, f.code, id)
		refuse(f)
		return
	}
	req := &request{world: a.world, key: key, region: call.Region, id: id, exchange: x}
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return answerError(in, refusal(in.action, ref), id) },
		func() wire.Answer {
			result, f := a.run(s, in, req)
			if f != nil {
				return answerError(in, f, id)
			}
			return answerJSON(result, "", id)
		})
}

// run checks region, action, permission and parameters, then does it.
func (a *API) run(s *service, in *arrival, req *request) (any, *failure) {
	act, ok := s.actions[in.action]
	if !ok {
		return nil, fail("InvalidAction", "The action `"+in.action+"` is invalid or does not exist.")
	}
	if s.regional {
		account, _ := a.world.Account(model.TencentCloud, req.key.AccountID)
		switch {
		case req.region == "":
			return nil, missingParameter("Region")
		case !account.HasRegion(req.region):
			return nil, fail("UnsupportedRegion", "The region `"+req.region+"` is not supported.")
		}
	}
	if !act.open && !a.world.Allowed(req.key, s.name, in.action) {
		return nil, fail("UnauthorizedOperation", fmt.Sprintf("you are not authorized to perform operation (%s:%s)", s.name, in.action))
	}
	params := act.params()
	if f := in.fill(params); f != nil {
		return nil, f
	}
	return act.run(req, params)
}

// secretID is the form of a SecretId; the manual's own examples hold stars.
var secretID = regexp.MustCompile(`^AKID[\w*-]{4,60}$`)

// regionForm is the form of a region's name.
var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]+){1,3}$`)

// authenticate judges a request's signature.
func (a *API) authenticate(s *service, c claim) (model.AccessKey, *failure) {
	key, known := a.world.AccessKey(model.TencentCloud, c.secretID)
	now := a.world.Now()
	switch {
	case !secretID.MatchString(c.secretID):
		return model.AccessKey{}, fail("AuthFailure.InvalidSecretId", "The SecretId is not a TencentCloud API key.")
	case !known, key.Inactive:
		return model.AccessKey{}, fail("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
	case c.time.Before(now.Add(-maxSkew)), c.time.After(now.Add(maxSkew)):
		return model.AccessKey{},
			fail("AuthFailure.SignatureExpire", "The provided credentials have expired: the timestamp is more than five minutes off.")
	case c.service != "" && c.service != s.name:
		return model.AccessKey{}, fail("AuthFailure.InvalidAuthorization", errService.Error()+".")
	case !c.verify(key.Secret):
		return model.AccessKey{},
			fail("AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct.")
	case subtle.ConstantTimeCompare([]byte(key.Token), []byte(c.token)) != 1,
		!key.Expires.IsZero() && now.After(key.Expires):
		return model.AccessKey{}, fail("AuthFailure.TokenFailure", "The token is invalid or has expired.")
	}
	return key, nil
}
