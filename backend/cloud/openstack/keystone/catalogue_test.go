package keystone

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func catalogOf(t *testing.T, text string) tokens.ServiceCatalog {
	t.Helper()
	var catalog tokens.ServiceCatalog
	if err := json.Unmarshal([]byte(text), &catalog); err != nil {
		t.Fatal(err)
	}
	return catalog
}

func TestCatalogue(t *testing.T) {
	const two = `{"catalog":[
		{"type":"image","endpoints":[{"interface":"public","region":"One","url":"https://glance.example"}]},
		{"type":"compute","endpoints":[
			{"interface":"internal","region":"One","region_id":"One","url":"http://10.0.0.1:8774/v2.1"},
			{"interface":"public","region":"One","region_id":"One","url":"https://one.example/v2.1"},
			{"interface":"public","region":"Two","url":"https://two.example/compute/v2.1/p1"}]}]}`
	for _, test := range []struct {
		name, catalog, region, want, refused string
	}{
		{"region", two, "One", "https://one.example/v2.1/", ""},
		{"region without an id, project in the path", two, "Two", "https://two.example/compute/v2.1/p1/", ""},
		{"no region among several", two, "", "", "one of: One, Two"},
		{"unknown region", two, "Three", "", "one of: One, Two"},
		{"no region needed",
			`{"catalog":[{"type":"compute","endpoints":[{"interface":"public","region_id":"One","url":"https://one.example:8774/"}]}]}`, "",
			"https://one.example:8774/v2.1/p1/", ""},
		{"no compute service", `{"catalog":[]}`, "One", "", "openstack catalog show compute"},
		{"internal only", `{"catalog":[{"type":"compute","endpoints":[{"interface":"internal","region_id":"One","url":"https://one.example"}]}]}`,
			"One", "", "no public compute endpoint"},
		{"without TLS", `{"catalog":[{"type":"compute","endpoints":[{"interface":"public","region_id":"One","url":"http://one.example/v2.1"}]}]}`,
			"One", "", "set endpoints.compute"},
		{"metadata service",
			`{"catalog":[{"type":"compute","endpoints":[{"interface":"public","region_id":"One","url":"https://169.254.169.254/v2.1"}]}]}`, "One",
			"", "link-local"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ComputeEndpoint(catalogOf(t, test.catalog), "compute", test.region, "p1")
			if got != test.want {
				t.Errorf("endpoint is %q, want %q: %v", got, test.want, err)
			}
			if test.refused != "" && (cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), test.refused)) {
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}
