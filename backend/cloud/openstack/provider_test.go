package openstack

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// unknownID has the form of an instance id and belongs to none.
const unknownID = "00000000-0000-4000-8000-000000000000"

// TestInitialPassword follows one password through its life, over every way in.
func TestInitialPassword(t *testing.T) {
	for _, a := range accesses {
		t.Run(a.name, func(t *testing.T) {
			s := simulate(t, a, novaapi.Options{})
			p := s.provider(t, nil)
			ctx := context.Background()
			if err := p.Verify(ctx); err != nil {
				t.Fatalf("Verify: %v", err)
			}
			server := s.server(t, nil)
			if err := p.CheckInitialPassword(ctx, server.ID); err != nil {
				t.Errorf("CheckInitialPassword before the password is there: %v", err)
			}
			_, err := p.InitialPassword(ctx, server.ID)
			s.checkError(t, err, cloud.NotReady, "5 to 10 minutes")

			s.Advance(readyAfter)
			ciphertext, err := p.InitialPassword(ctx, server.ID)
			if err != nil {
				t.Fatal(err)
			}
			if clear, err := password.DecryptInitial(s.private, ciphertext); err != nil || clear != initialSecret {
				t.Errorf("the ciphertext decrypts to %q, %v", clear, err)
			}
			for range 2 {
				if err := p.ClearInitialPassword(ctx, server.ID); err != nil {
					t.Errorf("ClearInitialPassword: %v", err)
				}
			}
			_, err = p.InitialPassword(ctx, server.ID)
			s.checkError(t, err, cloud.NotReady, "after it was cleared")

			_, err = p.InitialPassword(ctx, unknownID)
			s.checkError(t, err, cloud.NotFound, unknownID)
			s.checkError(t, p.CheckInitialPassword(ctx, unknownID), cloud.NotFound, unknownID)
			s.checkError(t, p.ClearInitialPassword(ctx, unknownID), cloud.NotFound, unknownID)

			logged := map[string]int{}
			for _, entry := range s.Log(0) {
				logged[entry.Action]++
			}
			if waits := s.limiter.counts(); !maps.Equal(waits, logged) {
				t.Errorf("the limiter saw %v, the cloud %v", waits, logged)
			}
		})
	}
}

func TestInvalidIDsAreNotSent(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc signed"), novaapi.Options{})
	p := s.provider(t, nil)
	ctx := context.Background()
	const id = "../../flavors"
	_, err := p.InitialPassword(ctx, id)
	s.checkError(t, err, cloud.Refused, "instance id")
	s.checkError(t, p.CheckInitialPassword(ctx, id), cloud.Refused, "instance id")
	s.checkError(t, p.ClearInitialPassword(ctx, id), cloud.Refused, "instance id")
	_, err = p.DescribeInstances(ctx, []string{unknownID, id})
	s.checkError(t, err, cloud.Refused, "instance id")
	if len(s.Log(0)) != 0 || len(s.limiter.counts()) != 0 {
		t.Errorf("requests were made: %v", s.Log(0))
	}
}

func TestDescribeInstances(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{})
	ctx := context.Background()
	const total = 130
	var ids []string
	for range total {
		ids = append(ids, s.server(t, nil).ID)
	}
	foreign := s.AddProject(model.Project{Cloud: s.access.cloud, Name: "eu-de_other", AccountID: s.account.ID, Region: testRegion})
	other := s.server(t, func(m *model.Server) { m.ProjectID = foreign.ID })

	for _, test := range []struct {
		name         string
		ids          []string
		want         int
		shows, lists int
	}{
		{"none", nil, 0, 0, 0},
		{"few, one by one", ids[:3], 3, 3, 0},
		{"twice the same", []string{ids[0], ids[0]}, 1, 1, 0},
		{"unknown and foreign ones are left out", []string{ids[0], unknownID, other.ID}, 1, 3, 0},
		{"many, from the list", ids, total, 0, 2},
		{"absence is confirmed", append([]string{unknownID}, ids...), total, 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			shows, lists := s.requests(actionShow), s.requests(actionList)
			found, err := s.provider(t, nil).DescribeInstances(ctx, test.ids)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, instance := range found {
				seen[instance.ID] = true
			}
			if len(found) != test.want || len(seen) != test.want || seen[unknownID] || seen[other.ID] {
				t.Errorf("found %d instances, %d different, want %d", len(found), len(seen), test.want)
			}
			shows, lists = s.requests(actionShow)-shows, s.requests(actionList)-lists
			if shows != test.shows || lists != test.lists {
				t.Errorf("%d single and %d list requests, want %d and %d", shows, lists, test.shows, test.lists)
			}
		})
	}

	t.Run("without the permission to list", func(t *testing.T) {
		if ok, err := s.Deny(s.access.cloud, s.key.ID, []string{"ecs:List*"}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		p := s.provider(t, nil)
		found, err := p.DescribeInstances(ctx, ids[:singleLookups+1])
		if err != nil || len(found) != singleLookups+1 {
			t.Errorf("found %d, %v", len(found), err)
		}
		_, err = p.FindInstances(ctx, nil)
		s.checkError(t, err, cloud.Denied, "ecs:servers:list")
		s.checkError(t, p.Verify(ctx), cloud.Denied, "ecs:servers:list")
	})
}

