package openstack

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// TestPlainRefusals: what goes wrong with a Keystone and a Nova of one's own ends in the next command.
func TestPlainRefusals(t *testing.T) {
	for _, test := range []struct {
		name, access string
		prepare      func(*simulation)
		change       func(*cloud.Config)
		kind         cloud.Kind
		texts        []string
	}{
		{"wrong password", "openstack user", nil, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"password": "wrong-password"}) },
			cloud.Denied,
			[]string{"check username, password", "openstack role assignment list"}},
		{"unknown project", "openstack user", nil, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": "nowhere"}) },
			cloud.Denied, []string{"project_name"}},
		{"unknown domain", "openstack user", nil, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"user_domain_name": "nowhere"}) },
			cloud.Denied, []string{"user_domain_name"}},
		{"wrong secret", "openstack application credential", nil, func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"application_credential_secret": "wrong-secret"})
		}, cloud.Denied,
			[]string{"openstack application credential show ", "openstack application credential create --unrestricted"}},
		{"unknown application credential", "openstack application credential", nil,
			func(c *cloud.Config) { c.Values = c.With(cloud.Values{"application_credential_id": "0123"}) }, cloud.Denied,
			[]string{"openstack application credential show 0123"}},
		{"ended application credential", "openstack application credential", func(s *simulation) {
			s.app.Expires = time.Now().Add(-time.Minute)
			s.AddAppCredential(s.app)
		}, nil, cloud.Denied, []string{"it has ended"}},
		{"another project's id", "openstack application credential", nil,
			func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_id": "abc"}) }, cloud.Refused,
			[]string{"project_id is not the project"}},
		{"another region", "openstack user", nil, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"region": "RegionTwo"}) }, cloud.Refused,
			[]string{"region RegionTwo", "one of: eu-de", "endpoints.compute"}},
		{"project in the endpoint", "openstack user", nil, func(c *cloud.Config) {
			c.Endpoints = map[string]string{endpointCompute: c.Endpoints["x"] + "/v2.1/0123456789abcdef"}
		}, cloud.Denied, []string{"check project_id"}},
		{"policy", "openstack user", func(s *simulation) { s.deny("ListServers") }, nil, cloud.Denied,
			[]string{"os_compute_api:servers:index", "openstack role add", "read check/"}},
		{"role of an application credential", "openstack application credential", func(s *simulation) {
			s.app.Roles = []string{"member"}
			s.AddAppCredential(s.app)
		}, nil, cloud.Denied,
			[]string{"os_compute_api:servers:index", "openstack application credential create --unrestricted --role member --role reader"}},
		{"no such path", "openstack user", nil, func(c *cloud.Config) {
			c.Endpoints = map[string]string{endpointCompute: c.Endpoints["x"] + "/elsewhere"}
		}, cloud.Refused, []string{"endpoints.compute"}},
		{"no Keystone", "openstack user", nil, func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"auth_url": c.Text(fieldAuthURL) + "/elsewhere"})
		}, cloud.Refused, []string{"auth_url"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, test.access), novaapi.Options{})
			if test.prepare != nil {
				test.prepare(s)
			}
			p := s.provider(t, func(c *cloud.Config) {
				c.Endpoints["x"] = s.compute.URL
				if test.change != nil {
					test.change(c)
				}
				delete(c.Endpoints, "x")
			})
			err := p.Verify(context.Background())
			for _, text := range test.texts {
				s.checkError(t, err, test.kind, text)
			}
			if err != nil && strings.Contains(err.Error(), "endpoints.ecs") {
				t.Errorf("the error names a field that openstack lacks: %v", err)
			}
		})
	}
}

