package doctor

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

type object = map[string]any

// vault is a Vault whose answers a test changes.
type vault struct {
	health object
	reads  map[string]any // data by path; an int: the status of a refusal
	may    func(path string) []string
}

func sound() *vault {
	return &vault{
		health: object{"initialized": true, "version": "1.21.2", "cluster_name": "east", "server_time_utc": now.Unix()},
		reads: map[string]any{
			"auth/token/lookup-self": object{"display_name": "userpass-olivia", "entity_id": "e-1", "policies": []string{"default", "operator"},
				"ttl": 7200, "renewable": true, "type": "service"},
			"sys/internal/ui/mounts/cloudpw": object{"type": "vault-plugin-secrets-cloudpw", "running_plugin_version": "v0.1.0"},
			"cloudpw/status": object{"running": true, "accounts": object{"ready": 3, "due": 1},
				"details": object{"connections": object{"prod": object{}, "test": object{}}}},
		},
		may: func(string) []string { return []string{"deny"} },
	}
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	answer := func(status int, body any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	switch path {
	case "sys/health":
		if r.URL.Query().Get("sealedcode") != "200" || r.Header.Get("X-Vault-Namespace") != "" {
			answer(http.StatusNotFound, object{})
			return
		}
		answer(http.StatusOK, v.health)
		return
	case "sys/capabilities-self":
		if v.may == nil {
			answer(http.StatusForbidden, object{"errors": []string{"permission denied"}})
			return
		}
		var body struct {
			Paths []string `json:"paths"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		data := object{}
		for _, p := range body.Paths {
			data[p] = v.may(p)
		}
		answer(http.StatusOK, object{"data": data})
		return
	}
	switch data := v.reads[path].(type) {
	case nil:
		answer(http.StatusForbidden, object{"errors": []string{"permission denied"}})
	case int:
		answer(data, object{"errors": []string{"refused by the test"}})
	default:
		answer(http.StatusOK, object{"data": data})
	}
}

// tools are a computer that has everything.
func tools(has ...string) Tools {
	return Tools{
		Look: func(name string) (string, error) {
			if len(has) == 0 || slices.Contains(has, name) {
				return "/bin/" + name, nil
			}
			return "", errors.New("not there")
		},
		Getenv: func(string) string { return "set" },
		Output: func(context.Context, string, ...string) string { return "OpenSSH_9.2p1 Debian-2" },
	}
}

func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY",
		"CLOUDPW_MOUNT"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_MAX_RETRIES", "0")
	t.Setenv("VAULT_TOKEN", "hvs.test")
}

// examine looks at a Vault, after a change of the doctor.
func examine(t *testing.T, v *vault, changes ...func(*Doctor)) []Finding {
	t.Helper()
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	clean(t)
	c, err := engine.New(engine.Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	d := &Doctor{Client: c, Version: "v0.1.0", Now: func() time.Time { return now }, Tools: tools()}
	for _, change := range changes {
		change(d)
	}
	return d.Run(t.Context())
}

func show(findings []Finding) string {
	var out strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&out, "%s | %s | %s | %s\n", f.Part, f.Level, f.Text, f.Next)
	}
	return out.String()
}

// has fails the test unless there is such a finding, and a way out if something is wrong.
func has(t *testing.T, findings []Finding, part string, level Level, text, next string) {
	t.Helper()
	for _, f := range findings {
		if f.Level == Wrong && f.Next == "" {
			t.Errorf("no command is next: %v", f)
		}
	}
	if !slices.ContainsFunc(findings, func(f Finding) bool {
		return f.Part == part && f.Level == level && strings.Contains(f.Text, text) && strings.Contains(f.Next, next)
	}) {
		t.Errorf("no finding %s, %s, %q, %q in:\n%s", part, level, text, next, show(findings))
	}
}

func TestNothingIsWrong(t *testing.T) {
	v := sound()
	v.may = func(string) []string { return []string{"root"} }
	findings := examine(t, v)
	if AnyWrong(findings) {
		t.Errorf("something is wrong:\n%s", show(findings))
	}
	has(t, findings, partAddress, OK, "http://127.0.0.1", "")
	has(t, findings, partVault, OK, "Vault 1.21.2, cluster east is unsealed; this node is active", "")
	has(t, findings, partClock, OK, "agree", "")
	has(t, findings, partToken, OK, "of userpass-olivia, policies default, operator, ends in 2h unless it is renewed", "")
	has(t, findings, partMount, OK, "cloudpw/, plugin v0.1.0, as this command", "")
	has(t, findings, partPermissions, OK, "Emergency: yes", "")
	has(t, findings, partConnections, OK, "2, all work", "")
	has(t, findings, partAccounts, OK, "4, none fails", "")
	has(t, findings, partTools, OK, "ssh: OpenSSH 9.2", "")
}

func TestServersThatDoNotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		health object
		level  Level
		text   string
		next   string
	}{
		"sealed":        {object{"initialized": true, "sealed": true}, Wrong, "is sealed", "vault operator unseal"},
		"uninitialized": {object{"sealed": true}, Wrong, "is not initialized", "vault operator init"},
		"secondary":     {object{"initialized": true, "replication_dr_mode": "secondary"}, Wrong, "disaster recovery", "VAULT_ADDR"},
		"standby":       {object{"initialized": true, "standby": true}, OK, "this node is a standby", ""},
		"no Vault":      {object{"initialized": true, "version": ""}, Wrong, "is no Vault", "VAULT_ADDR"},
	} {
		t.Run(name, func(t *testing.T) {
			v := sound()
			if c.health["version"] == nil {
				c.health["version"] = "1.21.2"
			}
			v.health = c.health
			findings := examine(t, v)
			has(t, findings, partVault, c.level, c.text, c.next)
			if asked := slices.ContainsFunc(findings, func(f Finding) bool { return f.Part == partToken }); asked != (c.level == OK) {
				t.Errorf("the token is looked at: %v", asked)
			}
			has(t, findings, partTools, OK, "ssh", "")
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	clean(t)
	c, err := engine.New(engine.Options{Address: gone.URL})
	if err != nil {
		t.Fatal(err)
	}
	d := &Doctor{Client: c, Now: time.Now, Tools: tools()}
	has(t, d.Run(t.Context()), partVault, Wrong, "does not answer: ", "VAULT_ADDR")
}

func TestAddresses(t *testing.T) {
	for address, c := range map[string]struct {
		level Level
		text  string
	}{
		"http://192.0.2.1:8200":  {Wrong, "plain HTTP"},
		"http://[::1]:8200":      {OK, "http://[::1]:8200"},
		"http://localhost:8200":  {OK, "VAULT_ADDR is not set"},
		"https://192.0.2.1:8200": {OK, "https://192.0.2.1:8200"},
	} {
		clean(t)
		c2, err := engine.New(engine.Options{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		d := &Doctor{Client: c2}
		d.address()
		has(t, d.found, partAddress, c.level, c.text, "")
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(sound())
	t.Cleanup(server.Close)
	clean(t)
	look := func(o engine.Options, change func(*Doctor)) []Finding {
		c, err := engine.New(o)
		if err != nil {
			t.Fatal(err)
		}
		d := &Doctor{Client: c, Now: func() time.Time { return now }, Tools: tools()}
		if change != nil {
			change(d)
		}
		return d.Run(t.Context())
	}
	has(t, look(engine.Options{Address: server.URL}, nil), partTLS, Wrong, "unknown authority", "VAULT_CACERT")
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	trusted := engine.Options{Address: server.URL, CACert: authority}
	has(t, look(trusted, nil), partTLS, OK, "TLS 1.3, the certificate is valid until", "")
	end := server.Certificate().NotAfter
	later := look(trusted, func(d *Doctor) { d.Now = func() time.Time { return end.Add(-48 * time.Hour) } })
	has(t, later, partTLS, Note, "ends in 2d", "renew")
	open := engine.Options{Address: server.URL, SkipVerify: true}
	has(t, look(open, func(d *Doctor) { d.SkipVerify = true }), partTLS, Wrong, "is not checked", "--ca-cert")
	named := engine.Options{Address: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), CACert: authority}
	has(t, look(named, nil), partTLS, Wrong, "is of another name", "VAULT_TLS_SERVER_NAME")
	plain := httptest.NewServer(sound())
	t.Cleanup(plain.Close)
	claimed := engine.Options{Address: strings.Replace(plain.URL, "http:", "https:", 1)}
	has(t, look(claimed, nil), partTLS, Wrong, "does not speak TLS", "http://")
}

func TestClocks(t *testing.T) {
	for skew, level := range map[time.Duration]Level{0: OK, 30 * time.Second: OK, -30 * time.Second: OK, 35 * time.Second: Wrong,
		-35 * time.Second: Wrong, time.Hour: Wrong} {
		v := sound()
		v.health["server_time_utc"] = now.Add(skew).Unix()
		has(t, examine(t, v), partClock, level, "", "")
	}
}

func TestTokens(t *testing.T) {
	set := func(changes object) func(*vault) {
		return func(v *vault) {
			for field, value := range changes {
				v.reads["auth/token/lookup-self"].(object)[field] = value
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*vault)
		level  Level
		text   string
		next   string
	}{
		"unknown":        {func(v *vault) { v.reads["auth/token/lookup-self"], v.may = nil, nil }, Wrong, "does not know it", "vault login"},
		"without itself": {func(v *vault) { v.reads["auth/token/lookup-self"] = nil }, Note, "may not look itself up", "default"},
		"a failure":      {func(v *vault) { v.reads["auth/token/lookup-self"] = 500 }, Wrong, "refused by the test", "vault token lookup"},
		"soon at an end": {set(object{"ttl": 60}), Note, "it ends in 1m", "vault token renew"},
		"not renewable":  {set(object{"ttl": 60, "renewable": false}), Note, "it ends in 1m", "vault login"},
		"root":           {set(object{"policies": []string{"root"}, "ttl": 0, "entity_id": ""}), Note, "root token", "vault login"},
		"few uses":       {set(object{"num_uses": 2}), Wrong, "it has 2 uses left", "vault login"},
		"no entity":      {set(object{"entity_id": ""}), Note, "belongs to no entity", "vault login"},
		"batch":          {set(object{"type": "batch"}), Note, "batch token", ""},
		"namespace":      {set(object{"namespace_path": "team/a/"}), OK, "namespace team/a", ""},
		"identity":       {set(object{"identity_policies": []string{"oncall"}}), OK, "policies default, oncall, operator", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := sound()
			c.change(v)
			has(t, examine(t, v), partToken, c.level, c.text, c.next)
		})
	}
	has(t, examine(t, sound(), func(d *Doctor) { d.Client.Vault().ClearToken() }), partToken, Wrong, "there is none", "vault login")
	if text := show(examine(t, sound())); strings.Contains(text, "hvs.test") {
		t.Errorf("the token is shown:\n%s", text)
	}
}

func TestMounts(t *testing.T) {
	for name, c := range map[string]struct {
		mount   any
		version string
		level   Level
		text    string
		next    string
	}{
		"none":      {nil, "v0.1.0", Wrong, "cloudpw/ is no mount", "vault secrets list"},
		"a failure": {500, "v0.1.0", Wrong, "refused by the test", "--mount"},
		"another": {object{"type": "kv", "running_plugin_version": "v0.1.0"}, "v0.1.0", Note, "a mount of the plugin kv",
			"vault secrets list"},
		"older": {object{"type": "cloudpw", "running_plugin_version": "v0.1.0"}, "v0.2.0", Wrong,
			"has plugin v0.1.0, and this command is v0.2.0", "upgrade"},
		"development": {object{"type": "cloudpw", "running_plugin_version": "v0.1.0"}, "v0.0.0-dev", Note, "this command is v0.0.0-dev", ""},
		"no version":  {object{"type": "cloudpw"}, "v0.1.0", Note, "does not tell", "vault secrets list -detailed"},
		"chosen only": {object{"type": "cloudpw", "plugin_version": "0.1.0"}, "v0.1.0", OK, "as this command", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := sound()
			v.reads["sys/internal/ui/mounts/cloudpw"] = c.mount
			has(t, examine(t, v, func(d *Doctor) { d.Version = c.version }), partMount, c.level, c.text, c.next)
		})
	}
}

func TestPermissions(t *testing.T) {
	v := sound()
	v.reads["sys/internal/ui/resultant-acl"] = object{"exact_paths": object{"cloudpw/creds/web": object{}, "cloudpw/creds/db": object{}},
		"glob_paths": object{"cloudpw/creds/web/": object{}, "cloudpw/import/prod-aws/": object{}}}
	rights := map[string][]string{"cloudpw/creds/web": {"read"}, "cloudpw/instances/web": {"list"},
		"cloudpw/creds/web/any-name":                   {"read", "list"},
		"sys/leases/revoke/cloudpw/creds/web/any-name": {"update"}, "cloudpw/creds/db": {"read"}, "cloudpw/report": {"read"},
		"cloudpw/import/prod-aws/any-name": {"sudo", "update"}, "cloudpw/accounts/prod-aws/any-name": {"list", "read"}}
	v.may = func(path string) []string { return append(rights[path], "deny")[:max(len(rights[path]), 1)] }
	findings := examine(t, v)
	has(t, findings, partPermissions, OK, "Reader: yes, for web", "")
	has(t, findings, partPermissions, OK, "Recorder: yes, for prod-aws", "")
	has(t, findings, partPermissions, Note, "Operator: in parts; it lacks ", "the policy Operator")
	has(t, findings, partPermissions, Note, "list on cloudpw/instances/*; ", "")
	has(t, findings, partPermissions, Note, "; and 8 more", "")
	has(t, findings, partPermissions, OK, "nothing of: On-call, Keeper of hosts, ", "")
	for _, f := range findings {
		if strings.Contains(f.Text, "for db") || strings.Contains(f.Text, "read on cloudpw/report") {
			t.Errorf("%v", f)
		}
	}
	has(t, examine(t, sound()), partPermissions, Wrong, "can do nothing with cloudpw/", "docs/vault-policies.md")
	v = sound()
	v.may = func(path string) []string {
		if strings.HasPrefix(path, "cloudpw/rotate-connection/") {
			return []string{"update"} // without sudo
		}
		if path == "sys/leases/lookup" {
			return []string{"update"} // by the policy default
		}
		return []string{"deny"}
	}
	has(t, examine(t, v), partPermissions, Wrong, "can do nothing", "")
}

func TestConnectionsAndAccounts(t *testing.T) {
	soon := now.Add(time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		status any
		part   string
		level  Level
		text   string
		next   string
	}{
		"denied":  {nil, partConnections, Note, "may not see", "read on cloudpw/status"},
		"failing": {500, partConnections, Wrong, "refused by the test", "vault read cloudpw/status"},
		"idle":    {object{"running": false}, partConnections, Wrong, "rotates nothing", "vault operator members"},
		"loading": {object{"running": true, "loading": true}, partConnections, Note, "still being loaded", "cloudpw doctor"},
		"silent": {object{"running": true, "details": object{"connections": object{"prod": object{"breaker_open": true, "retry_in": 30.5,
			"last_error": "refused"}}}}, partConnections, Wrong, "prod: its cloud does not answer, and is asked again in 30s: refused",
			"vault read cloudpw/check/prod"},
		"an error": {object{"running": true, "details": object{"connections": object{"prod": object{"last_error": "denied"}}}},
			partConnections, Wrong, "prod: denied", "vault read cloudpw/check/prod"},
		"braked": {object{"running": true, "details": object{"connections": object{"prod": object{"braked": true, "braked_accounts": 9}}}},
			partConnections, Wrong, "resets of 9 accounts", "cloudpw servers --state braked --connection prod"},
		"credential": {object{"running": true, "details": object{"connections": object{"prod": object{"credential_expires": soon}}}},
			partConnections, Wrong, "ends 2026-11-30 13:00:00 UTC (in 1h)", "vault write -force cloudpw/rotate-root/prod"},
		"its rotation": {object{"running": true, "details": object{"connections": object{"prod": object{"root_rotation_error": "no"}}}},
			partConnections, Wrong, "cannot be replaced: no", "cloudpw/check/prod"},
		"accounts": {object{"running": true, "failing_count": 3, "details": object{"causes": []object{{"cause": "the instance is stopped",
			"accounts": 2}}}}, partAccounts, Wrong, "3 accounts fail, most since: the instance is stopped", "cloudpw servers --failing"},
		"roles":     {object{"running": true, "failing_role_count": 1}, partAccounts, Wrong, "the servers of 1 role cannot", "summary"},
		"drifted":   {object{"running": true, "drifted": 2}, partAccounts, Wrong, "2 servers have another password", "--drifted"},
		"one":       {object{"running": true, "drifted": 1}, partAccounts, Wrong, "1 server has another password", "--drifted"},
		"rebuilt":   {object{"running": true, "rebuilt": 2}, partAccounts, Note, "2 servers seem to", "--rebuilt"},
		"conflicts": {object{"running": true, "conflict_count": 4}, partAccounts, Note, "4 servers match a role", "summary"},
	} {
		t.Run(name, func(t *testing.T) {
			v := sound()
			v.reads["cloudpw/status"] = c.status
			has(t, examine(t, v), c.part, c.level, c.text, c.next)
		})
	}
}

func TestTools(t *testing.T) {
	look := func(tools Tools) []Finding {
		d := &Doctor{Tools: tools}
		d.tools(t.Context())
		return d.found
	}
	none := look(tools("sh"))
	for _, text := range []string{"there is no ssh", "there is no xfreerdp", "there is no clipboard"} {
		has(t, none, partTools, Note, text, "install")
	}
	all := look(tools())
	has(t, all, partTools, OK, "remote desktop: xfreerdp3", "")
	has(t, all, partTools, OK, "clipboard: wl-copy", "")
	without := tools("xclip", "ssh", "xfreerdp")
	without.Getenv = func(string) string { return "" } // no desktop, as in an SSH session
	has(t, look(without), partTools, Note, "there is no clipboard", "")
	for printed, level := range map[string]Level{"OpenSSH_8.4p1": OK, "OpenSSH_8.3p1": Note, "OpenSSH_10.0p2, OpenSSL": OK,
		"OpenSSH_7.9": Note, "OpenSSH_for_Windows_9.5p1": OK, "Dropbear v2022.83": Note} {
		old := tools()
		old.Output = func(context.Context, string, ...string) string { return printed }
		has(t, look(old)[:1], partTools, level, "", "")
	}
}
