package openstack

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// rotating are the ways in whose credential can be replaced.
var rotating = []string{"huawei signed", "otc signed", "otc signed, v2", "openstack application credential"}

// use replaces the credential of a configuration.
func use(made cloud.Values) func(*cloud.Config) {
	return func(c *cloud.Config) {
		c.Values = c.With(made)
	}
}

// idOf is the id of a credential that was made.
func idOf(made cloud.Values) string { return made["access_key"] + made["application_credential_id"] }

// used is the credential that the simulation's configuration has.
func (s *simulation) used() string { return s.key.ID + s.app.ID }

func ownIDs(t *testing.T, p *provider) (ids []string, inUse string) {
	t.Helper()
	all, err := p.OwnCredentials(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		ids = append(ids, c.ID)
		if c.InUse {
			inUse += c.ID
		}
	}
	return ids, inUse
}

// TestRotation goes the whole way of a rotation, one step after the other.
func TestRotation(t *testing.T) {
	for _, name := range rotating {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			ctx := context.Background()
			before := s.provider(t, nil)
			if ids, inUse := ownIDs(t, before); !slices.Equal(ids, []string{s.used()}) || inUse != s.used() {
				t.Errorf("own credentials are %v, in use %q, want %q", ids, inUse, s.used())
			}
			made, err := before.CreateCredential(ctx)
			if err != nil {
				t.Fatal(err)
			}
			after := s.provider(t, use(made))
			if err := after.Verify(ctx); err != nil {
				t.Fatalf("the new credential does not work: %v", err)
			}
			if err := before.Verify(ctx); err != nil {
				t.Fatalf("the old credential does not work any more: %v", err)
			}
			if ids, inUse := ownIDs(t, after); len(ids) != 2 || inUse != idOf(made) {
				t.Errorf("own credentials are %v, in use %q, want %q", ids, inUse, idOf(made))
			}
			for range 2 {
				if err := after.DeleteCredential(ctx, s.used()); err != nil {
					t.Errorf("DeleteCredential: %v", err)
				}
			}
			if ids, _ := ownIDs(t, after); !slices.Equal(ids, []string{idOf(made)}) {
				t.Errorf("left are %v", ids)
			}
			s.checkError(t, s.provider(t, nil).Verify(ctx), cloud.Denied, "")
			if again, err := after.CreateCredential(ctx); err != nil || idOf(again) == idOf(made) {
				t.Errorf("the new credential cannot be replaced in its turn: %v", err)
			}

			logged := map[string]int{}
			for _, entry := range s.Log(0) {
				logged[entry.Action]++
			}
			if name != rotating[3] { // the signature of a deleted key is refused before it is logged
				logged[actionVerify]++
			}
			if waits := s.limiter.counts(); !maps.Equal(waits, logged) {
				t.Errorf("the limiter saw %v, the cloud %v", waits, logged)
			}
		})
	}
}

func TestOwnAccessKeysHaveTheirAge(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	all, err := s.provider(t, nil).OwnCredentials(context.Background())
	if err != nil || len(all) != 1 || all[0].Created.Sub(s.key.Created).Abs() > time.Second {
		t.Errorf("got %+v, %v; made %s", all, err, s.key.Created)
	}
}

