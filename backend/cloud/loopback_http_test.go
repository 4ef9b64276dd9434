package cloud

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestPlainHTTPNeedsTheServersEnvironment: whoever writes a connection reaches no service of Vault's own
// machine, unless whoever starts Vault says that simulators run there.
func TestPlainHTTPNeedsTheServersEnvironment(t *testing.T) {
	loopback := []string{
		"http://127.0.0.1:8200", "http://localhost:8200", "http://LocalHost", "http://127.255.255.254/v1/sys/step-down", "http://[::1]:8200",
		"http://[::ffff:127.0.0.1]", "http://[0:0:0:0:0:0:0:1]",
	}
	for value, allowed := range map[string]bool{"true": true, "1": true, "TRUE": true, "": false, "false": false, "0": false, "yes": false,
		" true": false, "maybe": false} {
		t.Setenv(LoopbackHTTPVariable, value)
		for _, raw := range loopback {
			err := ValidateURL("auth_url", raw)
			if allowed != (err == nil) {
				t.Errorf("%s=%q: %s: error %v", LoopbackHTTPVariable, value, raw, err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "auth_url: ") || !strings.Contains(err.Error(), LoopbackHTTPVariable)) {
				t.Errorf("%s: the refusal %q names neither the field nor the variable", raw, err)
			}
		}
		for _, raw := range []string{"http://10.0.0.7", "http://127.1", "http://localhost.example.com", "http://0.0.0.0:8200", "http://[::]:8200",
			"http://localhost."} {
			if err := ValidateURL("auth_url", raw); !errors.Is(err, ErrPlainHTTP) {
				t.Errorf("%s=%q: %s: error %v", LoopbackHTTPVariable, value, raw, err)
			}
		}
	}
}

// TestStoredPlainHTTPIsNotSent: an endpoint that was stored while the variable was set, or that a cloud's
// answer names, is refused when a request is to go there.
func TestStoredPlainHTTPIsNotSent(t *testing.T) {
	hits := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits <- r.URL.Path }))
	t.Cleanup(s.Close)
	client := newTestClient(t, "", time.Minute)
	t.Setenv(LoopbackHTTPVariable, "")
	_, _, err := exchange(t.Context(), client, s.URL+"/v1/sys/step-down")
	got := Transport("ec2 DescribeInstances", err)
	if !errors.Is(err, errLoopbackHTTP) || got.Kind != Unavailable || !strings.Contains(got.Message, LoopbackHTTPVariable) || len(hits) != 0 {
		t.Errorf("error %v, kind %s, %q; the server was reached %d times", err, got.Kind, got.Message, len(hits))
	}
	if _, _, err := exchange(t.Context(), client, "http://cloud.test/"); !errors.Is(err, ErrPlainHTTP) {
		t.Errorf("plain http beyond loopback: %v", err)
	}
	t.Setenv(LoopbackHTTPVariable, "true")
	if status, _, err := exchange(t.Context(), client, s.URL); err != nil || status != http.StatusOK {
		t.Errorf("with the variable: %d, %v", status, err)
	}
}

// metadataHosts are addresses at which a cloud's service takes whoever asks for the server itself, each in the
// notations that something on the way to a connection may understand.
var metadataHosts = map[string][]string{
	"link-local": {"169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0XA9FEA9FE", "0xa9.0xfe.0xa9.0xfe",
		"0251.0376.0251.0376", "169.254.43518", "169.16689662", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
		"[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::169.254.169.254]", "[::ffff:0:a9fe:a9fe]", "[fe80::a9fe:a9fe]"},
	"Azure": {"168.63.129.16", "168.63.129.16.", "2822734096", "0xa83f8110", "168.63.33040", "0250.077.0201.020",
		"[::ffff:168.63.129.16]", "[::ffff:a83f:8110]", "[64:ff9b::a83f:8110]"},
	"Google Cloud": {"[fd20:ce::254]", "[fd20:00ce::0254]", "[fd20:ce:0:0:0:0:0:254]"},
	"Oracle":       {"192.0.0.192", "3221225664", "0xc00000c0", "192.192", "[::ffff:192.0.0.192]", "[::ffff:c000:c0]"},
	"Alibaba":      {"100.100.100.200", "1684301000", "0x646464c8", "100.6579400", "[::ffff:100.100.100.200]", "[::ffff:6464:64c8]"},
	"AWS":          {"[fd00:ec2::254]", "[fd00:ec2::23]", "[fd00:0ec2::0254]"},
	"unspecified":  {"0.0.0.0", "0", "0x0", "[::]", "[::ffff:0.0.0.0]", "[::0.0.0.0]"},
}

