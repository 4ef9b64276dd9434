package console

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestListen: nobody but this computer's own programs reaches the port.
func TestListen(t *testing.T) {
	t.Parallel()
	c, err := listen(t.Context(), &fakeVault{}, "https://vault.example:8200", "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.listener.Close()
	if address, fine := c.listener.Addr().(*net.TCPAddr); !fine || !address.IP.Equal(net.IPv4(127, 0, 0, 1)) || address.Port == 0 {
		t.Errorf("it listens at %v", c.listener.Addr())
	}
	if link := c.Link(); !strings.HasPrefix(link, "http://"+c.listener.Addr().String()+"/#") {
		t.Errorf("the link is %s", link)
	}
	for flag, o := range map[string]Options{"--ttl": {TTL: MinTTL - time.Second}, "--port": {Port: 65536}} {
		if c, err := listen(t.Context(), &fakeVault{}, "", "", o); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%+v: %v, want an error that names %s", o, err, flag)
			if c != nil {
				_ = c.listener.Close()
			}
		}
	}
}

func TestThePolicyAllowsNothingElse(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for directive := range strings.SplitSeq(policy, ";") {
		have[strings.TrimSpace(directive)] = true
	}
	for _, directive := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
		"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	} {
		if !have[directive] {
			t.Errorf("the policy has no %s", directive)
		}
		delete(have, directive)
	}
	if len(have) > 0 {
		t.Errorf("the policy allows more: %v", have)
	}
}
