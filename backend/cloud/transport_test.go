package cloud

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func newTestClient(t *testing.T, ca string, timeout time.Duration) *http.Client {
	t.Helper()
	client, err := NewHTTPClient(ca, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// exchange makes one GET, reads the answer and returns its status and text.
func exchange(ctx context.Context, client *http.Client, url string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// quietTLS starts a TLS server that does not print the handshakes which tests make fail.
func quietTLS(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func caOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	var out bytes.Buffer
	if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLinkLocalIsRefusedAfterResolution(t *testing.T) {
	for name, tc := range map[string]struct {
		host string
		ip   string // what the name resolves to
	}{
		"literal IPv4":        {host: "169.254.169.254"},
		"literal IPv6":        {host: "[fe80::1%25lo]"},
		"literal mapped IPv4": {host: "[::ffff:169.254.169.254]"},
		"name to IPv4":        {host: "metadata.test", ip: "169.254.169.254"},
		"name to IPv6":        {host: "metadata.test", ip: "fe80::a9fe:a9fe"},
		"name to mapped IPv4": {host: "metadata.test", ip: "::ffff:169.254.169.254"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.ip != "" {
				useDNS(t, netip.MustParseAddr(tc.ip))
			}
			_, _, err := exchange(t.Context(), newTestClient(t, "", time.Minute), "https://"+tc.host+":9/")
			if !errors.Is(err, errRefusedAddress) {
				t.Fatalf("error %v, want the refusal of link-local addresses", err)
			}
			got := Transport("ec2 DescribeInstances", err)
			if got.Kind != Unavailable || !strings.Contains(got.Message, "link-local") {
				t.Errorf("kind %q, message %q", got.Kind, got.Message)
			}
		})
	}
}

// The refusal is about link-local addresses only: the same resolver's loopback answer is reached.
func TestOtherAddressesAreReachedByName(t *testing.T) {
	s := quietTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	useDNS(t, netip.MustParseAddr("127.0.0.1"))
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	status, text, err := exchange(t.Context(), newTestClient(t, caOf(t, s), time.Minute), "https://example.com:"+port+"/")
	if err != nil || status != http.StatusOK || text != "here" {
		t.Errorf("status %d, text %q, error %v", status, text, err)
	}
}

func TestRefuseLinkLocalNeedsAnAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"10.0.0.7:443": true, "[2001:db8::7]:443": true, "127.0.0.1:80": true,
		"169.254.169.254:80": false, "[fe80::1%eth0]:80": false, "224.0.0.1:80": false, "[ff02::1]:80": false,
		"10.0.0.7": false, "name:443": false, "": false,
	} {
		if err := refuseLinkLocal("tcp", address, nil); (err == nil) != want {
			t.Errorf("%q: error %v, want allowed=%v", address, err, want)
		}
	}
}

// A cloud that serves its API at link-local addresses is reached by its own names alone, by TLS, and its metadata
// service not at all.
func TestLinkLocalOfTheCloudsOwn(t *testing.T) {
	domains := []string{"api.test"}
	for address, want := range map[string]bool{
		"cvm.internal.api.test:443": true, "CVM.API.test:443": true,
		"cvm.api.test:80": false, "api.test:443": false, "notapi.test:443": false, "api.test.evil:443": false, "169.254.0.95:443": false,
		"cvm.api.test": false,
	} {
		if got := within(domains, address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	for address, want := range map[string]bool{
		"169.254.0.95:443": true, "[::ffff:169.254.0.95]:443": true, "10.0.0.7:443": true, "[2001:db8::7]:443": true,
		"169.254.169.254:443": false, "[::ffff:169.254.169.254]:443": false, "[fe80::1%eth0]:443": false, "224.0.0.1:443": false,
		"100.100.100.200:443": false, "name:443": false,
	} {
		if err := refuseOtherLinkLocal("tcp", address, nil); (err == nil) != want {
			t.Errorf("%q: error %v, want allowed=%t", address, err, want)
		}
	}
	client, err := NewHTTPClient("", time.Minute, domains...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, ip string }{
		{"https://cvm.api.test/", "169.254.169.254"}, {"https://cvm.api.test:8443/", "169.254.0.95"}, {"https://elsewhere.test/", "169.254.0.95"},
	} {
		t.Run(c.url, func(t *testing.T) {
			useDNS(t, netip.MustParseAddr(c.ip))
			if _, _, err := exchange(t.Context(), client, c.url); !errors.Is(err, errRefusedAddress) {
				t.Errorf("at %s: %v", c.ip, err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(target.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(target.URL, status))
		got, _, err := exchange(t.Context(), newTestClient(t, "", time.Minute), s.URL)
		s.Close()
		if err != nil || got != status {
			t.Errorf("status %d, error %v, want the redirect %d itself", got, err, status)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the target was asked %d times", n)
	}
}

func TestCACertificateReplacesTheSystemsRoots(t *testing.T) {
	s := quietTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "private") }))
	if _, text, err := exchange(t.Context(), newTestClient(t, caOf(t, s), time.Minute), s.URL); err != nil || text != "private" {
		t.Errorf("trusted by ca_certificate: %q, %v", text, err)
	}
	if _, _, err := exchange(t.Context(), newTestClient(t, "", time.Minute), s.URL); err == nil {
		t.Error("an untrusted certificate was accepted")
	}
	for _, bad := range []string{"not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := NewHTTPClient(bad, time.Minute); err == nil || !strings.HasPrefix(err.Error(), "ca_certificate: ") {
			t.Errorf("%.20q: error %v, want one that names ca_certificate", bad, err)
		}
	}
}

func TestSendDeadline(t *testing.T) {
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(s.Close)
	client := newTestClient(t, "", time.Minute)
	now := time.Now()
	by := func(deadline time.Time) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context { return WithSendDeadline(ctx, deadline) }
	}
	for name, tc := range map[string]struct {
		mark  func(context.Context) context.Context
		fresh bool
	}{
		"no deadline":     {func(ctx context.Context) context.Context { return ctx }, true},
		"in the future":   {by(now.Add(time.Hour)), true},
		"in the past":     {by(now.Add(-time.Second)), false},
		"right now":       {by(now), false},
		"inner one wins":  {func(ctx context.Context) context.Context { return by(now)(by(now.Add(time.Hour))(ctx)) }, false},
		"zero time":       {by(time.Time{}), false},
		"through a child": {func(ctx context.Context) context.Context { return WithInteractive(by(now)(ctx)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := reached.Load()
			_, _, err := exchange(tc.mark(t.Context()), client, s.URL)
			sent := reached.Load() - before
			if tc.fresh {
				if err != nil || sent != 1 {
					t.Errorf("error %v, %d requests; want 1", err, sent)
				}
				return
			}
			if !errors.Is(err, errStale) || sent != 0 {
				t.Errorf("error %v, %d requests; want a stale request that is not sent", err, sent)
			}
			if kind := KindOf(Transport("cvm ResetInstancesPassword", err)); kind != Unavailable {
				t.Errorf("kind %q", kind)
			}
		})
	}
}

func TestClientTimeout(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); s.Close() })
	_, _, err := exchange(t.Context(), newTestClient(t, "", underWay), s.URL)
	if err == nil {
		t.Fatal("an exchange without answer did not end")
	}
	if got := Transport("ec2 GetPasswordData", err); got.Kind != Unknown || !strings.Contains(got.Message, "request_timeout") {
		t.Errorf("kind %q, message %q", got.Kind, got.Message)
	}
}