// TestRotationWidensNothing: a new application credential has the limits of the old one.
func TestRotationWidensNothing(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	s.app.Expires = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	s.app.AccessRules = []model.AccessRule{{ID: "rule-1", Service: "compute", Method: "GET", Path: "/v2.1/**"}}
	s.AddAppCredential(s.app)
	made, err := s.provider(t, nil).CreateCredential(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := s.AppCredential(idOf(made))
	if !got.Expires.Equal(s.app.Expires) || len(got.AccessRules) != 1 || got.AccessRules[0].Path != "/v2.1/**" ||
		!got.Unrestricted || got.ProjectID != s.project.ID || !strings.HasPrefix(got.Name, "cloudpw-") {
		t.Errorf("made %+v from %+v", got, s.app)
	}
}

func TestApplicationCredentialFromAPassword(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack user"), novaapi.Options{})
	p := s.provider(t, nil)
	ctx := context.Background()
	if ids, inUse := ownIDs(t, p); len(ids) != 1 || inUse != "" {
		t.Errorf("own credentials are %v, in use %q", ids, inUse)
	}
	made, err := p.CreateCredential(ctx)
	if err != nil {
		t.Fatal(err)
	}
	q := s.provider(t, func(c *cloud.Config) {
		c.Values = c.With(cloud.Values{"username": "", "password": "", "user_domain_name": "", "project_name": ""})
		use(made)(c)
	})
	if err := q.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func TestOnlyOwnApplicationCredentialsAreDeleted(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack application credential"), novaapi.Options{})
	p := s.provider(t, nil)
	ctx := context.Background()
	project := s.AddProject(model.Project{Cloud: s.access.cloud, Name: "other", AccountID: s.account.ID, Region: testRegion})
	elsewhere := s.AddAppCredential(model.AppCredential{Name: "elsewhere", Secret: "x", UserID: s.user.ID, ProjectID: project.ID})
	stranger := s.AddUser(model.User{Cloud: s.access.cloud, Name: "stranger", AccountID: s.account.ID})
	foreign := s.AddAppCredential(model.AppCredential{Name: "foreign", Secret: "x", UserID: stranger.ID, ProjectID: s.project.ID})
	for _, id := range []string{elsewhere.ID, foreign.ID, "unknown"} {
		if err := p.DeleteCredential(ctx, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	s.checkError(t, p.DeleteCredential(ctx, "../"+s.app.ID), cloud.Refused, "credential id")
	if n := s.requests(actionDeleteApplication); n != 0 {
		t.Errorf("%d deletions were sent", n)
	}
}

func TestRotationRefused(t *testing.T) {
	for _, test := range []struct {
		name, access string
		prepare      func(*simulation)
		kind         cloud.Kind
		text         string
	}{
		{"two access keys, Huawei", "huawei signed", func(s *simulation) {
			s.AddAccessKey(model.AccessKey{Cloud: s.access.cloud, ID: "SECONDKEY", AccountID: s.account.ID, UserID: s.user.ID})
		}, cloud.Refused, "Access Keys: SECONDKEY"},
		{"two access keys, OTC", "otc signed", func(s *simulation) {
			s.AddAccessKey(model.AccessKey{Cloud: s.access.cloud, ID: "SECONDKEY", AccountID: s.account.ID, UserID: s.user.ID})
		}, cloud.Refused, reasonKeyLimit},
		{"access keys managed by the administrator", "huawei signed", func(s *simulation) { s.deny(actionCreateKey) }, cloud.Denied,
			"Access Key Management"},
		{"restricted application credential", "openstack application credential", func(s *simulation) {
			s.app.Unrestricted = false
			s.AddAppCredential(s.app)
		}, cloud.Refused, "openstack application credential create --unrestricted"},
		{"policy of Keystone", "openstack application credential", func(s *simulation) { s.deny(actionCreateApplication) },
			cloud.Denied, "identity:create_application_credential"},
		{"user and password on OTC", "otc token by project name", nil, cloud.Refused, "username and password"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, test.access), novaapi.Options{})
			if test.prepare != nil {
				test.prepare(s)
			}
			_, err := s.provider(t, nil).CreateCredential(context.Background())
			s.checkError(t, err, test.kind, test.text)
		})
	}
}

// TestRestrictedSinceTheToken: Keystone's own refusal says the same as the look at the token.
func TestRestrictedSinceTheToken(t *testing.T) {
	refused := refusal(403,
		`{"error":{"code":403,"title":"Forbidden","message":"You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials.."}}`, nil)
	e := translate(call{action: actionDeleteApplication, identity: true, plain: true, permission: policies[actionDeleteApplication]}, refused,
		nil)
	if e.Kind != cloud.Denied || !strings.Contains(e.Message, hintRestricted) {
		t.Errorf("got %q: %v", e.Kind, e)
	}
}

// TestLostAnswerLeavesAKnownOrphan: an unclear creation is Unknown, and what it left is listed.
func TestLostAnswerLeavesAKnownOrphan(t *testing.T) {
	for name, action := range map[string]string{"huawei signed": actionCreateKey,
		"openstack application credential": actionCreateApplication} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			p := s.provider(t, nil)
			s.fault(t, model.Fault{Kind: model.FaultDropAfter, Action: action, Count: 1})
			_, err := p.CreateCredential(context.Background())
			s.checkError(t, err, cloud.Unknown, "no answer")
			ids, inUse := ownIDs(t, p)
			if len(ids) != 2 || inUse != s.used() {
				t.Fatalf("own credentials are %v, in use %q", ids, inUse)
			}
			for _, id := range ids {
				if id == s.used() {
					continue
				}
				if err := p.DeleteCredential(context.Background(), id); err != nil {
					t.Error(err)
				}
			}
			if ids, _ := ownIDs(t, p); !slices.Equal(ids, []string{s.used()}) {
				t.Errorf("left are %v", ids)
			}
		})
	}
}

// TestDeletedMeanwhile: the answer "not found" to a deletion of a listed credential is success.
func TestDeletedMeanwhile(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc signed"), novaapi.Options{})
	s.fault(t, model.Fault{Kind: model.FaultRefuse, Action: actionDeleteKey, Status: 404, Code: "404", Message: "gone"})
	if err := s.provider(t, nil).DeleteCredential(context.Background(), s.key.ID); err != nil {
		t.Error(err)
	}
}

