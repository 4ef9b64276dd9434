package sshclient

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// maxAddress is the longest name of a host in DNS, in characters (RFC 1035, section 2.3.4, as people write it).
	maxAddress = 253
	// shownAddress is how much of a bad one a message shows.
	shownAddress = 60
)

// ErrNoAddress is that of CheckAddress for what is no address at all. [errors.Is] finds it.
var ErrNoAddress = errors.New("is neither an IP address nor the name of a host")

// nameForm takes names of hosts, also those with underscores, which some networks have.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// CheckAddress refuses what is neither the name of a host nor an IP address, and addresses to which nothing is sent, as
// [cloud.CheckHost] does. An IPv6 address has no brackets. The error names no field. What a name leads to is looked at when it is resolved.
func CheckAddress(address string) error {
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil && (len(address) > maxAddress || !nameForm.MatchString(address)):
		return fmt.Errorf("%q %w", text.Name(address, shownAddress), ErrNoAddress)
	case ip.Zone() != "":
		return fmt.Errorf("%q has a zone, which means something on one machine only; give the address without it",
			text.Name(address, shownAddress))
	}
	return cloud.CheckHost(address)
}
