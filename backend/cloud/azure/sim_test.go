package azure

import (
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	clouds "github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// inSimulator is a connection to the simulator's Azure, with its client secret.
func inSimulator(t *testing.T) (cloud.Config, *cloudsim.Sim, cloudsim.Credentials) {
	t.Helper()
	sim := cloudsim.Start(t, cloudsim.Options{})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	of := seeded[clouds.Azure]
	cfg := testConfig(t, "")
	cfg.Values = cloud.Values{"tenant_id": of.TenantID, "client_id": of.ClientID, "client_secret": of.ClientSecret,
		"subscription_id": of.SubscriptionID}
	cfg.Endpoints = map[string]string{"arm": sim.URL(clouds.Azure, "arm"), "login": sim.URL(clouds.Azure, "login")}
	return cfg, sim, of
}

func TestSimulatedMachines(t *testing.T) {
	cfg, sim, of := inSimulator(t)
	p := newTestProvider(t, cfg)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := p.FindInstances(t.Context(), map[string]string{"app": "demo"})
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, i := range found {
		if i.ID != of.Servers[i.Name] || i.State != cloud.StateRunning || i.LoginUser == "" || i.PrivateIP == "" || i.LaunchTime.IsZero() ||
			i.Platform == "" || i.Tags["app"] != "demo" || p.ValidateInstanceID(i.ID) != nil {
			t.Errorf("%+v", i)
		}
	}
	if none, err := p.FindInstances(t.Context(), map[string]string{"app": "other"}); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	// Both ways to describe tell the same.
	ids := []string{of.Servers["linux-1"], of.Servers["windows-1"]}
	each, err := p.describeEach(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := p.describeListed(t.Context(), ids)
	if err != nil || len(listed) != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	slices.SortFunc(each, cloud.CompareInstances)
	for n := range listed {
		if !sameInstance(listed[n], each[n]) || !sameInstance(listed[n], found[n]) {
			t.Errorf("%+v\n%+v\n%+v", listed[n], each[n], found[n])
		}
	}
	if err := sim.World().SetState(ids[0], clouds.StateStopped); err != nil {
		t.Fatal(err)
	}
	if got, err := p.DescribeInstances(t.Context(), ids[:1]); err != nil || got[0].State != cloud.StateStopped {
		t.Errorf("%+v, %v", got, err)
	}
	if err := sim.World().Remove(ids[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := p.DescribeInstances(t.Context(), ids); err != nil || len(got) != 1 || got[0].ID != ids[1] {
		t.Errorf("%+v, %v", got, err)
	}
}

func sameInstance(a, b cloud.Instance) bool {
	if len(a.Tags) != len(b.Tags) || !a.HasTags(b.Tags) {
		return false
	}
	return a.ID == b.ID && a.Name == b.Name && a.State == b.State && a.CloudState == b.CloudState && a.Platform == b.Platform &&
		a.OSName == b.OSName && a.LoginUser == b.LoginUser && a.PrivateIP == b.PrivateIP && a.LaunchTime.Equal(b.LaunchTime)
}

// A token that the cloud takes back before its end costs one call.
func TestSimulatedTokens(t *testing.T) {
	cfg, sim, of := inSimulator(t)
	p := newTestProvider(t, cfg)
	for range 3 {
		if err := p.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.limiter.(*contract.CountLimiter).Count("token"); n != 1 {
		t.Errorf("%d tokens", n)
	}
	sim.RevokeTokens(clouds.Azure)
	if e := cloud.AsError(p.Verify(t.Context())); e == nil || e.Kind != cloud.Denied || e.RequestID == "" {
		t.Errorf("%v", e)
	}
	if err := p.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	for field, code := range map[string]string{"client_secret": "AADSTS7000215", "client_id": "AADSTS700016", "tenant_id": "AADSTS90002"} {
		wrong := cfg
		wrong.Values = cfg.With(cloud.Values{field: strings.Replace(testOtherID, "9a", "1b", 1)})
		err := newTestProvider(t, wrong).Verify(t.Context())
		if cloud.KindOf(err) != cloud.Denied || cloud.CodeOf(err) != code || strings.Contains(err.Error(), of.ClientSecret) {
			t.Errorf("%s: %v", field, err)
		}
	}
	wrong := cfg
	wrong.Values = cfg.With(cloud.Values{"subscription_id": testOtherID})
	if err := newTestProvider(t, wrong).Verify(t.Context()); cloud.CodeOf(err) != "SubscriptionNotFound" || cloud.KindOf(err) != cloud.Denied {
		t.Error(err)
	}
}

// What the simulator's roles deny is what the check finds, and nothing else.
func TestSimulatedPermissions(t *testing.T) {
	all := []string{permitVirtualMachines, permitInstanceView, permitRunCommandsRead, permitRunCommandsWrite, permitRunCommandsDelete,
		permitInterfaces}
	for _, denied := range append([]string{""}, all...) {
		cfg, sim, of := inSimulator(t)
		if denied != "" {
			if known, err := sim.World().Deny(clouds.Azure, of.ClientID, []string{"arm:" + denied}); !known || err != nil {
				t.Fatal(known, err)
			}
		}
		permissions, err := newTestProvider(t, cfg).CheckPermissions(t.Context())
		if err != nil || len(permissions) != len(all) {
			t.Fatalf("%s: %v", denied, err)
		}
		for _, one := range permissions {
			want := cloud.PermissionGranted
			if one.Action == denied {
				want = cloud.PermissionDenied
			}
			if one.Verdict != want {
				t.Errorf("without %q: %s is %s: %s", denied, one.Action, one.Verdict, one.Message)
			}
		}
	}
}
