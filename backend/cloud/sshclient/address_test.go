package sshclient

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{"192.0.2.7", "2001:db8::7", "web-1.example.com", "web_1", "_web", "web.", "127.0.0.1",
		strings.Repeat("a", 63) + ".b"} {
		if err := CheckAddress(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	const none = "neither an IP address nor the name of a host"
	for bad, says := range map[string]string{
		"": none, "root@web": none, "web:22": none, "[2001:db8::7]": none, "a b": none, "-web": none, "a..b": none,
		strings.Repeat("a", 64): none, strings.Repeat("a.", 127) + "a": none,
		"2001:db8::7%eth0": "zone", "169.254.169.254": "link-local", "fe80::1": "link-local", "::ffff:169.254.169.254": "link-local",
		"100.100.100.200": "metadata", "::": "0.0.0.0", "1.2.3": "usual form",
	} {
		err := CheckAddress(bad)
		if err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, ErrNoAddress) != (says == none) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
