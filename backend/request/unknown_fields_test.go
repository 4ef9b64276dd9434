package request

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"ttl", "max_ttl", "username", "kitten"}
	for name, want := range map[string]string{
		"ttl": "ttl", "tll": "ttl", "tt": "", "ttll": "ttl", "mxa_ttl": "max_ttl", "usrname": "username", "usernames_all": "", "sitting": "",
		"":              "",
		"überlang-name": "", strings.Repeat("max_ttl", 100_000): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
