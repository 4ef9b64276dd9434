package openstack

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestEndpointsOfEveryRegion derives the endpoints of all regions that the sources of the table list.
func TestEndpointsOfEveryRegion(t *testing.T) {
	data, err := os.ReadFile("testdata/endpoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]family{nameHuawei: huawei(), nameOTC: telekom()}
	rows := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var provider, region, compute, identity string
		if _, err := fmt.Sscan(line, &provider, &region, &compute, &identity); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows[provider]++
		f, cfg := families[provider], cloud.Config{Values: cloud.Values{"region": region}}
		if err := f.region().Check(region); err != nil {
			t.Errorf("%s: %v", region, err)
		}
		if got := f.computeBase(cfg); compute != "-" && got != compute+"/v2.1" {
			t.Errorf("%s: compute is %s, want %s", region, got, compute)
		}
		if got := f.identityBase(cfg); identity != "-" && got != identity+"/v3" {
			t.Errorf("%s: identity is %s, want %s", region, got, identity)
		}
	}
	if rows[nameHuawei] < 30 || rows[nameOTC] != 3 {
		t.Errorf("the table has %v rows", rows)
	}
}

// Where a token goes is decided by who named what: an own endpoint is the place, an own identity service is asked for its catalogue,
// and the cloud's own compute service stands in for a catalogue of the cloud's own alone.
func TestWhoSaysWhereComputeIs(t *testing.T) {
	const (
		private = "https://iam.private.example/v3"
		region  = "https://ecs.eu-de.otc.t-systems.com/v2.1"
		theirs  = "https://iam.eu-de.otc.t-systems.com/v3"
	)
	for name, c := range map[string]struct {
		family    family
		auth      string
		endpoints map[string]string
		identity  string
		catalogue bool
		token     string // "": the catalogue knows
		own       string // "": no other place
	}{
		"by region":    {telekom(), "", nil, theirs, false, region, region},
		"the cloud's":  {telekom(), theirs, nil, theirs, true, "", region},
		"own auth_url": {telekom(), private, nil, private, true, "", ""},
		"own iam":      {telekom(), "", map[string]string{endpointIAM: private}, private, true, "", ""},
		"own ecs": {telekom(), "", map[string]string{endpointECS: "https://e.example/"}, theirs, false, "https://e.example/v2.1",
			"https://e.example/v2.1"},
		"own ecs and iam": {telekom(), "", map[string]string{endpointECS: "https://e.example/v2", endpointIAM: private}, private, false,
			"https://e.example/v2", ""},
		"auth_url before iam": {telekom(), theirs, map[string]string{endpointIAM: private}, theirs, true, "", region},
		"like the cloud's": {telekom(), "https://iam.otc.t-systems.com.example/v3", nil, "https://iam.otc.t-systems.com.example/v3", true, "",
			""},
		"another vendor's": {huawei(), theirs, nil, theirs, true, "", ""},
		"COC says nothing": {huawei(), "", map[string]string{endpointCOC: "https://c.example"}, "https://iam.eu-de.myhuaweicloud.com/v3", false,
			"https://ecs.eu-de.myhuaweicloud.com/v2.1", "https://ecs.eu-de.myhuaweicloud.com/v2.1"},
		"OpenStack": {plainOpenStack(), private, nil, private, true, "", ""},
		"OpenStack, own compute": {plainOpenStack(), private, map[string]string{endpointCompute: "https://n.example"}, private, false,
			"https://n.example/v2.1", ""},
	} {
		cfg := cloud.Config{Values: cloud.Values{"region": "eu-de", "auth_url": c.auth}, Endpoints: maps.Clone(c.endpoints)}
		if got := c.family.identityBase(cfg); got != c.identity {
			t.Errorf("%s: identity is %q, want %q", name, got, c.identity)
		}
		if got := c.family.asksCatalogue(cfg); got != c.catalogue {
			t.Errorf("%s: the catalogue is asked: %t", name, got)
		}
		if got := c.family.tokenBase(cfg); got != c.token {
			t.Errorf("%s: the token goes to %q, want %q", name, got, c.token)
		}
		if got := c.family.ownBase(cfg); got != c.own {
			t.Errorf("%s: the cloud's own is %q, want %q", name, got, c.own)
		}
	}
}
