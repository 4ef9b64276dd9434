package cli

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

func TestHostPort(t *testing.T) {
	for in, want := range map[string]struct {
		host string
		port int
		fine bool
	}{
		"":             {"", 0, true},
		"web":          {"web", 0, true},
		"web:2222":     {"web", 2222, true},
		"fd00::1":      {"fd00::1", 0, true},
		"[fd00::1]:22": {"fd00::1", 22, true},
		"web:":         {"", 0, false},
		"web:0":        {"", 0, false},
		"web:70000":    {"", 0, false},
		":22":          {"", 0, false},
		"a:b:c":        {"", 0, false},
	} {
		host, port, err := hostPort(in)
		if host != want.host || port != want.port || (err == nil) != want.fine {
			t.Errorf("%q: %q, %d, %v", in, host, port, err)
		}
	}
}

func TestWhereToConnect(t *testing.T) {
	both := engine.Password{InstanceID: "i-1", PrivateIP: "10.0.0.1", PublicIP: "198.51.100.1"}
	for name, c := range map[string]struct {
		place    engine.Place
		password engine.Password
		asked    string
		public   bool
		want     string
	}{
		"as asked":                  {engine.Place{Address: "10.0.0.9"}, both, "web", false, "web"},
		"what the inventory has":    {engine.Place{Address: "10.0.0.9"}, both, "", false, "10.0.0.9"},
		"the private address":       {engine.Place{}, both, "", false, "10.0.0.1"},
		"the public one":            {engine.Place{Address: "10.0.0.9"}, both, "", true, "198.51.100.1"},
		"the public one, if only":   {engine.Place{}, engine.Password{InstanceID: "i-1", PublicIP: "198.51.100.1"}, "", false, "198.51.100.1"},
		"none":                      {engine.Place{}, engine.Password{InstanceID: "i-1"}, "", false, ""},
		"no public one":             {engine.Place{}, engine.Password{InstanceID: "i-1", PrivateIP: "10.0.0.1"}, "", true, ""},
		"a password of many":        {engine.Place{}, engine.Password{}, "", false, ""},
		"a password of many, asked": {engine.Place{}, engine.Password{}, "web", false, "web"},
	} {
		h := &held{place: c.place, password: &c.password}
		if got, err := h.host(c.asked, c.public); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
