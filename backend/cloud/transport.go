package cloud

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ownRefusals are the reasons for which a request is refused here, before anything of it is sent.
var ownRefusals = []error{errUnspecifiedAddress, errRefusedAddress, errStale, ErrPlainHTTP, errLoopbackHTTP, errNumberHost, errScheme}

// NewHTTPClient makes the only HTTP client that providers use. It verifies TLS against the system's
// roots, or against caPEM instead if that is not empty; takes proxies from the environment; refuses
// link-local addresses and those of metadata services, also after name resolution, but for the hosts of
// domains (see Descriptor.LinkLocalDomains); refuses plain http, see ValidateURL; speaks HTTP/1.1, since HTTP/2 may send a request
// again by itself; follows no redirect (a signed request or a
// token must not be carried to another host); and bounds each exchange by timeout.
func NewHTTPClient(caPEM string, timeout time.Duration, domains ...string) (*http.Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if caPEM != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, errors.New("ca_certificate: no PEM certificate found; give one or more blocks that begin with -----BEGIN CERTIFICATE-----")
		}
		tlsConfig.RootCAs = pool
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialTo(domains),
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeader,

		OnProxyConnectResponse: checkProxy,
	}
	return &http.Client{
		Transport: sendGuard{transport},
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}, nil
}

// dialTo connects to addresses, to link-local ones only for a host of one of the domains.
func dialTo(domains []string) func(context.Context, string, string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: refuseLinkLocal}
	inside := dialer
	inside.Control = refuseOtherLinkLocal
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if within(domains, address) {
			return inside.DialContext(ctx, network, address)
		}
		return dialer.DialContext(ctx, network, address)
	}
}

// within reports whether an address is the HTTPS port of a host in one of the domains. No metadata service
// speaks TLS, let alone under such a name.
func within(domains []string, address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && port == "443" && slices.ContainsFunc(domains, func(domain string) bool {
		return strings.HasSuffix(strings.ToLower(host), "."+domain)
	})
}

// GuardDialer makes a dialer refuse link-local addresses, as that of NewHTTPClient does. It is for
// clients that an SDK insists on making itself.
func GuardDialer(d *net.Dialer) { d.Control = refuseLinkLocal }

func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	return refuse(address, refusedAddress)
}

// metadataAddress is where most clouds have their metadata service.
var metadataAddress = netip.MustParseAddr("169.254.169.254")

// refuseOtherLinkLocal lets link-local IPv4 addresses pass, but for that of the metadata service.
func refuseOtherLinkLocal(_, address string, _ syscall.RawConn) error {
	return refuse(address, func(ip netip.Addr) bool {
		ip = ip.Unmap()
		return refusedAddress(ip) && (!ip.Is4() || !ip.IsLinkLocalUnicast() || ip == metadataAddress)
	})
}

// refuse refuses an address by its IP.
func refuse(address string, wrong func(netip.Addr) bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	if wrong(ip) {
		return fmt.Errorf("%w: %s", refusalOf(ip), ip)
	}
	return nil
}

// neverSent reports whether err proves that no byte of the request reached the cloud: the
// connection could not be made. A failure after that may have left a request behind.
func neverSent(err error) bool {
	var unsent *unsentError
	if slices.ContainsFunc(ownRefusals, func(own error) bool { return errors.Is(err, own) }) || errors.As(err, &unsent) {
		return true
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return true
	}
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	var verify *tls.CertificateVerificationError
	return errors.As(err, &verify)
}

// sanitizeTransport keeps the innermost reason and drops URLs, which SDKs put into their errors and
// which may hold query parameters.
func sanitizeTransport(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "cannot resolve " + dns.Name
	}
	for _, own := range ownRefusals {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return "TLS certificate not trusted (" + verify.Err.Error() + "); for a private cloud set ca_certificate"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		addr := ""
		if op.Addr != nil {
			addr = " to " + op.Addr.String()
		}
		return op.Op + addr + ": " + op.Err.Error()
	}
	return cmp.Or(unsentReason(err), "connection failed")
}

type sendDeadlineKey struct{}

// sendDeadline is a moment by both clocks. The monotonic one stands still while the machine is suspended,
// and the wall clock may be set back.
type sendDeadline struct{ monotonic, wall time.Time }

// WithSendDeadline marks the calls of a context as stale after t. The client of NewHTTPClient then
// refuses to send them, so that a signed reset that waited in the transport is dropped instead of
// arriving after the rotation core believes it dead.
func WithSendDeadline(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, sendDeadlineKey{}, sendDeadline{monotonic: t, wall: t.Round(0)})
}

// SendDeadlinePassed reports whether the calls of a context are stale, by either clock.
func SendDeadlinePassed(ctx context.Context) bool {
	t, ok := ctx.Value(sendDeadlineKey{}).(sendDeadline)
	return ok && t.passed(time.Now())
}

func (t sendDeadline) passed(now time.Time) bool {
	return !now.Before(t.monotonic) || !now.Before(t.wall)
}

var errStale = errors.New("the signed request became stale before it could be sent")

type sendGuard struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g sendGuard) RoundTrip(r *http.Request) (*http.Response, error) {
	if SendDeadlinePassed(r.Context()) {
		return nil, errStale
	}
	// What was stored while the environment allowed it, or what a cloud's answer names, is looked at again.
	if err := checkTarget(r.URL); err != nil {
		return nil, err
	}
	resp, err := sendNoting(g.next, r)
	if err != nil {
		return nil, err
	}
	if err := ReadBounded(resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (g sendGuard) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