func TestDomainOfAnAccessKey(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*testing.T, *simulation)
		kind    cloud.Kind
		text    string
	}{
		{"shown", func(*testing.T, *simulation) {}, "", ""},
		{"not shown", func(_ *testing.T, s *simulation) { s.deny(actionDomains) }, "", ""},
		{"outage", func(t *testing.T, s *simulation) {
			s.fault(t, model.Fault{Kind: model.FaultServerError, Action: actionDomains})
		}, cloud.Unknown, "request id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, "otc signed"), novaapi.Options{})
			test.prepare(t, s)
			p := s.provider(t, nil)
			for range 2 {
				_, err := p.OwnCredentials(context.Background())
				s.checkError(t, err, test.kind, test.text)
			}
			if n := s.requests(actionDomains); test.name == "shown" && n != 1 {
				t.Errorf("the domain was asked for %d times", n)
			}
		})
	}
}

// TestTemporaryAccessKey: IAM lists permanent keys only, so the user cannot be found.
func TestTemporaryAccessKey(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	p := s.provider(t, nil)
	p.rotator.(*accessKeys).used = "TEMPORARY"
	_, err := p.CreateCredential(context.Background())
	s.checkError(t, err, cloud.Refused, "permanent")
	if n := s.requests(actionCreateKey); n != 0 {
		t.Errorf("%d keys were asked for", n)
	}
}

// What the clouds tell of the credential in use: of keys when they were made, of passwords and application credentials when they end.
func TestCredential(t *testing.T) {
	made, ends := time.Date(2024, 3, 1, 12, 30, 15, 0, time.UTC), time.Now().Add(20*24*time.Hour).UTC().Truncate(time.Second)
	for _, test := range []struct {
		access  string
		prepare func(*simulation)
		want    func(*simulation) cloud.Credential
		rotates bool
		deny    string // what to forbid
	}{
		{"huawei signed", func(s *simulation) { s.key.Created = made; s.AddAccessKey(s.key) },
			func(s *simulation) cloud.Credential { return cloud.Credential{ID: s.key.ID, Created: made} }, true, actionListKeys},
		{"otc signed", func(s *simulation) { s.key.Created = made; s.AddAccessKey(s.key) },
			func(s *simulation) cloud.Credential { return cloud.Credential{ID: s.key.ID, Created: made} }, true, actionListKeys},
		{"otc token by project name", func(s *simulation) { s.user.PasswordExpires = ends; s.AddUser(s.user) },
			func(*simulation) cloud.Credential { return cloud.Credential{ID: testUser, Expires: ends} }, false, ""},
		{"openstack user", func(s *simulation) { s.user.PasswordExpires = ends; s.AddUser(s.user) },
			func(*simulation) cloud.Credential { return cloud.Credential{ID: testUser, Expires: ends} }, true, ""},
		{"openstack user", func(*simulation) {},
			func(*simulation) cloud.Credential { return cloud.Credential{ID: testUser} }, true, ""},
		{"openstack application credential", func(s *simulation) { s.app.Expires = ends; s.AddAppCredential(s.app) },
			func(s *simulation) cloud.Credential { return cloud.Credential{ID: s.app.ID, Expires: ends} }, true, actionShowApplication},
		{"openstack application credential", func(s *simulation) { s.app.Unrestricted = false; s.AddAppCredential(s.app) },
			func(s *simulation) cloud.Credential { return cloud.Credential{ID: s.app.ID} }, true, ""},
	} {
		t.Run(test.access, func(t *testing.T) {
			s := simulate(t, accessNamed(t, test.access), novaapi.Options{})
			test.prepare(s)
			p := s.provider(t, nil)
			if got, err := p.Credential(t.Context()); err != nil || got != test.want(s) {
				t.Errorf("told %+v, %v; want %+v", got, err, test.want(s))
			}
			if err := p.CheckRotation(); (err == nil) != test.rotates {
				t.Errorf("rotation: %v", err)
			}
			if test.deny == "" {
				return
			}
			s.deny(test.deny)
			got, err := p.Credential(t.Context())
			s.checkError(t, err, cloud.Denied, "")
			if got != (cloud.Credential{ID: s.used()}) {
				t.Errorf("told %+v though it was refused", got)
			}
		})
	}
}

// A password that has ended opens nothing, and the error says why.
func TestExpiredPassword(t *testing.T) {
	s := simulate(t, accessNamed(t, "openstack user"), novaapi.Options{})
	s.user.PasswordExpires = time.Now().Add(-time.Minute)
	s.AddUser(s.user)
	s.checkError(t, s.provider(t, nil).Verify(t.Context()), cloud.Denied, "password")
}
