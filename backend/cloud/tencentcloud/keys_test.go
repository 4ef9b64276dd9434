package tencentcloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// role adds a role and returns the configuration of a connection that works as it.
func (s *simulated) role(role model.Role) (model.Role, cloud.Config) {
	role.Cloud, role.AccountID = model.TencentCloud, "100000000001"
	role = s.world.AddRole(role)
	cfg := s.cfg
	cfg.Values = cfg.With(cloud.Values{"role_arn": role.ARN, "external_id": role.ExternalID})
	return role, cfg
}

// signers are the SecretIds that signed requests of an action, in order.
func (s *simulated) signers(action string) []string {
	var out []string
	for _, e := range s.world.Log(0) {
		if e.Action == action {
			out = append(out, e.AccessKey)
		}
	}
	return out
}

// asked are the actions that the simulator was asked for.
func (s *simulated) asked() []string {
	var out []string
	for _, e := range s.world.Log(0) {
		out = append(out, e.Action)
	}
	return out
}

func wantFailure(t *testing.T, err error, kind cloud.Kind, code string, texts ...string) {
	t.Helper()
	e := errorOfKind(t, err, kind)
	if e.Code != code {
		t.Errorf("code %q, want %q: %v", e.Code, code, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not hold %q", err, text)
		}
	}
}

func TestSimRoleSessionIsAssumedOnce(t *testing.T) {
	s := newSimulated(t, model.Options{})
	id := s.add(t, model.Server{Platform: model.Linux, State: model.StateStopped})
	role, cfg := s.role(model.Role{Name: "cloudpw", ExternalID: "vault"})
	p := newTestProvider(t, cfg)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, secret := s.fresh(t, id)
	if _, err := p.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id}}); err != nil {
		t.Fatal(err)
	}
	if got := s.signers("AssumeRole"); !slices.Equal(got, []string{testAccessKey}) {
		t.Errorf("AssumeRole was signed by %v", got)
	}
	for _, id := range append(s.signers("ResetInstancesPassword"), s.signers("GetCallerIdentity")...) {
		if key, _ := s.world.AccessKey(model.TencentCloud, id); key.RoleARN != role.ARN || key.SessionName != "cloudpw" {
			t.Errorf("a request was signed by %s, the key of role %q, session %q", id, key.RoleARN, key.SessionName)
		}
	}
	if n := cfg.Limiter.(*contract.CountLimiter).Count("AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole through the limiter", n)
	}
}

// A session that the cloud ended before its time is replaced, not reported for ever.
func TestSimRoleSessionIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*simulated, string)
		code string
	}{
		"expired": {func(s *simulated, id string) {
			key, _ := s.world.AccessKey(model.TencentCloud, id)
			key.Expires = time.Now().Add(-time.Minute)
			s.world.AddAccessKey(key)
		}, "AuthFailure.TokenFailure"},
		"revoked": {func(s *simulated, id string) { s.world.DeleteAccessKey(model.TencentCloud, id) }, "AuthFailure.SecretIdNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{})
			role, cfg := s.role(model.Role{Name: "cloudpw"})
			p := newTestProvider(t, cfg)
			if err := p.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			session, err := p.source.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.end(s, session.keys.id)
			err = p.Verify(t.Context())
			wantFailure(t, err, cloud.Denied, c.code, "the role "+role.ARN)
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, session.keys.secret) || strings.Contains(text, session.keys.token) {
				t.Errorf("the error holds a secret: %s", text)
			}
			if err := p.Verify(t.Context()); err != nil {
				t.Errorf("with a new session: %v", err)
			}
		})
	}
}

func TestSimRoleRefusals(t *testing.T) {
	s := newSimulated(t, model.Options{})
	_, asked := s.role(model.Role{Name: "asking", ExternalID: "vault"})
	_, untrusting := s.role(model.Role{Name: "untrusting", Trusted: []string{"200000000009"}})
	powerlessRole, powerless := s.role(model.Role{Name: "powerless", Deny: []string{"cvm:*"}})
	limited := s.world.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: "100000000001", UserID: "200000000001",
		Deny: []string{"sts:AssumeRole"}})
	for name, c := range map[string]struct {
		cfg    cloud.Config
		change func(*cloud.Config)
		code   string
		texts  []string
	}{
		"wrong external id": {asked, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": "guess"}) }, "UnauthorizedOperation",
			[]string{"the user of access_key may not assume", "compare external_id"}},
		"no external id": {asked, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"external_id": ""}) }, "UnauthorizedOperation",
			[]string{"set external_id"}},
		"untrusting role": {untrusting, nil, "UnauthorizedOperation", []string{"let the role trust"}},
		// Never "not found": that would be taken for news about the instance.
		"unknown role": {asked, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"role_arn": testRole + "-none"}) },
			"ResourceNotFound.RoleNotFound", []string{"check role_arn"}},
		"no permission": {asked, func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"access_key": limited.ID, "secret_key": limited.Secret})
		}, "UnauthorizedOperation", []string{"allow sts:AssumeRole"}},
		"wrong secret": {asked, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "not" + c.Text(cloud.SecretKey)}) },
			"AuthFailure.SignatureFailure", []string{"secret_key"}},
		"powerless": {powerless, nil, "UnauthorizedOperation", []string{"CAM policies of the role " + powerlessRole.ARN,
			"cvm:DescribeInstances"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.cfg)
			}
			p := newTestProvider(t, c.cfg)
			_, err := p.DescribeInstances(t.Context(), []string{"ins-12345678"})
			wantFailure(t, err, cloud.Denied, c.code, c.texts...)
			if _, err := p.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{"ins-12345678"}, Username: "root",
				Password: testPassword}); cloud.KindOf(err) != cloud.Denied {
				t.Errorf("reset: %v", err)
			}
		})
	}
}

