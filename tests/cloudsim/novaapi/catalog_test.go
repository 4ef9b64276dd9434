package novaapi

import (
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// The vendors' catalogues list another region first, whose compute service refuses the project.
func TestCataloguesListSeveralRegions(t *testing.T) {
	for _, name := range []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud} {
		f := newFixture(t, name, nil)
		server := f.server(t, model.Server{})
		provider, err := openstack.AuthenticatedClient(t.Context(), f.login())
		if err != nil {
			t.Fatal(err)
		}
		first, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{}) // gophercloud then takes the first
		if err != nil || !strings.Contains(first.Endpoint, elsewhere[name]) {
			t.Errorf("%s, without a region: %v", name, err)
		}
		here, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: "eu-de"})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := servers.Get(t.Context(), here, server.ID).Extract(); err != nil || s.ID != server.ID {
			t.Errorf("%s, in its region: %v", name, err)
		}
		there, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: elsewhere[name]})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := servers.Get(t.Context(), there, server.ID).Extract(); !gophercloud.ResponseCodeIs(err, 403) {
			t.Errorf("%s, in another region: %v", name, err)
		}
		get(t, nil, "GET", there.Endpoint+"servers").want(t, 401, "error_code", "APIGW.0301")
	}
}
