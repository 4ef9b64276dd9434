package openstack

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// A token opens the cloud whose Keystone made it. Its catalogue says where the services are, and is believed as
// long as it points to the same cloud: a token must not be carried to another one, whatever an answer says.

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
	if f.computeURL == nil || !within(f.domains, hostOf(f.identityBase(cfg))) {
		return ""
	}
	return f.computeBase(cfg)
}

// sameCloud reports whether a service's URL, as the catalogue has it, belongs to the cloud of an identity service.
func (f family) sameCloud(identity, service string) bool {
	from, to := hostOf(identity), hostOf(service)
	switch {
	case from == "" || to == "":
		return false
	case from == to:
		return true
	case within(f.domains, from):
		return within(f.domains, to)
	}
	fromIP, toIP := addressOf(from), addressOf(to)
	if fromIP.IsValid() || toIP.IsValid() {
		// Addresses tell nothing of whom they belong to, but those of a private network are not another cloud's.
		return fromIP.IsLoopback() && toIP.IsLoopback() || fromIP.IsPrivate() && toIP.IsPrivate()
	}
	return domainOf(from) == domainOf(to)
}

// within reports whether a host is in one of the domains.
func within(domains []string, host string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) })
}

// hostOf is the host of a URL in one spelling, "" if it has none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

func addressOf(host string) netip.Addr {
	if host == "localhost" {
		return netip.IPv6Loopback()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// domainOf is the registrable domain of a host: what belongs to one owner. Names without a dot are all of the
// network that Vault is in.
func domainOf(host string) string {
	if !strings.Contains(host, ".") {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host // a public suffix itself belongs to nobody else
	}
	return domain
}