func TestInstanceFields(t *testing.T) {
	for _, a := range accesses {
		t.Run(a.name, func(t *testing.T) {
			s := simulate(t, a, novaapi.Options{})
			server := s.server(t, func(m *model.Server) {
				m.Name, m.PrivateIP, m.PublicIP = "web-1", "192.168.0.3", "80.158.1.2"
				m.Tags = map[string]string{"env": "prod"}
				m.Metadata = map[string]string{"team": "blue"}
			})
			found, err := s.provider(t, nil).DescribeInstances(context.Background(), []string{server.ID})
			if err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
			got := found[0]
			wantPlatform := cloud.Windows
			if a.family.plain && a.name != newestNova {
				wantPlatform = "" // Nova does not tell
			}
			if got.Name != "web-1" || got.Platform != wantPlatform || got.State != cloud.StateRunning || got.CloudState != "ACTIVE" ||
				got.KeyName != "kp 1" || got.PrivateIP != "192.168.0.3" || got.PublicIP != "80.158.1.2" ||
				got.OSName == "" && !a.family.plain || got.Tags["team"] != "blue" {
				t.Errorf("instance is %+v", got)
			}
			if age := got.LaunchTime.Sub(server.Created).Abs(); age > time.Second {
				t.Errorf("launch time is off by %s", age)
			}
			// The /v2 form of the API knows no microversions and so no tags.
			version, _ := keystone.VersionOf(s.access.family.computeBase(s.cfg))
			// On plain OpenStack the simulator shows tags as metadata, too.
			if wantTag := version != "v2" || a.family.plain; (got.Tags["env"] == "prod") != wantTag {
				t.Errorf("tags are %v, want env=prod %v", got.Tags, wantTag)
			}
		})
	}
}

func TestFindInstances(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc token by project name"), novaapi.Options{})
	const total = 250
	for i := range total {
		s.server(t, func(m *model.Server) {
			m.Tags = map[string]string{"env": "test", "number": fmt.Sprint(i)}
			if i%50 == 0 {
				m.Tags["env"], m.Tags["role"] = "prod", "web"
			}
		})
	}
	p := s.provider(t, nil)
	ctx := context.Background()
	for _, test := range []struct {
		name string
		tags map[string]string
		want int
	}{
		{"all", nil, total},
		{"one tag", map[string]string{"env": "prod"}, total / 50},
		{"every tag must match", map[string]string{"env": "prod", "number": "50"}, 1},
		{"the value counts", map[string]string{"env": "pro"}, 0},
		{"unknown tag", map[string]string{"none": ""}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.requests(actionList)
			found, err := p.FindInstances(ctx, test.tags)
			if err != nil || len(found) != test.want {
				t.Errorf("found %d, want %d: %v", len(found), test.want, err)
			}
			if pages := s.requests(actionList) - before; pages != 3 {
				t.Errorf("%d pages were read, want 3", pages)
			}
		})
	}
}

