package tencentcloud

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func TestSimRotateKey(t *testing.T) {
	s := newSimulated(t, model.Options{})
	made, err := s.CreateCredential(t.Context())
	if err != nil || made["access_key"] == "" || made["access_key"] == testAccessKey || made["secret_key"] == "" {
		t.Fatalf("made %q, %v", made["access_key"], err)
	}
	cfg := s.cfg
	cfg.Values = cfg.With(made)
	next := newTestProvider(t, cfg)
	if err := next.Verify(t.Context()); err != nil {
		t.Fatalf("the new key: %v", err)
	}
	own, err := next.OwnCredentials(t.Context())
	if err != nil || len(own) != 2 {
		t.Fatalf("%+v, %v", own, err)
	}
	for _, c := range own {
		if c.InUse != (c.ID == made["access_key"]) || c.Created.IsZero() {
			t.Errorf("%+v", c)
		}
	}

	// The limit: nothing is made, and the error names the key that can go.
	_, err = next.CreateCredential(t.Context())
	wantFailure(t, err, cloud.Refused, "OperationDenied.AccessKeyOverLimit", "2 access keys already", "does not use "+testAccessKey)
	if strings.Contains(err.Error(), made["access_key"]) {
		t.Errorf("the error offers the key in use: %v", err)
	}

	wantFailure(t, next.DeleteCredential(t.Context(), made["access_key"]), cloud.Refused, "", "the one that this connection uses")
	wantFailure(t, next.DeleteCredential(t.Context(), "a b"), cloud.Refused, "", "not the SecretId")
	// A crash between switching off and deleting leaves a key that a repetition deletes.
	s.fault(t, model.Fault{Kind: model.FaultServerError, Action: "DeleteAccessKey", Count: 1})
	wantKind(t, next.DeleteCredential(t.Context(), testAccessKey), cloud.Unknown)
	if key, there := s.world.AccessKey(model.TencentCloud, testAccessKey); !there || !key.Inactive {
		t.Errorf("there %v, inactive %v", there, key.Inactive)
	}
	for range 2 { // deleting what is gone succeeds
		if err := next.DeleteCredential(t.Context(), testAccessKey); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := s.world.AccessKey(model.TencentCloud, testAccessKey); there {
		t.Error("the old key is still there")
	}
	limiter := s.cfg.Limiter.(*contract.CountLimiter)
	for _, action := range []string{"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "ListAccessKeys", "GetCallerIdentity"} {
		if asked := len(s.signers(action)); asked == 0 || asked != limiter.Count(action) {
			t.Errorf("%s: %d requests, %d through the limiter", action, asked, limiter.Count(action))
		}
	}
}

// An answer that was lost may have left a key behind, and the error says how to look.
func TestSimRotateLostAnswer(t *testing.T) {
	s := newSimulated(t, model.Options{})
	s.fault(t, model.Fault{Kind: model.FaultDropAfter, Action: "CreateAccessKey", Count: 1})
	_, err := s.CreateCredential(t.Context())
	wantFailure(t, err, cloud.Unknown, "", "may have made a key", "CAM console")
	own, err := s.OwnCredentials(t.Context())
	if err != nil || len(own) != 2 {
		t.Errorf("%+v, %v; want the key in use and the orphan", own, err)
	}
}

func TestSimRotateRefusals(t *testing.T) {
	s := newSimulated(t, model.Options{})
	role, _ := s.role(model.Role{Name: "cloudpw"})
	root := s.world.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: "100000000001"})
	limited := s.world.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: "100000000001", UserID: "200000000001",
		Deny: []string{"cam:*"}})
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		kind   cloud.Kind
		code   string
		text   string
	}{
		"role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": role.ARN}) }, cloud.Refused, "", "role_arn: "},
		"ambient": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
		}, cloud.Refused, "", "use_ambient_credentials: "},
		"main account": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": root.ID, "secret_key": root.Secret})
		}, cloud.Refused, "", "main account"},
		"no permission": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": limited.ID, "secret_key": limited.Secret})
		}, cloud.Denied, "UnauthorizedOperation", "cam:"},
		"wrong secret": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not" + c.Text(cloud.SecretKey)}) }, cloud.Denied,
			"AuthFailure.SignatureFailure", "secret_key"},
		"own cvm only": {func(c *cloud.Config) { c.Endpoints = map[string]string{"cvm": c.Endpoints["cvm"]} }, cloud.Refused, "",
			"endpoints.sts: "},
		"no own cam": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"cvm": c.Endpoints["cvm"], "sts": c.Endpoints["sts"]}
		}, cloud.Refused, "", "endpoints.cam: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.cfg
			c.change(&cfg)
			p := newTestProvider(t, cfg)
			_, listErr := p.OwnCredentials(t.Context())
			_, createErr := p.CreateCredential(t.Context())
			for _, err := range []error{listErr, createErr, p.DeleteCredential(t.Context(), "AKIDnone")} {
				wantFailure(t, err, c.kind, c.code, c.text)
			}
			if keys := s.world.AccessKeys(model.TencentCloud, "200000000001"); len(keys) != 2 {
				t.Errorf("%d keys, want the own and the limited one", len(keys))
			}
		})
	}
}

// What CAM tells of the key in use.
func TestSimCredential(t *testing.T) {
	s := newSimulated(t, model.Options{})
	made := time.Date(2024, 3, 1, 12, 30, 15, 0, time.UTC)
	key := model.AccessKey{Cloud: model.TencentCloud, ID: testAccessKey, Secret: testSecretKey, AccountID: "100000000001",
		UserID: "200000000001", Created: made}
	s.world.AddAccessKey(key)
	if got, err := s.Credential(t.Context()); err != nil || got != (cloud.Credential{ID: testAccessKey, Created: made}) {
		t.Errorf("told %+v, %v", got, err)
	}
	if err := s.CheckRotation(); err != nil {
		t.Error(err)
	}
	key.Deny = []string{"cam:*"}
	s.world.AddAccessKey(key)
	got, err := s.Credential(t.Context())
	wantKind(t, err, cloud.Denied)
	if got != (cloud.Credential{ID: testAccessKey}) {
		t.Errorf("told %+v though it was refused", got)
	}
	cfg := s.cfg
	cfg.Values = cfg.With(cloud.Values{"role_arn": "qcs::cam::uin/100000000001:roleName/cloudpw"})
	p := newTestProvider(t, cfg)
	if got, err := p.Credential(t.Context()); err != nil || got != (cloud.Credential{}) {
		t.Errorf("of a role's keys: told %+v, %v", got, err)
	}
	wantFailure(t, p.CheckRotation(), cloud.Refused, "", "role_arn")
}
