package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// withRole is the configuration of a connection that works as the seeded role.
func (s *simulated) withRole(change func(*cloud.Config)) cloud.Config {
	cfg := s.cfg
	cfg.Values = cfg.With(cloud.Values{"role_arn": s.creds.RoleARN, "external_id": s.creds.ExternalID})
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// signers are the access key ids that signed requests of an action, in order.
func (s *simulated) signers(action string) []string {
	var out []string
	for _, e := range s.sim.World().Log(0) {
		if e.Action == action {
			out = append(out, e.AccessKey)
		}
	}
	return out
}

func wantFailure(t *testing.T, err error, kind cloud.Kind, code string, texts ...string) {
	t.Helper()
	var failure *cloud.Error
	if !errors.As(err, &failure) {
		t.Fatalf("error %v is %T, want *cloud.Error of kind %q", err, err, kind)
	}
	if failure.Kind != kind || failure.Code != code {
		t.Errorf("kind %q, code %q, want %q, %q: %v", failure.Kind, failure.Code, kind, code, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not hold %q", err, text)
		}
	}
}

func TestSimulatedRoleSessionIsAssumedOnce(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	p, windows := newTestProvider(t, s.withRole(nil)), s.creds.Servers["windows-1"]
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.InitialPassword(t.Context(), windows); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.signers("AssumeRole"); !slices.Equal(got, []string{s.creds.AccessKey}) {
		t.Errorf("AssumeRole was signed by %v", got)
	}
	for _, id := range append(s.signers("GetPasswordData"), s.signers("GetCallerIdentity")...) {
		key, _ := s.sim.World().AccessKey(model.AWS, id)
		if key.RoleARN != s.creds.RoleARN || key.SessionName != "cloudpw" {
			t.Errorf("a request was signed by %s, the key of role %q, session %q", id, key.RoleARN, key.SessionName)
		}
	}
	if asked, passed := s.requests(), s.limiter.passed(); !slices.Equal(asked, passed) {
		t.Errorf("requests %v, but the limiter was waited for as %v", asked, passed)
	}
}

// A session that the cloud ended before its time is replaced, not reported for ever.
func TestSimulatedRoleSessionIsReplaced(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	w, windows := s.sim.World(), s.creds.Servers["windows-1"]
	for name, c := range map[string]struct {
		end  func(id string)
		code string
		ask  func(*Provider) error
	}{
		"expired": {func(id string) {
			key, _ := w.AccessKey(model.AWS, id)
			key.Expires = time.Now().Add(-time.Minute)
			w.AddAccessKey(key)
		}, "RequestExpired", func(p *Provider) error { _, err := p.InitialPassword(t.Context(), windows); return err }},
		"revoked": {func(id string) { w.DeleteAccessKey(model.AWS, id) }, "AuthFailure",
			func(p *Provider) error { _, err := p.InitialPassword(t.Context(), windows); return err }},
		"expired, STS": {func(id string) {
			key, _ := w.AccessKey(model.AWS, id)
			key.Expires = time.Now().Add(-time.Minute)
			w.AddAccessKey(key)
		}, "ExpiredToken", func(p *Provider) error { return p.Verify(t.Context()) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestProvider(t, s.withRole(nil))
			if err := c.ask(p); err != nil {
				t.Fatal(err)
			}
			session, err := p.keys.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.end(session.AccessKeyID)
			wantFailure(t, c.ask(p), cloud.Denied, c.code, "the role "+s.creds.RoleARN)
			if err := c.ask(p); err != nil {
				t.Errorf("with a new session: %v", err)
			}
		})
	}
}

func TestSimulatedRoleRefusals(t *testing.T) {
	s := startSimulated(t, cloudsim.SeedOptions{})
	w := s.sim.World()
	untrusting := w.AddRole(model.Role{Cloud: model.AWS, AccountID: s.creds.AccountID, Name: "other", Trusted: []string{"AIDAX"}})
	powerless := w.AddRole(model.Role{Cloud: model.AWS, AccountID: s.creds.AccountID, Name: "powerless", Deny: []string{"ec2:*"}})
	limited := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: s.creds.AccountID, UserID: s.creds.UserID,
		Deny: []string{"sts:AssumeRole"}})
	who := "the access key's user may not assume it"
	for name, c := range map[string]struct {
		change func(*cloud.Config)
		code   string
		texts  []string
	}{
		"wrong external id": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": "guess"}) }, "AccessDenied",
			[]string{who, "compare external_id"}},
		"no external id": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": ""}) }, "AccessDenied",
			[]string{who, "set external_id"}},
		"unknown role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole}) }, "AccessDenied",
			[]string{who, "check role_arn", testRole}},
		"untrusting role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": untrusting.ARN}) }, "AccessDenied",
			[]string{who, "trust policy"}},
		"no permission": {func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": limited.ID, "secret_key": limited.Secret})
		}, "AccessDenied", []string{who, "allow sts:AssumeRole"}},
		"wrong secret": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not-" + c.Text(cloud.SecretKey)}) },
			"SignatureDoesNotMatch", []string{"access_key and secret_key"}},
		"powerless role": {func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": powerless.ARN, "external_id": ""}) },
			"UnauthorizedOperation", []string{"IAM policies of the role " + powerless.ARN, "ec2:DescribeInstances"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newTestProvider(t, s.withRole(c.change)).FindInstances(t.Context(), nil)
			wantFailure(t, err, cloud.Denied, c.code, c.texts...)
			if strings.Contains(err.Error(), s.creds.SecretKey) || strings.Contains(err.Error(), limited.Secret) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

// Whatever becomes of AssumeRole, the call that needed the session was not sent, and the error says so.
func TestSimulatedRoleFaultsLeaveNothingSent(t *testing.T) {
	for name, c := range map[string]struct {
		fault model.Fault
		kind  cloud.Kind
		code  string
	}{
		"answer lost":    {model.Fault{Kind: model.FaultDropAfter}, cloud.Unavailable, ""},
		"internal error": {model.Fault{Kind: model.FaultServerError}, cloud.Unavailable, "InternalFailure"},
		"throttled":      {model.Fault{Kind: model.FaultThrottle}, cloud.Throttled, "Throttling"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSimulated(t, cloudsim.SeedOptions{})
			c.fault.Action, c.fault.Count = "AssumeRole", 1
			if _, err := s.sim.World().AddFault(c.fault); err != nil {
				t.Fatal(err)
			}
			p := newTestProvider(t, s.withRole(nil))
			_, err := p.FindInstances(t.Context(), nil)
			wantFailure(t, err, c.kind, c.code, "sts AssumeRole for "+s.creds.RoleARN)
			if got := s.requests(); !slices.Equal(got, []string{"AssumeRole"}) {
				t.Errorf("requests %v", got)
			}
			if _, err := p.FindInstances(t.Context(), nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A session that is about to end is not used, and an answer without a session is not believed.
func TestRoleAnswers(t *testing.T) {
	session := func(life time.Duration) string {
		return fmt.Sprintf("<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"+
			"<SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>",
			testAccessKey, testSecretKey, time.Now().Add(life).UTC().Format(time.RFC3339))
	}
	for name, c := range map[string]struct {
		answer  string
		calls   int
		assumed int
		kind    cloud.Kind
	}{
		"an hour":       {session(time.Hour), 3, 1, ""},
		"a moment":      {session(10 * time.Second), 3, 3, ""},
		"no session":    {"", 2, 2, cloud.Unavailable},
		"no token":      {strings.Replace(session(time.Hour), "<SessionToken>t</SessionToken>", "", 1), 1, 1, cloud.Unavailable},
		"no expiration": {strings.Replace(session(time.Hour), "Expiration", "Other", 2), 1, 1, cloud.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			assumed := 0
			f.on("AssumeRole", func(w http.ResponseWriter, form url.Values) {
				assumed++
				if form.Get("RoleArn") != testRole || form.Get("RoleSessionName") != "cloudpw" || form.Get("DurationSeconds") != "3600" ||
					form.Get("ExternalId") != "vault" {
					t.Errorf("AssumeRole %v", form)
				}
				w.Header().Set("Content-Type", "text/xml")
				fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>%s</AssumeRoleResult></AssumeRoleResponse>`, c.answer)
			})
			f.on("DescribeInstances", func(w http.ResponseWriter, _ url.Values) { answer(w, "DescribeInstances", "<reservationSet/>") })
			cfg := testConfig(t, f.URL)
			cfg.Endpoints[endpointSTS] = f.URL
			cfg.Values = cfg.With(cloud.Values{"role_arn": testRole, "external_id": "vault"})
			p := newTestProvider(t, cfg)
			for range c.calls {
				if _, err := p.FindInstances(context.Background(), nil); cloud.KindOf(err) != c.kind {
					t.Fatalf("kind %q, want %q: %v", cloud.KindOf(err), c.kind, err)
				}
			}
			if assumed != c.assumed {
				t.Errorf("assumed %d times in %d calls, want %d", assumed, c.calls, c.assumed)
			}
		})
	}
}
