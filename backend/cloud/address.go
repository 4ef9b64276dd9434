package cloud

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// LoopbackHTTPVariable is the variable in the environment of the Vault server, or of the plugin alone, that
// allows plain http to loopback addresses. It is for simulators and tests. Without it, whoever may write a
// connection could send requests to services of Vault's own machine, which often trust what comes from there.
const LoopbackHTTPVariable = "CLOUDPW_ALLOW_LOOPBACK_HTTP"

// loopbackHTTPAllowed is read at each use, so that a test may set it.
func loopbackHTTPAllowed() bool {
	allowed, err := strconv.ParseBool(os.Getenv(LoopbackHTTPVariable))
	return err == nil && allowed
}

// ErrPlainHTTP is the refusal of a URL that is not encrypted, errLoopbackHTTP that of one to this machine.
var (
	ErrPlainHTTP    = errors.New("plain http is allowed to loopback addresses only; use https")
	errLoopbackHTTP = fmt.Errorf(
		"plain http to a loopback address is refused, since it reaches services of the machine that Vault runs on; use https, "+
			"or, where only tests run, start the Vault server with %s=true in its environment", LoopbackHTTPVariable)
)

// errRefusedAddress is the refusal of an address like 169.254.169.254: a connection's endpoint must not be
// usable to read a metadata service with somebody else's network position.
var errRefusedAddress = errors.New("link-local addresses are refused, and so are those of clouds' metadata services")

// errUnspecifiedAddress is the refusal of 0.0.0.0 and ::, which for connections mean the machine that makes them.
var errUnspecifiedAddress error = unspecifiedAddressError{}

type unspecifiedAddressError struct{}

func (unspecifiedAddressError) Error() string {
	return "0.0.0.0 and :: are refused: they name no server, and stand for the machine that Vault runs on; give the service's own address " +
		"or name"
}

func (unspecifiedAddressError) Is(target error) bool { return target == errRefusedAddress }

// refusalOf says why an address is refused.
func refusalOf(ip netip.Addr) error {
	if ip.Unmap().IsUnspecified() {
		return errUnspecifiedAddress
	}
	return errRefusedAddress
}

// metadataServices are the clouds' services for their own servers at addresses that are not link-local: they
// take whoever asks for the server that Vault runs on.
var metadataServices = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS: metadata at ::254, pod identity at ::23
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure's WireServer
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud over IPv6
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway over IPv6
}

// refusedAddress reports whether nothing that a connection configures may be sent to an address: link-local
// ones, those of metadata services, and the unspecified one, which means this machine. It looks through the
// ways in which IPv6 writes an IPv4 address.
func refusedAddress(ip netip.Addr) bool {
	if refusedItself(ip) {
		return true
	}
	inner, ok := embedded(ip)
	return ok && refusedItself(inner)
}

func refusedItself(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast() || ip.IsUnspecified() ||
		slices.ContainsFunc(metadataServices, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Prefixes of IPv6 addresses that stand for an IPv4 address in their last four bytes: IPv4-compatible,
// IPv4-translated (RFC 2765), and the two of NAT64 (RFC 6052, RFC 8215). sixToFour has it in bytes 2 to 5.
var (
	lastFour = []netip.Prefix{
		netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"),
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	}
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// embedded is the IPv4 address that an IPv6 address stands for.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	ip = ip.WithZone("")
	if !ip.Is6() || ip.Is4In6() || ip.IsLoopback() || ip.IsUnspecified() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case slices.ContainsFunc(lastFour, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

// addressOf reads a host as an address, also in the forms that resolvers of the C library, and proxies,
// understand (inet_aton: one to four numbers, decimal, octal or hexadecimal) and with a final dot. number
// tells that the host is written as a number at all, whatever it means: no name of a host ends in one.
func addressOf(host string) (ip netip.Addr, number bool) {
	bare := strings.TrimSuffix(host, ".")
	if ip, err := netip.ParseAddr(bare); err == nil {
		return ip, true
	}
	parts := strings.Split(bare, ".")
	if last := parts[len(parts)-1]; !isNumber(last) {
		return netip.Addr{}, false
	}
	if len(parts) > 4 {
		return netip.Addr{}, true
	}
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 64)
		if !isNumber(part) || err != nil {
			return netip.Addr{}, true
		}
		limit, shift := uint64(1)<<8, 8*(3-i)
		if i == len(parts)-1 { // it fills what is left
			limit, shift = uint64(1)<<(8*(5-len(parts))), 0
		}
		if n >= limit {
			return netip.Addr{}, true
		}
		value |= n << shift
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// isNumber reports whether a label of a host is a number: digits, or 0x and hexadecimal ones.
func isNumber(label string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// ValidateURL checks a URL that an operator configures (endpoints, auth_url), or that a cloud's catalogue
// names: https, or, where the environment allows it, http to a literal loopback address or "localhost" only; a
// host; no user, query or fragment; no refused address, see refusedAddress. field names it in the error.
func ValidateURL(field, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return fmt.Errorf("%s: %q is not a URL such as https://ecs.example.com", field, redactURL(raw))
	}
	if u.User != nil {
		return fmt.Errorf("%s: a URL with a user name or password in it is refused; use the credential fields", field)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return fmt.Errorf("%s: a URL with a query or fragment is refused", field)
	}
	if err := checkTarget(u); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

var (
	errScheme     = errors.New("the scheme must be https")
	errNumberHost = errors.New("write an address in its usual form, such as 192.0.2.7 or [2001:db8::7], or a name")
)

// CheckHost refuses a name or an IP address to which nothing is sent, as ValidateURL does within a URL. An IPv6 address has no brackets.
func CheckHost(host string) error {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return checkTarget(&url.URL{Scheme: "https", Host: host})
}

// checkTarget checks scheme and host of a URL, when it is configured and again before each request. Names are
// looked at once more when they are resolved, see dialTo; through a proxy that is the proxy's to do.
func checkTarget(u *url.URL) error {
	host := u.Hostname()
	if err := checkPort(u); err != nil {
		return err
	}
	ip, number := addressOf(fullStops.Replace(host))
	if ip.IsValid() && refusedAddress(ip) {
		if u.Scheme == "http" && ip.Unmap().IsUnspecified() {
			return ErrPlainHTTP
		}
		return refusalOf(ip)
	}
	usual, err := netip.ParseAddr(host)
	switch u.Scheme {
	case "https":
		if number && err != nil {
			return errNumberHost
		}
		return nil
	case "http":
		if !strings.EqualFold(host, "localhost") && (err != nil || !usual.Unmap().IsLoopback()) {
			return ErrPlainHTTP
		}
		if !loopbackHTTPAllowed() {
			return errLoopbackHTTP
		}
		return nil
	}
	return errScheme
}

// fullStops makes dots of the characters that count as one in a host's name (IDNA, RFC 3490 section 3.1), so that
// 169。254。169。254 is the address that it becomes before it is dialed, or asked of a proxy.
var fullStops = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %.20s does not exist; give one from 1 to 65535, or none for the usual one", port)
	}
	return nil
}

func redactURL(raw string) string {
	if strings.Contains(raw, "@") {
		return "..." + raw[strings.LastIndex(raw, "@"):]
	}
	return raw
}