func TestKeyFingerprint(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc signed"), novaapi.Options{})
	p := s.provider(t, nil)
	ctx := context.Background()
	pair, ok := s.KeyPair(s.access.cloud, s.account.ID, testRegion, "kp 1")
	if !ok {
		t.Fatal("the key pair is missing")
	}
	for name, want := range map[string]string{"kp 1": pair.MD5, "unknown": "", "": "", "..": "", "a/b": ""} {
		if got, err := p.KeyFingerprint(ctx, name); err != nil || got != want {
			t.Errorf("KeyFingerprint(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	if ok, err := s.Deny(s.access.cloud, s.key.ID, []string{"ecs:ShowKeypair"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got, err := p.KeyFingerprint(ctx, "kp 1"); err != nil || got != "" {
		t.Errorf("without permission: %q, %v", got, err)
	}
	s.fault(t, model.Fault{Kind: model.FaultServerError, Action: actionKeypair})
	if ok, err := s.Deny(s.access.cloud, s.key.ID, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, err := p.KeyFingerprint(ctx, "kp 1")
	s.checkError(t, err, cloud.Unknown, actionKeypair)
}

func TestWrongCredentials(t *testing.T) {
	for _, test := range []struct {
		name, access string
		change       func(*cloud.Config)
		text         string
	}{
		{"secret key, direct", "huawei signed", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "wrong-secret-key"}) },
			"APIGW.0301"},
		{"secret key, scoped", "otc signed", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "wrong-secret-key"}) },
			"APIGW.0301"},
		{"access key", "huawei signed", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"access_key": "UNKNOWN"}) }, "APIGW.0301"},
		{"dialect", "huawei signed", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"signature_style": signing.Scoped}) },
			"signature_style"},
		{"project of the access key", "otc signed", func(c *cloud.Config) {
			c.Values = c.With(cloud.Values{"project_id": "0123456789abcdef0123456789abcdef"})
		}, "project"},
		{"password", "otc token by project name", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"password": "wrong-password"}) },
			"check username, password"},
		{"user", "otc token by project name", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"username": "nobody"}) },
			"check username, password"},
		{"domain", "otc token by project name", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"user_domain_name": "nowhere"}) },
			"user_domain_name"},
		{"project name", "otc token by project name", func(c *cloud.Config) { c.Values = c.With(cloud.Values{"project_name": "nowhere"}) },
			"CreateToken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, test.access), novaapi.Options{})
			server := s.server(t, nil)
			p := s.provider(t, test.change)
			s.checkError(t, p.Verify(context.Background()), cloud.Denied, test.text)
			_, err := p.InitialPassword(context.Background(), server.ID)
			s.checkError(t, err, cloud.Denied, "")
		})
	}
}

func TestMissingPermission(t *testing.T) {
	for _, name := range []string{"huawei signed", "otc signed"} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, accessNamed(t, name), novaapi.Options{})
			server := s.server(t, nil)
			if ok, err := s.Deny(s.access.cloud, s.key.ID, []string{"ecs:*ServerPassword", "ecs:ShowServer"}); !ok || err != nil {
				t.Fatal(ok, err)
			}
			p := s.provider(t, nil)
			ctx := context.Background()
			s.checkError(t, p.CheckInitialPassword(ctx, server.ID), cloud.Denied, permissionPassword)
			s.checkError(t, p.ClearInitialPassword(ctx, server.ID), cloud.Denied, permissionPassword)
			_, err := p.DescribeInstances(ctx, []string{server.ID})
			s.checkError(t, err, cloud.Denied, permissionShow)
		})
	}
}

func TestLockedAccessKey(t *testing.T) {
	s := simulate(t, accessNamed(t, "huawei signed"), novaapi.Options{LockAfter: 5})
	p := s.provider(t, func(c *cloud.Config) { c.Values = c.With(cloud.Values{"secret_key": "wrong-secret-key"}) })
	for range 6 { // the lock comes after more than five
		s.checkError(t, p.Verify(context.Background()), cloud.Denied, "APIGW.0301")
	}
	s.checkError(t, s.provider(t, nil).Verify(context.Background()), cloud.Denied, "try again in five minutes")
}

func TestTokenIsShared(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc token by project name"), novaapi.Options{})
	server := s.server(t, func(m *model.Server) { m.ReadyAfter = 0 })
	p := s.provider(t, nil)
	read := func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := p.InitialPassword(context.Background(), server.ID); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	read()
	if got := s.requests(actionToken); got != 1 {
		t.Errorf("%d tokens for 20 concurrent calls, want 1", got)
	}
	// Of the calls that meet the revoked token, one fetches the next.
	s.cloud.RevokeTokens()
	read()
	if got := s.requests(actionToken); got != 2 {
		t.Errorf("%d tokens after a revocation, want 2", got)
	}
}

func TestTokenIsRenewedOnce(t *testing.T) {
	s := simulate(t, accessNamed(t, "otc token by project name"), novaapi.Options{})
	p := s.provider(t, nil)
	s.fault(t, model.Fault{
		Kind: model.FaultRefuse, Action: actionVerify, Status: 401, Code: "APIGW.0307", Message: "The token must be updated.",
	})
	s.checkError(t, p.Verify(context.Background()), cloud.Denied, "does not accept the token")
	if tokens, calls := s.requests(actionToken), s.requests(actionVerify); tokens != 2 || calls != 2 {
		t.Errorf("%d tokens and %d calls, want 2 and 2", tokens, calls)
	}
}