// Whatever becomes of AssumeRole, the reset that needed the session was not sent, and the error says so.
func TestSimRoleFaultsLeaveNoAttemptOpen(t *testing.T) {
	for name, c := range map[string]struct {
		fault model.FaultKind
		kind  cloud.Kind
		code  string
	}{
		"answer lost":    {model.FaultDropAfter, cloud.Unavailable, ""},
		"internal error": {model.FaultServerError, cloud.Unavailable, "InternalError"},
		"throttled":      {model.FaultThrottle, cloud.Throttled, "RequestLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{})
			id := s.add(t, model.Server{Platform: model.Linux, State: model.StateStopped})
			_, cfg := s.role(model.Role{Name: "cloudpw"})
			s.fault(t, model.Fault{Kind: c.fault, Action: "AssumeRole", Count: 1})
			p := newTestProvider(t, cfg)
			reset := cloud.Reset{InstanceIDs: []string{id}, Username: "root", Password: "Abcdef12345678.-"}
			_, err := p.StartReset(t.Context(), reset)
			wantFailure(t, err, c.kind, c.code, "sts AssumeRole")
			if got := s.asked(); !slices.Equal(got, []string{"AssumeRole"}) {
				t.Errorf("requests %v", got)
			}
			if _, err := p.StartReset(t.Context(), reset); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A session that is about to end is not used, and an answer without a session is not believed.
func TestRoleAnswers(t *testing.T) {
	session := func(life time.Duration, drop ...string) map[string]any {
		credentials := map[string]any{"TmpSecretId": testAccessKey, "TmpSecretKey": testSecretKey, "Token": "t"}
		answer := map[string]any{"Credentials": credentials, "ExpiredTime": time.Now().Add(life).Unix()}
		for _, name := range drop {
			delete(credentials, name)
			delete(answer, name)
		}
		return answer
	}
	for name, c := range map[string]struct {
		answer  map[string]any
		assumed int
		kind    cloud.Kind
	}{
		"two hours":      {session(2 * time.Hour), 1, ""},
		"a moment":       {session(10 * time.Second), 3, ""},
		"no credentials": {session(time.Hour, "Credentials"), 1, cloud.Unavailable},
		"no token":       {session(time.Hour, "Token"), 1, cloud.Unavailable},
		"no end":         {session(time.Hour, "ExpiredTime"), 1, cloud.Unavailable},
		"nothing":        {map[string]any{}, 1, cloud.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, action string, body map[string]any) {
				if action == "DescribeInstances" {
					reply(w, map[string]any{"TotalCount": 0, "InstanceSet": []any{}})
					return
				}
				if body["RoleArn"] != testRole || body["RoleSessionName"] != "cloudpw" || body["DurationSeconds"] != float64(7200) ||
					body["ExternalId"] != "vault" {
					t.Errorf("%s %v", action, body)
				}
				reply(w, c.answer)
			})
			cfg := testConfig(t, f.URL)
			cfg.Endpoints["sts"], cfg.Values = f.URL, cfg.With(cloud.Values{"role_arn": testRole, "external_id": "vault"})
			p := newTestProvider(t, cfg)
			for range 3 {
				if _, err := p.FindInstances(t.Context(), nil); cloud.KindOf(err) != c.kind {
					t.Fatalf("kind %q, want %q: %v", cloud.KindOf(err), c.kind, err)
				} else if err != nil {
					break
				}
			}
			assumed := 0
			for _, r := range f.seen() {
				if r.action == "AssumeRole" {
					assumed++
				} else if r.header.Get("X-TC-Token") != "t" {
					t.Errorf("%s without the session's token", r.action)
				}
			}
			if assumed != c.assumed {
				t.Errorf("assumed %d times, want %d", assumed, c.assumed)
			}
		})
	}
}

// instance is a metadata service of an instance with a role, at the returned URL.
func (s *simulated) instance(t *testing.T, change func(map[string]any)) (url string, key model.AccessKey) {
	t.Helper()
	key = s.world.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: "100000000001", Token: s.world.NewHex(40),
		Expires: time.Now().Add(time.Hour)})
	answer := map[string]any{"Code": "Success", "TmpSecretId": key.ID, "TmpSecretKey": key.Secret, "Token": key.Token,
		"ExpiredTime": key.Expires.Unix()}
	if change != nil {
		change(answer)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			_, _ = w.Write([]byte("instance-role\n"))
		case "/instance-role":
			_, _ = w.Write(text)
		default:
			http.NotFound(w, r)
		}
	}), key
}
