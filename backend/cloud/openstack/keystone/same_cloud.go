package keystone

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A token opens the cloud whose Keystone made it. Its catalogue says where the services are, and is believed as
// long as it points to the same cloud: a token must not be carried to another one, whatever an answer says.

// SameCloud reports whether a service's URL, as the catalogue has it, belongs to the cloud of an identity service. The
// domains are those of the cloud's own services, if it has such.
func SameCloud(domains []string, identity, service string) bool {
	from, to := HostOf(identity), HostOf(service)
	switch {
	case from == "" || to == "":
		return false
	case from == to:
		return true
	case Within(domains, from):
		return Within(domains, to)
	}
	fromIP, toIP := addressOf(from), addressOf(to)
	if fromIP.IsValid() || toIP.IsValid() {
		// Addresses tell nothing of whom they belong to, but those of a private network are not another cloud's.
		return fromIP.IsLoopback() && toIP.IsLoopback() || fromIP.IsPrivate() && toIP.IsPrivate()
	}
	return domainOf(from) == domainOf(to)
}

// Within reports whether a host is in one of the domains.
func Within(domains []string, host string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) })
}

// HostOf is the host of a URL in one spelling, "" if it has none.
func HostOf(raw string) string {
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
