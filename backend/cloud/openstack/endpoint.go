package openstack

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// lastSegment returns the last path segment of a URL, "" if it has none.
func lastSegment(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if last := path.Base(u.Path); last != "/" && last != "." {
		return last
	}
	return ""
}

// versionOf returns the version at the end of a compute URL, and whether a project follows it. It is
// "" for a URL without a version.
func versionOf(raw string) (version string, project bool) {
	raw = strings.TrimRight(raw, "/")
	last := lastSegment(raw)
	if versionForm.MatchString(last) {
		return last, false
	}
	before := lastSegment(strings.TrimSuffix(raw, "/"+last))
	if last != "" && versionForm.MatchString(before) {
		return before, true
	}
	return "", false
}

// computeBase is the compute endpoint up to and including its version, without a final slash. An
// endpoint that already names a version keeps it. It is "" where only the catalogue knows.
func (f family) computeBase(cfg cloud.Config) string {
	base := cfg.Endpoints[f.computeKey]
	if base == "" && f.computeURL != nil {
		base = f.computeURL(cfg.Text(cloud.Region))
	}
	base = strings.TrimRight(base, "/")
	if version, _ := versionOf(base); base == "" || version != "" {
		return base
	}
	return base + "/v2.1"
}

// withProject completes a compute endpoint to the URL that resources hang below. Every Nova takes the
// project in the path; only newer ones (microversion 2.18) do without it.
func withProject(base, projectID string) string {
	if _, named := versionOf(base); named {
		return base + "/"
	}
	return base + "/" + projectID + "/"
}

// identityBase is the identity endpoint, ending in /v3 without a final slash. auth_url goes before
// endpoints.iam.
func (f family) identityBase(cfg cloud.Config) string {
	base := cfg.Text(fieldAuthURL)
	if base == "" && f.identityKey != "" {
		base = cfg.Endpoints[f.identityKey]
	}
	if base == "" && f.identityURL != nil {
		base = f.identityURL(cfg.Text(cloud.Region))
	}
	base = strings.TrimRight(base, "/")
	if lastSegment(base) == "v3" {
		return base
	}
	return base + "/v3"
}

// versioned completes an endpoint of the catalogue without a version, and gives it a final slash.
func versioned(base, version string) string {
	base = strings.TrimRight(base, "/")
	if have, _ := versionOf(base); have != "" {
		return base + "/"
	}
	return base + "/" + version + "/"
}

// serviceCompute is the type of Nova's entry in a catalogue.
const serviceCompute = "compute"

// publicEndpoint is the interface of the endpoints that clients outside the cloud's own network use.
const publicEndpoint = "public"

// hasCompute reports whether a catalogue has a compute endpoint for clients outside, in any region.
func hasCompute(catalog tokens.ServiceCatalog) bool {
	for _, entry := range catalog.Entries {
		for _, e := range entry.Endpoints {
			if entry.Type == serviceCompute && e.Interface == publicEndpoint {
				return true
			}
		}
	}
	return false
}

// catalogued finds the compute endpoint of a region in Keystone's catalogue. Without a region there
// must be one only. The URL is used as the catalogue gives it, with or without a project, except that
// one without a version gets one.
func catalogued(catalog tokens.ServiceCatalog, key, region, projectID string) (string, error) {
	regions := map[string]bool{} // a catalogue may have very many
	found := ""
	for _, entry := range catalog.Entries {
		if entry.Type != serviceCompute {
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
			"show compute; or set endpoints.%s", actionToken, key)
	case region == "" && len(regions) > 1:
		return "", cloud.Errorf(cloud.Refused, "%s: the catalogue has compute endpoints in several regions; set region to one of: %s",
			actionToken, known())
	case found == "":
		return "", cloud.Errorf(cloud.Refused, "%s: the catalogue has no public compute endpoint in region %s; set region to one of: %s; or "+
			"set endpoints.%s", actionToken, region, known(), key)
	}
	// The catalogue comes from the cloud, but the token goes where it points: the same rules as for
	// a URL that an operator configures.
	if err := cloud.ValidateURL("the catalogue's compute endpoint", found); err != nil {
		return "", cloud.Errorf(cloud.Refused, "%s: %v; set endpoints.%s to an https URL of the compute service", actionToken, err, key)
	}
	found = strings.TrimRight(found, "/")
	if version, _ := versionOf(found); version == "" {
		return withProject(found+"/v2.1", projectID), nil
	}
	return found + "/", nil
}