// TestDeletedApplicationCredential: Keystone answers 404 to the tokens of one that was deleted, which is no wrong
// address, and no sign that what is to be deleted is gone.
func TestDeletedApplicationCredential(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	p := s.provider(t, nil)
	made, err := p.CreateCredential(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := s.provider(t, func(c *cloud.Config) {
		c.Values = c.With(made)
	})
	if err := other.DeleteCredential(t.Context(), s.app.ID); err != nil {
		t.Fatal(err)
	}
	const way = "openstack application credential create --unrestricted"
	_, err = p.OwnCredentials(t.Context())
	s.checkError(t, err, cloud.Denied, way)
	s.checkError(t, p.DeleteCredential(t.Context(), made["application_credential_id"]), cloud.Denied, way)
	s.checkError(t, p.rotator.remove(t.Context(), made["application_credential_id"]), cloud.Denied, way)
	s.checkError(t, p.Verify(t.Context()), cloud.Denied, way)
	if err := other.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAccessRules: what an application credential's access rules leave out is a missing permission, and not more.
func TestAccessRules(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	server := s.server(t, func(m *model.Server) { m.Metadata = map[string]string{"os_admin_user": "Admin"} })
	s.app.AccessRules = []model.AccessRule{{Service: "compute", Method: "GET", Path: "/v2.1/servers/" + server.ID}}
	s.AddAppCredential(s.app)
	p := s.provider(t, nil)
	got := verdicts(t, p)
	for action, want := range map[string]cloud.Verdict{
		policies[actionList]: cloud.PermissionDenied, policies[actionKeypair]: cloud.PermissionDenied,
		policies[actionPassword]: cloud.PermissionUnknown,
	} {
		if got[action].Verdict != want || want == cloud.PermissionDenied && !strings.Contains(got[action].Policy, "access rules") {
			t.Errorf("%s: %+v, want %s", action, got[action], want)
		}
	}
	if got := got[policies[actionShow]]; !strings.Contains(got.Policy, "--role member --role reader") {
		t.Errorf("got %+v", got)
	}
	// The image cannot be asked for, so the server's metadata count.
	prepare := p.Resetter(cloud.MethodAPI).(cloud.ResetPreparer).PrepareReset
	user, err := prepare(t.Context(), cloud.Reset{InstanceIDs: []string{server.ID}, Username: "Admin"})
	if err != nil || user != "Admin" {
		t.Errorf("got %q, %v", user, err)
	}
	_, err = p.InitialPassword(t.Context(), server.ID)
	s.checkError(t, err, cloud.Denied, "access rules")
}

func TestServerOfAnotherProject(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	foreign := s.AddProject(model.Project{Cloud: s.access.cloud, Name: "other", AccountID: s.account.ID, Region: testRegion})
	server := s.server(t, func(m *model.Server) { m.ProjectID = foreign.ID })
	_, err := s.provider(t, nil).InitialPassword(context.Background(), server.ID)
	s.checkError(t, err, cloud.NotFound, "needs a connection for that project; see: openstack server show "+server.ID)
}

func TestMissingPolicy(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack user"), novaapi.Options{})
	server := s.server(t, nil)
	s.deny("ShowServerPassword", "DeleteServerPassword", "ShowServer")
	p := s.provider(t, nil)
	ctx := context.Background()
	s.checkError(t, p.CheckInitialPassword(ctx, server.ID), cloud.Denied, "os_compute_api:os-server-password:show")
	s.checkError(t, p.ClearInitialPassword(ctx, server.ID), cloud.Denied, "os_compute_api:os-server-password:clear")
	_, err := p.DescribeInstances(ctx, []string{server.ID})
	s.checkError(t, err, cloud.Denied, "os_compute_api:servers:show")
}

// TestRevokedTokenIsRenewed: a token that ends before its time costs one more login and no error; one
// that Nova never takes is not asked for again and again.
func TestRevokedTokenIsRenewed(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	p := s.provider(t, nil)
	ctx := context.Background()
	if err := p.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	s.cloud.RevokeTokens()
	if err := p.Verify(ctx); err != nil {
		t.Errorf("after a revocation: %v", err)
	}
	s.fault(t, model.Fault{Kind: model.FaultRefuse, Action: actionVerify, Status: 401, Code: "unauthorized", Message: "no"})
	s.checkError(t, p.Verify(ctx), cloud.Denied, "openstack catalog show compute")
	if n := s.requests(actionToken); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
}

// TestApplicationCredentialBody: Keystone refuses a scope beside an application credential.
func TestApplicationCredentialBody(t *testing.T) {
	i := &identity{life: time.Hour, project: "p1", header: true}
	cfg := applicationConfig(func(c *cloud.Config) {
		c.HTTPClient, c.Limiter, c.RequestTimeout = &http.Client{Transport: i}, cloud.Unlimited{}, requestTimeout
		c.Endpoints = map[string]string{endpointCompute: "https://nova.example.com"}
	})
	p, err := newProvider(plainOpenStack(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, p.sessions, "token-1"); got.endpoint != "https://nova.example.com/v2.1/p1/" {
		t.Errorf("endpoint is %s", got.endpoint)
	}
	var body struct {
		Auth struct {
			Identity struct {
				Methods    []string
				Credential struct{ ID, Secret string } `json:"application_credential"`
			}
			Scope any
		}
	}
	if err := json.Unmarshal([]byte(i.bodies[0]), &body); err != nil {
		t.Fatal(err)
	}
	got := body.Auth.Identity
	if len(got.Methods) != 1 || got.Methods[0] != "application_credential" || got.Credential.ID != cfg.Text(fieldApplicationCredentialID) ||
		got.Credential.Secret != cfg.Text(fieldApplicationCredentialSecret) || body.Auth.Scope != nil {
		t.Errorf("sent %s", i.bodies[0])
	}
}
