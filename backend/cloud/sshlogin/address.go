package sshlogin

import (
	"net/netip"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// longestName is that of a host in DNS, in characters (RFC 1035, section 2.3.4, as people write it).
	longestName = 253
	// shownName is how much of a bad one a message shows.
	shownName = 60
)

// nameForm takes names of hosts, also those with underscores, which some networks have.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// badAddress says why nothing is sent to an address; "" if it may be.
func badAddress(address string, listed bool) string {
	out := "; set check_address of the role to one that the server has"
	if listed {
		out = "; write another address to hosts/"
	}
	if address == "" {
		return "the cloud tells no address of the server of the kind that check_address of the role names, as of one that is stopped" + out
	}
	ip, err := netip.ParseAddr(address)
	if err != nil && (len(address) > longestName || !nameForm.MatchString(address)) || ip.Zone() != "" {
		return "the server's address " + text.Name(address, shownName) + " is neither an IP address nor the name of a host" + out
	}
	host := address
	if ip.Is6() {
		host = "[" + address + "]"
	}
	if err := cloud.ValidateURL("its address", "https://"+host); err != nil {
		return "nothing is sent to the server: " + err.Error() + out
	}
	return ""
}
