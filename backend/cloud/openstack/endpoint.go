package openstack

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
)

// computeBase is the compute endpoint up to and including its version, without a final slash. An
// endpoint that already names a version keeps it. It is "" where only the catalogue knows.
func (f family) computeBase(cfg cloud.Config) string {
	base := cfg.Endpoints[f.computeKey]
	if base == "" && f.computeURL != nil {
		base = f.computeURL(cfg.Text(cloud.Region))
	}
	base = strings.TrimRight(base, "/")
	if version, _ := keystone.VersionOf(base); base == "" || version != "" {
		return base
	}
	return base + "/v2.1"
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
	if keystone.LastSegment(base) == "v3" {
		return base
	}
	return base + "/v3"
}

// asksCatalogue reports whether Keystone's catalogue says where compute is: where an operator names the
// identity service and not the compute service. Else both are the cloud's own, by region.
func (f family) asksCatalogue(cfg cloud.Config) bool {
	switch {
	case cfg.Endpoints[f.computeKey] != "":
		return false
	case f.computeURL == nil || cfg.Text(fieldAuthURL) != "":
		return true
	}
	return f.identityKey != "" && cfg.Endpoints[f.identityKey] != ""
}

// cocBase is COC's endpoint without a version; "" where there is none, and where the connection's own endpoints name other services and
// not this one: nothing that is signed, and no token, goes to a host that nobody meant.
func (f family) cocBase(cfg cloud.Config) string {
	base := cfg.Endpoints[endpointCOC]
	switch {
	case f.cocURL == nil, f.mayNotAskCOC(cfg):
		return ""
	case base == "":
		base = f.cocURL(cfg.Text(cloud.Region))
	}
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1")
}

// mayNotAskCOC reports whether COC is none that the connection's requests may go to; see cloud.EndpointMissing. An auth_url of the
// cloud's own is no endpoint of somebody else's.
func (f family) mayNotAskCOC(cfg cloud.Config) bool {
	if cloud.EndpointMissing(cfg.Endpoints, f.computeKey, endpointCOC) || cloud.EndpointMissing(cfg.Endpoints, f.identityKey, endpointCOC) {
		return true
	}
	auth := cfg.Text(fieldAuthURL)
	return cfg.Endpoints[endpointCOC] == "" && auth != "" && !keystone.Within(f.domains, keystone.HostOf(auth))
}

// tokenBase is the compute endpoint for requests with a token, like computeBase; "" where the catalogue knows.
func (f family) tokenBase(cfg cloud.Config) string {
	if f.asksCatalogue(cfg) {
		return ""
	}
	return f.computeBase(cfg)
}

// ownBase is the cloud's own compute endpoint, where the identity service is the cloud's own, too: there it does
// for a catalogue without one. Else it is "".
func (f family) ownBase(cfg cloud.Config) string {
	if f.computeURL == nil || !keystone.Within(f.domains, keystone.HostOf(f.identityBase(cfg))) {
		return ""
	}
	return f.computeBase(cfg)
}

// sameCloud reports whether a service's URL, as the catalogue has it, belongs to the cloud of an identity service.
func (f family) sameCloud(identity, service string) bool {
	return keystone.SameCloud(f.domains, identity, service)
}