// The unspecified address is refused for what it is.
func TestUnspecifiedAddressIsNotCalledLinkLocal(t *testing.T) {
	client := newTestClient(t, "", time.Minute)
	for of, hosts := range metadataHosts {
		for _, host := range hosts {
			_, _, asked := exchange(t.Context(), client, "https://"+host+"/")
			for _, err := range []error{ValidateURL("endpoints.ec2", "https://"+host), asked} {
				if err == nil || strings.Contains(err.Error(), "0.0.0.0 and :: are refused") != (of == "unspecified") ||
					strings.Contains(err.Error(), "link-local") == (of == "unspecified") {
					t.Errorf("%s: %s: %v", of, host, err)
				}
			}
		}
	}
}

func TestMetadataServicesAreRefusedInEveryNotation(t *testing.T) {
	client := newTestClient(t, "", time.Minute)
	for of, hosts := range metadataHosts {
		for _, host := range hosts {
			for _, suffix := range []string{"", ":8443", "/latest/meta-data"} {
				if err := ValidateURL("endpoints.ec2", "https://"+host+suffix); !errors.Is(err, errRefusedAddress) {
					t.Errorf("%s: %s%s: error %v", of, host, suffix, err)
				}
			}
			if err := ValidateURL("endpoints.ec2", "http://"+host); err == nil {
				t.Errorf("%s: %s is accepted without TLS", of, host)
			}
			if _, _, err := exchange(t.Context(), client, "https://"+host+"/"); !errors.Is(err, errRefusedAddress) {
				t.Errorf("%s: a request to %s: %v", of, host, err)
			}
		}
	}
	// A number that stands for another address is not written as one, since a proxy may read it in its own way.
	for _, host := range []string{"3221225985", "0xc0000207", "192.0.519", "1.2.3.4.5", "0127.0.0.08", "999.1.1.1", "10.0.0.7.", "4294967296",
		"0x"} {
		if err := ValidateURL("endpoints.ec2", "https://"+host); !errors.Is(err, errNumberHost) {
			t.Errorf("%s: error %v", host, err)
		}
	}
	for _, host := range []string{"192.0.2.7", "[2001:db8::7]", "10.0.0.7", "100.100.100.201", "168.63.129.17", "192.0.0.193",
		"fe80.example.com", "1and1.example", "0xdead.example.com", "2852039166.example.com", "[64:ff9b::c000:207]", "[fd20:ce::253]",
		"127.0.0.1:8443"} {
		if err := ValidateURL("endpoints.ec2", "https://"+host); err != nil {
			t.Errorf("%s is refused: %v", host, err)
		}
	}
}

// TestNamesOfMetadataServicesAreRefused: what counts is the address that a name has when it is dialled.
func TestNamesOfMetadataServicesAreRefused(t *testing.T) {
	for _, ip := range []string{"168.63.129.16", "100.100.100.200", "192.0.0.192", "169.254.169.254", "fd20:ce::254", "fd00:ec2::254",
		"64:ff9b::a83f:8110", "0.0.0.0", "::"} {
		t.Run(ip, func(t *testing.T) {
			useDNS(t, netip.MustParseAddr(ip))
			_, _, err := exchange(t.Context(), newTestClient(t, "", time.Minute), "https://cloud.test:9/")
			if !errors.Is(err, errRefusedAddress) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// FuzzValidateURL: no text makes it panic, and what it accepts names no refused address.
func FuzzValidateURL(f *testing.F) {
	for _, hosts := range metadataHosts {
		for _, host := range hosts {
			f.Add("https://" + host + "/")
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if err := ValidateURL("f", raw); err != nil {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
		if err != nil {
			return // no request comes of it
		}
		if ip, err := netip.ParseAddr(strings.TrimSuffix(r.URL.Hostname(), ".")); err == nil && refusedAddress(ip) {
			t.Errorf("%q is accepted", raw)
		}
	})
}
