package openstack

import (
	"maps"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// partner gives the simulation's connection an agency in a second account, with a project and a server of its own, and changes the
// configuration to work as it.
func (s *simulation) partner(t *testing.T, change func(*model.Agency)) (model.Agency, model.Server) {
	t.Helper()
	account := s.AddAccount(model.Account{Cloud: s.access.cloud, Name: "partner", Regions: []string{testRegion}})
	project := s.AddProject(model.Project{Cloud: s.access.cloud, Name: testProject, AccountID: account.ID, Region: testRegion})
	agency := model.Agency{Cloud: s.access.cloud, Name: "vault", AccountID: account.ID, TrustedAccountID: s.account.ID}
	if change != nil {
		change(&agency)
	}
	agency = s.AddAgency(agency)
	server := s.server(t, func(m *model.Server) { m.AccountID, m.ProjectID, m.KeyName = account.ID, project.ID, "" })
	s.cfg.Values = s.cfg.With(cloud.Values{
		"agency_name": agency.Name, "agency_domain_name": account.Name, "project_id": project.ID, "project_name": "",
	})
	return agency, server
}

// TestSimAgency: an agency of another account opens that account's project, with each kind of credentials; when it is taken away,
// the error says so, and when it is back, the next call works.
func TestSimAgency(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc signed", "huawei token by project name", "otc token by project id",
		"huawei token by project id, auth_url"} {
		t.Run(name, func(t *testing.T) {
			a := accessNamed(t, name)
			s := simulate(t, a, novaapi.Options{})
			if s.cfg.Text(fieldAuthURL) != "" {
				s.cfg.Endpoints[endpointECS] = s.compute.URL
			}
			agency, server := s.partner(t, nil)
			p := s.provider(t, nil)
			found, err := p.FindInstances(t.Context(), nil)
			if err != nil || len(found) != 1 || found[0].ID != server.ID {
				t.Fatalf("found %v, %v", found, err)
			}
			if account, err := p.CloudAccount(t.Context()); err != nil || account != s.cfg.Text(fieldProjectID) {
				t.Errorf("the account is %s, %v", account, err)
			}
			got := verdicts(t, p)
			for _, action := range []string{permissionList, permissionShow, permissionAssume} {
				if got[action].Verdict != cloud.PermissionGranted {
					t.Errorf("%s is %+v", action, got[action])
				}
			}
			s.RemoveAgency(a.cloud, agency.ID)
			s.checkError(t, p.Verify(t.Context()), cloud.Denied, "may not assume the agency vault of partner")
			s.AddAgency(agency)
			if err := p.Verify(t.Context()); err != nil {
				t.Errorf("after the agency is back: %v", err)
			}
			agency.Deny = []string{"ecs:*"}
			s.AddAgency(agency)
			s.checkError(t, p.Verify(t.Context()), cloud.Denied, permissionList)
			agency.Deny, agency.Trusted = nil, []string{"somebody"}
			s.AddAgency(agency)
			s.checkError(t, s.provider(t, nil).Verify(t.Context()), cloud.Denied, "may not assume the agency")
		})
	}
}

// TestSimRotationUnderAnAgency: rotate-root replaces the user's own key, with which the agency is assumed.
func TestSimRotationUnderAnAgency(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc signed"} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			s.partner(t, nil)
			before := s.provider(t, nil)
			if ids, inUse := ownIDs(t, before); !slices.Equal(ids, []string{s.key.ID}) || inUse != s.key.ID {
				t.Errorf("own keys are %v, in use %s", ids, inUse)
			}
			made, err := before.CreateCredential(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after := s.provider(t, use(made))
			if err := after.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := after.DeleteCredential(t.Context(), s.key.ID); err != nil {
				t.Fatal(err)
			}
			if ids, inUse := ownIDs(t, after); !slices.Equal(ids, []string{idOf(made)}) || inUse != idOf(made) {
				t.Errorf("own keys are %v, in use %s", ids, inUse)
			}
			if told, err := after.Credential(t.Context()); err != nil || told.ID != idOf(made) || told.Created.IsZero() {
				t.Errorf("told %+v, %v", told, err)
			}
			s.checkError(t, s.provider(t, nil).Verify(t.Context()), cloud.Denied, "access_key")
		})
	}
}

// TestSimTemporaryKeyHasNoSuccessor: and when it has ended, the error says what to write.
func TestSimTemporaryKeyHasNoSuccessor(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc signed"} {
		s := simulate(t, accessNamed(t, name), novaapi.Options{})
		k := s.TemporaryKey(s.user, time.Hour)
		p := s.provider(t, use(cloud.Values{"access_key": k.ID, "secret_key": k.Secret, "security_token": k.Token}))
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := p.CreateCredential(t.Context())
		s.checkError(t, err, cloud.Refused, "security_token")
		if got := verdicts(t, p); got[permissionList].Verdict != cloud.PermissionGranted ||
			got["GET /v3.0/OS-CREDENTIAL/credentials"].Verdict != "" {
			t.Errorf("permissions are %+v", got)
		}
		k.Expires = time.Now().Add(-time.Second)
		s.AddAccessKey(k)
		s.checkError(t, p.Verify(t.Context()), cloud.Denied, "write a new access_key, secret_key and security_token")
	}
}

// TestSimMetadata: the keys of the simulated server's metadata work, alone and to assume an agency, and not once its agency is gone.
func TestSimMetadata(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc signed"} {
		for _, assume := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := simulate(t, accessNamed(t, name), novaapi.Options{})
				f := s.access.family
				own := s.AddAgency(model.Agency{Cloud: s.access.cloud, Name: "servers", AccountID: s.account.ID})
				if assume {
					s.partner(t, nil)
				}
				metadata := httptest.NewServer(novaapi.Metadata(novaapi.MetadataOptions{World: s.World, Agency: &own, RequireToken: true}))
				t.Cleanup(metadata.Close)
				for _, variable := range []string{f.variables.access, f.variables.secret, f.variables.token} {
					t.Setenv(variable, "")
				}
				cfg := s.cfg
				cfg.Endpoints = maps.Clone(cfg.Endpoints)
				cfg.Values = cfg.With(ofServer).With(cloud.Values{"access_key": "", "secret_key": ""})
				p, err := newProviderIn(f, cfg, f.ambientAt(metadata.URL+"/", netip.MustParsePrefix("127.0.0.0/8")))
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := p.Verify(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := p.OwnCredentials(t.Context()); cloud.KindOf(err) != cloud.Refused {
					t.Errorf("own credentials: %v", err)
				}
				s.RemoveAgency(s.access.cloud, own.ID)
				want := "ambient credentials of the Vault server"
				if assume {
					p, err = newProviderIn(f, cfg, f.ambientAt(metadata.URL+"/", netip.MustParsePrefix("127.0.0.0/8")))
					if err != nil {
						t.Fatal(err)
					}
				}
				s.checkError(t, p.Verify(t.Context()), cloud.Denied, want)
			})
		}
	}
}