// A proxy that does not connect to the cloud has not passed anything on, and the way out is named.
func TestProxyThatRefuses(t *testing.T) {
	for status, text := range map[int]string{http.StatusProxyAuthRequired: "user and password", http.StatusForbidden: "HTTPS_PROXY",
		http.StatusBadGateway: "HTTP 502"} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2", status) }))
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := newTestClient(t, "", time.Minute)
		client.Transport.(sendGuard).next.(*http.Transport).Proxy = http.ProxyURL(at)
		_, _, err = exchange(t.Context(), client, "https://ssm.eu-central-1.amazonaws.com/")
		proxy.Close()
		if err == nil {
			t.Fatal("it connected")
		}
		if got := Transport("ssm SendCommand", err); got.Kind != Unavailable || !strings.Contains(got.Message, text) ||
			strings.Contains(got.Message, "hunter2") {
			t.Errorf("%d: kind %q, message %q", status, got.Kind, got.Message)
		}
	}
}

// TestSendDeadlineByEitherClock: a machine that was suspended after the monotonic clock was read, or whose
// clock was set back, sends nothing late.
func TestSendDeadlineByEitherClock(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name            string
		monotonic, wall time.Duration
		want            bool
	}{
		{"ahead", time.Second, time.Second, false},
		{"the machine was suspended", time.Second, -time.Hour, true},
		{"the clock was set back", -time.Second, time.Hour, true},
	} {
		deadline := sendDeadline{monotonic: now.Add(c.monotonic), wall: now.Add(c.wall).Round(0)}
		if got := deadline.passed(now); got != c.want {
			t.Errorf("%s: passed %v, want %v", c.name, got, c.want)
		}
	}
}
