package azure

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestConnections(t *testing.T) {
	for name, c := range map[string]struct {
		change    cloud.Values
		endpoints map[string]string
		simulated bool
		says      string // "" if the connection is good
	}{
		"a secret":               {},
		"a domain":               {change: cloud.Values{"tenant_id": "contoso.onmicrosoft.com"}},
		"upper case":             {change: cloud.Values{"subscription_id": strings.ToUpper(testSubscription)}},
		"no subscription":        {change: cloud.Values{"subscription_id": ""}, says: "subscription_id: required"},
		"an odd subscription":    {change: cloud.Values{"subscription_id": "../x"}, says: "subscription_id: "},
		"no tenant":              {change: cloud.Values{"tenant_id": ""}, says: "tenant_id: required"},
		"an odd tenant":          {change: cloud.Values{"tenant_id": "a/b"}, says: "tenant_id: "},
		"nobody's tenant":        {change: cloud.Values{"tenant_id": "common"}, says: "tenant_id: "},
		"no client":              {change: cloud.Values{"client_id": ""}, says: "client_id: required"},
		"a client's name":        {change: cloud.Values{"client_id": "cloudpw"}, says: "client_id: "},
		"no secret":              {change: cloud.Values{"client_secret": ""}, says: "client_secret: required"},
		"a secret with a blank":  {change: cloud.Values{"client_secret": "a b"}, says: "client_secret: "},
		"a cloud":                {change: cloud.Values{"cloud": "china"}},
		"no such cloud":          {change: cloud.Values{"cloud": "germany"}, says: "cloud: must be one of"},
		"ambient":                {change: ambientValues},
		"ambient, with a client": {change: cloud.Values{"use_ambient_credentials": "true", "tenant_id": "", "client_secret": ""}},
		"ambient, with a secret": {change: cloud.Values{"use_ambient_credentials": "true"},
			says: "use_ambient_credentials: contradicts client_secret"},
		"own endpoints":         {endpoints: map[string]string{"arm": "https://arm.example.com", "login": "https://login.example.com"}},
		"own login":             {endpoints: map[string]string{"login": "https://login.example.com"}},
		"own ARM, public login": {endpoints: map[string]string{"arm": "https://arm.example.com"}, says: "endpoints.login: required"},
		"no such endpoint":      {endpoints: map[string]string{"graph": "https://x.example.com"}, says: "has no service"},
		"a metadata address": {endpoints: map[string]string{"arm": "https://168.63.129.16", "login": "https://x.example.com"},
			says: "endpoints.arm"},
		"ambient to its own ARM": {change: ambientValues, endpoints: map[string]string{"arm": "https://arm.example.com",
			"login": "https://x.example.com"}, says: "endpoints.arm: refused"},
		"ambient to its own login": {change: ambientValues, endpoints: map[string]string{"login": "https://x.example.com"},
			says: "endpoints.login: refused"},
		"ambient to loopback": {change: ambientValues, endpoints: map[string]string{"arm": "https://127.0.0.1:1",
			"login": "https://localhost:1"}, says: "endpoints.arm: refused"},
		"ambient to the simulator": {change: ambientValues, endpoints: map[string]string{"arm": "http://127.0.0.1:1",
			"login": "http://localhost:1"}, simulated: true},
		"ambient, half a simulator": {change: ambientValues, endpoints: map[string]string{"arm": "http://127.0.0.1:1",
			"login": "https://x.example.com"}, simulated: true, says: "endpoints.login: refused"},
		"ambient, login missing": {change: ambientValues, endpoints: map[string]string{"arm": "http://127.0.0.1:1"}, simulated: true,
			says: "endpoints.login: required"},
		"ambient beyond loopback": {change: ambientValues, endpoints: map[string]string{"arm": "https://127.0.0.1.example.com",
			"login": "https://localhost"}, simulated: true, says: "endpoints.arm: refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(cloud.LoopbackHTTPVariable, map[bool]string{true: "true", false: ""}[c.simulated])
			cfg := testConfig(t, "")
			cfg.Values, cfg.Endpoints = cfg.With(c.change), c.endpoints
			err := Descriptor().Check(cfg)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), testSecret) {
				t.Error("the error holds the secret")
			}
			if _, made := New(cfg); (made == nil) != (err == nil) {
				t.Errorf("New: %v", made)
			}
		})
	}
}

var ambientValues = cloud.Values{"use_ambient_credentials": "true", "tenant_id": "", "client_id": "", "client_secret": ""}

func TestNewWithoutAClient(t *testing.T) {
	cfg := testConfig(t, "")
	cfg.HTTPClient = nil
	if _, err := New(cfg); err == nil {
		t.Error("made without an HTTP client")
	}
}

func TestInstanceIDs(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	for id, says := range map[string]string{
		testVMID: "", strings.ToUpper(testVMID): "in lower case", "linux-1": "not by its name", "": "vmId", testVMID + "0": "vmId",
		inGroup("demo", "linux-1"): "vmId", testVMID + "/..": "vmId",
	} {
		err := p.ValidateInstanceID(id)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestUsersAndPasswords(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	if got := p.DefaultUsername(cloud.Instance{LoginUser: "azureuser", Platform: cloud.Linux}); got != "azureuser" {
		t.Error(got)
	}
	if got := p.DefaultUsername(cloud.Instance{Platform: cloud.Windows}); got != "" {
		t.Error(got)
	}
	linux, windows := p.PasswordRules(cloud.Instance{Platform: cloud.Linux}), p.PasswordRules(cloud.Instance{Platform: cloud.Windows})
	for value, good := range map[string]bool{
		"Correct-Horse7": true, "correct-horse7": true, "correcthorse77": false, "Short-1": false, "a\"b\\C1#=efghi": true,
		strings.Repeat("Aa1-", 18): true, strings.Repeat("Aa1-", 18) + "x": false, "Correct Horse7": false,
	} {
		if err := linux.Check(value, "azureuser"); (err == nil) != good {
			t.Errorf("%q: %v", value, err)
		}
	}
	if linux.Check("Azureuser-2026", "azureuser") != nil || windows.Check("Azureuser-2026", "azureuser") == nil {
		t.Error("only Windows refuses a password that holds the user's name")
	}
	// The values that the cloud refuses by name at a machine's creation are too short anyway.
	for _, refused := range []string{"abc@123", "P@$$w0rd", "P@ssw0rd", "P@ssword123", "Pa$$word", "pass@word1", "Password!", "Password1",
		"Password22", "iloveyou!"} {
		if linux.Check(refused, "x") == nil {
			t.Errorf("%s is good", refused)
		}
	}
}
