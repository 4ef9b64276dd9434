package host

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// maxAddress is the longest name of a host in DNS, in characters (RFC 1035, section 2.3.4, as people write it).
	maxAddress = 253
	// maxLoginUser is more than any system's user names have.
	maxLoginUser = 64
	maxPort      = 65535
)

// Values of sudo, as those of a connection's field of that name.
const (
	SudoAuto  = "auto"
	SudoNever = "never"
	SudoTTY   = "tty"
)

// nameForm takes names of hosts, also those with underscores, which some networks have.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// checkAddress refuses what is neither the name of a host nor an IP address, and addresses to which nothing is sent.
func checkAddress(address string) error {
	if ip, err := netip.ParseAddr(address); err == nil {
		if ip.Zone() != "" {
			return request.Invalidf("address: %.60q has a zone, which means something on one machine only; give the address without it", address)
		}
		host := address
		if ip.Is6() {
			host = "[" + address + "]"
		}
		return refusedAddress(host)
	}
	if len(address) > maxAddress || !nameForm.MatchString(address) {
		return request.Invalidf("address: %.60q is neither an IP address nor the name of a host; give it alone, such as 192.0.2.7, 2001:db8::7 "+
			"or web-1.example.com: port and login_user are fields of their own", text.Name(address, maxAddress))
	}
	return refusedAddress(address)
}

// refusedAddress refuses those to which a connection may send nothing, link-local ones and metadata services.
func refusedAddress(host string) error {
	if err := cloud.ValidateURL("address", "https://"+host); err != nil {
		return request.Invalidf("%s", err)
	}
	return nil
}

// checkLoginUser refuses what no system has as the name of a user.
func checkLoginUser(name string) error {
	switch {
	case text.Check(name) != nil:
		return request.Invalidf("login_user: must be printable text: %s", text.Check(name))
	case utf8.RuneCountInString(name) > maxLoginUser:
		return request.Invalidf("login_user: longer than %d characters", maxLoginUser)
	case strings.HasPrefix(name, "-") || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsAny(name, `:/@"'`):
		return request.Invalidf("login_user: %q is no name of a user; no blank, and none of : / @ \" ' can be in it, and no - at its begin", name)
	}
	return nil
}
