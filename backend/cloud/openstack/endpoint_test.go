package openstack

import (
	"fmt"
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
