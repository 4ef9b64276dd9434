// Package tencentapi serves the Tencent Cloud part of the cloud simulator:
// CVM (DescribeInstances, ResetInstancesPassword), TAT (RunCommand,
// DescribeInvocationTasks), STS and CAM, with TC3-HMAC-SHA256. One handler
// serves them all; X-TC-Version and the credential's scope tell them apart.
//
// Sources: the API pages of CVM, STS and CAM, "Signature v3" and "common error
// codes", and the models and error lists of tencentcloud-sdk-go.
package tencentapi

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// API is an http.Handler for Tencent Cloud.
type API struct {
	world    *model.World
	services map[string]*service // by X-TC-Version
}

// service is one of Tencent's services.
type service struct {
	name    string
	version string
	// regional services refuse requests without X-TC-Region.
	regional bool
	actions  map[string]action
}

// action is one call.
type action struct {
	// open marks a call that needs no permission.
	open bool
	// params makes the structure that the body is read into.
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
	refuse := func(f *failure) { wire.Write(rw, answerError(r, f, id)) }
	body, err := wire.ReadBody(r)
	if err != nil {
		refuse(fail("RequestSizeLimitExceeded", err.Error()))
		return
	}
	name, version := r.Header.Get("X-TC-Action"), r.Header.Get("X-TC-Version")
	s := a.services[version]
	switch {
	case r.Method != http.MethodPost:
		refuse(fail("UnsupportedProtocol", "Only POST requests with a JSON body are supported."))
		return
	case name == "":
		refuse(fail("MissingParameter", "The request is missing a required parameter `Action`."))
		return
	case version == "":
		refuse(fail("MissingParameter", "The request is missing a required parameter `Version`."))
		return
	case s == nil:
		refuse(fail("NoSuchVersion", "The version `"+version+"` of this API does not exist."))
		return
	}
	key, f := a.authenticate(s, r, body)
	call := model.Call{
		Cloud: model.TencentCloud, Service: s.name, Action: name, Region: r.Header.Get("X-TC-Region"), Source: wire.Source(r),
		Account: key.AccountID, AccessKey: key.ID, Unauthenticated: f != nil,
	}
	describe(&call, body)
	x := a.world.Begin(call)
	if f != nil {
		x.Done(http.StatusOK, f.code, id)
		refuse(f)
		return
	}
	req := &request{world: a.world, key: key, region: call.Region, id: id, exchange: x}
	wire.Serve(rw, a.world, x,
		func(ref *model.Refusal) wire.Answer { return answerError(r, refusal(name, ref), id) },
		func() wire.Answer {
			result, f := a.run(s, name, req, r, body)
			if f != nil {
				return answerError(r, f, id)
			}
			return answerJSON(result, "", id)
		})
}

// run checks region, action, permission and parameters, then does it.
func (a *API) run(s *service, name string, req *request, r *http.Request, body []byte) (any, *failure) {
	act, ok := s.actions[name]
	if !ok {
		return nil, fail("InvalidAction", "The action `"+name+"` is invalid or does not exist.")
	}
	if s.regional {
		account, _ := a.world.Account(model.TencentCloud, req.key.AccountID)
		switch {
		case req.region == "":
			return nil, fail("MissingParameter", "The request is missing a required parameter `Region`.")
		case !account.HasRegion(req.region):
			return nil, fail("UnsupportedRegion", "The region `"+req.region+"` is not supported.")
		}
	}
	if !act.open && !a.world.Allowed(req.key, s.name, name) {
		return nil, fail("UnauthorizedOperation", fmt.Sprintf("you are not authorized to perform operation (%s:%s)", s.name, name))
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		return nil, fail("InvalidParameter", "Content-Type must be application/json.")
	}
	params := act.params()
	if f := decode(body, params); f != nil {
		return nil, f
	}
	return act.run(req, params)
}

// secretID is the form of a SecretId; the manual's own examples hold stars.
var secretID = regexp.MustCompile(`^AKID[\w*-]{4,60}$`)

// authenticate judges a request's signature.
func (a *API) authenticate(s *service, r *http.Request, body []byte) (model.AccessKey, *failure) {
	sig, err := parseSignature(r)
	if errors.Is(err, errTimestamp) {
		return model.AccessKey{}, fail("MissingParameter", err.Error())
	}
	if err != nil {
		return model.AccessKey{}, fail("AuthFailure.InvalidAuthorization", err.Error()+".")
	}
	key, known := a.world.AccessKey(model.TencentCloud, sig.secretID)
	now := a.world.Now()
	switch {
	case !secretID.MatchString(sig.secretID):
		return model.AccessKey{}, fail("AuthFailure.InvalidSecretId", "The SecretId is not a TencentCloud API key.")
	case !known, key.Inactive:
		return model.AccessKey{}, fail("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
	case sig.time.Before(now.Add(-maxSkew)), sig.time.After(now.Add(maxSkew)):
		return model.AccessKey{}, fail("AuthFailure.SignatureExpire", "The provided credentials have expired: `X-TC-Timestamp` is more than five minutes off.")
	case sig.service != s.name:
		return model.AccessKey{}, fail("AuthFailure.InvalidAuthorization", "The service in Credential does not match the requested service `"+s.name+"`.")
	case !sig.verify(r, body, key.Secret):
		return model.AccessKey{}, fail("AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct.")
	case subtle.ConstantTimeCompare([]byte(key.Token), []byte(sig.token)) != 1,
		!key.Expires.IsZero() && now.After(key.Expires):
		return model.AccessKey{}, fail("AuthFailure.TokenFailure", "The token is invalid or has expired.")
	}
	return key, nil
}

// decode reads a JSON body strictly: the cloud refuses what it does not know
// and what has the wrong type.
func decode(body []byte, into any) *failure {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return fail("InvalidParameter", "The request body is not a JSON object.")
	}
	known := reflect.TypeOf(into).Elem()
	for name := range raw {
		if !slices.ContainsFunc(reflect.VisibleFields(known), func(f reflect.StructField) bool { return f.Name == name }) {
			return fail("UnknownParameter", "The parameter `"+name+"` is not recognized.")
		}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return fail("InvalidParameter", "The type of parameter `"+wrong.Field+"` is wrong.")
	case err != nil && !errors.Is(err, io.EOF):
		return fail("UnknownParameter", "A parameter is not recognized.")
	}
	return nil
}

// describe fills the log's view of a call from its body.
func describe(c *model.Call, body []byte) {
	var raw map[string]json.RawMessage
	if json.Unmarshal(body, &raw) != nil {
		return // refused later, with a reason
	}
	c.Params = map[string]string{}
	for name, v := range raw {
		c.Params[name] = string(v)
	}
	// Values of a wrong type are refused later, too.
	_ = json.Unmarshal(raw["InstanceIds"], &c.Instances)
	_ = json.Unmarshal(raw["Password"], &c.Password)
}
