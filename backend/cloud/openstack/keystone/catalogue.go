package keystone

import (
	"maps"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Compute is the type of Nova's entry in a catalogue.
const Compute = "compute"

// publicEndpoint is the interface of the endpoints that clients outside the cloud's own network use.
const publicEndpoint = "public"

// HasCompute reports whether a catalogue has a compute endpoint for clients outside, in any region.
func HasCompute(catalog tokens.ServiceCatalog) bool {
	for _, entry := range catalog.Entries {
		for _, e := range entry.Endpoints {
			if entry.Type == Compute && e.Interface == publicEndpoint {
				return true
			}
		}
	}
	return false
}

// ComputeEndpoint finds the compute endpoint of a region in Keystone's catalogue. Without a region there
// must be one only. The URL is used as the catalogue gives it, with or without a project, except that
// one without a version gets one.
func ComputeEndpoint(catalog tokens.ServiceCatalog, key, region, projectID string) (string, error) {
	regions := map[string]bool{} // a catalogue may have very many
	found := ""
	for _, entry := range catalog.Entries {
		if entry.Type != Compute {
			continue
		}
		for _, e := range entry.Endpoints {
			if e.Interface != publicEndpoint {
				continue
			}
			name := e.RegionID
			if name == "" {
				name = e.Region
			}
			regions[name] = true
			if found == "" && (region == "" || region == name || region == e.Region) {
				found = e.URL
			}
		}
	}
	known := func() string { return text.Line(strings.Join(slices.Sorted(maps.Keys(regions)), ", "), cloud.MaxText) }
	switch {
	case len(regions) == 0:
		return "", cloud.Errorf(cloud.Refused, "%s: the catalogue has no public compute endpoint for this project; see: openstack catalog "+
			"show compute; or set endpoints.%s", CreateToken, key)
	case region == "" && len(regions) > 1:
		return "", cloud.Errorf(cloud.Refused, "%s: the catalogue has compute endpoints in several regions; set region to one of: %s",
			CreateToken, known())
	case found == "":
		return "", cloud.Errorf(cloud.Refused, "%s: the catalogue has no public compute endpoint in region %s; set region to one of: %s; or "+
			"set endpoints.%s", CreateToken, region, known(), key)
	}
	// The catalogue comes from the cloud, but the token goes where it points: the same rules as for
	// a URL that an operator configures.
	if err := cloud.ValidateURL("the catalogue's compute endpoint", found); err != nil {
		return "", cloud.Errorf(cloud.Refused, "%s: %v; set endpoints.%s to an https URL of the compute service", CreateToken, err, key)
	}
	found = strings.TrimRight(found, "/")
	if version, _ := VersionOf(found); version == "" {
		return WithProject(found+"/v2.1", projectID), nil
	}
	return found + "/", nil
}

// ImageEndpoint finds the image service of a region in the catalogue, down to its version and with a
// final slash; "" if there is none that may be used.
func ImageEndpoint(catalog tokens.ServiceCatalog, region string) string {
	for _, entry := range catalog.Entries {
		if entry.Type != "image" {
			continue
		}
		for _, e := range entry.Endpoints {
			if e.Interface != publicEndpoint || region != "" && region != e.RegionID && region != e.Region {
				continue
			}
			if cloud.ValidateURL("the catalogue's image endpoint", e.URL) != nil {
				return ""
			}
			return versioned(e.URL, "v2")
		}
	}
	return ""
}
