package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestSimulatedRotateKey(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	w, old := s.sim.World(), newTestProvider(t, s.cfg)
	made, err := old.CreateCredential(t.Context())
	if err != nil || made["access_key"] == "" || made["access_key"] == s.creds.AccessKey || made["secret_key"] == "" {
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
	wantFailure(t, err, cloud.Refused, "LimitExceeded", "2 access keys already", "aws iam delete-access-key --access-key-id "+
		s.creds.AccessKey)
	if strings.Contains(err.Error(), made["access_key"]) {
		t.Errorf("the error offers the key in use: %v", err)
	}

	wantFailure(t, next.DeleteCredential(t.Context(), made["access_key"]), cloud.Refused, "", "the one that this connection uses")
	wantFailure(t, next.DeleteCredential(t.Context(), "a&b"), cloud.Refused, "", "not an access key id")
	for range 2 { // deleting what is gone succeeds
		if err := next.DeleteCredential(t.Context(), s.creds.AccessKey); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := w.AccessKey(model.AWS, s.creds.AccessKey); there {
		t.Error("the old key is still there")
	}
	if asked, passed := s.requests(), s.limiter.passed(); !slices.Equal(asked, passed) {
		t.Errorf("requests %v, but the limiter was waited for as %v", asked, passed)
	}
}

// An answer that was lost may have left a key behind, and the error says how to look.
func TestSimulatedRotateLostAnswer(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	if _, err := s.sim.World().AddFault(model.Fault{Kind: model.FaultDropAfter, Action: "CreateAccessKey", Count: 1}); err != nil {
		t.Fatal(err)
	}
	p := newTestProvider(t, s.cfg)
	_, err := p.CreateCredential(t.Context())
	wantFailure(t, err, cloud.Unknown, "", "may have made an access key", "list-access-keys")
	own, err := p.OwnCredentials(t.Context())
	if err != nil || len(own) != 2 {
		t.Errorf("%+v, %v; want the key in use and the orphan", own, err)
	}
}

func TestSimulatedRotateRefusals(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	w := s.sim.World()
	root := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: s.creds.AccountID})
	limited := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: s.creds.AccountID, UserID: s.creds.UserID, Deny: []string{"iam:*"}})
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		kind   cloud.Kind
		code   string
		text   string
	}{
		"role": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"role_arn": s.creds.RoleARN, "external_id": s.creds.ExternalID})
		}, cloud.Refused, "", "role_arn: "},
		"ambient": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": "", "secret_key": "", "use_ambient_credentials": "true"})
		}, cloud.Refused, "", "use_ambient_credentials: "},
		"root": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": root.ID, "secret_key": root.Secret})
		}, cloud.Refused, "", "root user"},
		"no permission": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": limited.ID, "secret_key": limited.Secret})
		}, cloud.Denied, "AccessDenied", "iam:"},
		"wrong secret": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey)}) }, cloud.Denied,
			"SignatureDoesNotMatch", "secret_key"},
		"own ec2 only": {func(c *cloud.Config) { c.Endpoints = map[string]string{"ec2": c.Endpoints["ec2"]} }, cloud.Refused, "",
			"endpoints.sts: "},
		"no own iam": {func(c *cloud.Config) {
			c.Endpoints = map[string]string{"ec2": c.Endpoints["ec2"], "sts": c.Endpoints["sts"]}
		}, cloud.Refused, "", "endpoints.iam: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.cfg
			c.change(&cfg)
			p := newTestProvider(t, cfg)
			_, listErr := p.OwnCredentials(t.Context())
			_, createErr := p.CreateCredential(t.Context())
			for _, err := range []error{listErr, createErr, p.DeleteCredential(t.Context(), "AKIAI44QH8DHBEXAMPLE")} {
				wantFailure(t, err, c.kind, c.code, c.text)
			}
			if keys := w.AccessKeys(model.AWS, s.creds.UserID); len(keys) != 2 {
				t.Errorf("%d keys, want the seeded and the limited one", len(keys))
			}
		})
	}
}

// What IAM tells of the key in use; and of keys that it tells nothing of, nothing is asked.
func TestSimulatedCredential(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{NoServers: true})
	w := s.sim.World()
	made := time.Date(2024, 3, 1, 12, 30, 15, 0, time.UTC)
	user, _ := w.AccessKey(model.AWS, s.creds.AccessKey)
	old := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: user.AccountID, UserID: user.UserID, Created: made})
	cfg := s.cfg
	cfg.Values = cfg.With(cloud.Values{"access_key": old.ID, "secret_key": old.Secret})
	p := newTestProvider(t, cfg)
	if got, err := p.Credential(t.Context()); err != nil || got != (cloud.Credential{ID: old.ID, Created: made}) {
		t.Errorf("told %+v, %v", got, err)
	}
	if err := p.CheckRotation(); err != nil {
		t.Error(err)
	}
	old.Deny = []string{"iam:*"}
	w.AddAccessKey(old)
	got, err := p.Credential(t.Context())
	wantFailure(t, err, cloud.Denied, "AccessDenied", "iam:ListAccessKeys")
	if got != (cloud.Credential{ID: old.ID}) {
		t.Errorf("told %+v though it was refused", got)
	}
	asked := len(s.requests())
	cfg.Values = cfg.With(cloud.Values{"role_arn": s.creds.RoleARN, "external_id": s.creds.ExternalID})
	p = newTestProvider(t, cfg)
	if got, err := p.Credential(t.Context()); err != nil || got != (cloud.Credential{}) || len(s.requests()) != asked {
		t.Errorf("of a role's keys: told %+v, %v, %d requests", got, err, len(s.requests())-asked)
	}
	wantFailure(t, p.CheckRotation(), cloud.Refused, "", "role_arn")
}
