//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// policySection matches a persona of the page about policies, and their policy: the first one below the heading.
var policySection = regexp.MustCompile("(?s)^([^\n]+)\n.*?```hcl\n(.*?)```")

// documentedPolicies are the policies of docs/vault-policies.md by the anchors of their headings, which are the personas.
func documentedPolicies(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/vault-policies.md")
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		if m := policySection.FindStringSubmatch(section); m != nil {
			policies[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = m[2]
		}
	}
	want := []string{"administrator", "emergency", "keeper-of-credentials", "keeper-of-host-keys",
		"keeper-of-hosts", "mover", "on-call", "operator", "reader", "recorder",
		"security-officer", "whoever-renames-the-mount"}
	if got := slices.Sorted(maps.Keys(policies)); !slices.Equal(got, want) {
		t.Fatalf("docs/vault-policies.md has policies of %v, want %v", got, want)
	}
	return policies
}

// as returns an env whose client has a token of that policy alone, beside Vault's own default policy.
func (e *env) as(t *testing.T, name, policy string) *env {
	t.Helper()
	if err := e.Client.Sys().PutPolicy(name, policy); err != nil {
		t.Fatalf("policy %s: %v", name, err)
	}
	vault := *e.Vault
	vault.Client = e.As(t, e.tokenOf(t, name))
	return &env{sim: e.sim, Vault: &vault}
}

// tokenOf makes a token with these policies.
func (e *env) tokenOf(t *testing.T, policies ...string) string {
	t.Helper()
	token, err := e.Client.Auth().Token().Create(&api.TokenCreateRequest{Policies: policies, TTL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	return token.Auth.ClientToken
}

// allowed lists the mount's calls that Vault lets the env's token make, as far as Vault's own answer goes.
func (e *env) allowed(t *testing.T, root *env, calls []call) []string {
	t.Helper()
	capability := map[string]string{http.MethodGet: "read", http.MethodPost: "update", http.MethodDelete: "delete", "LIST": "list"}
	var paths []string
	for _, c := range calls {
		path := root.sample(t, c.path)
		have, err := e.Client.Sys().CapabilitiesSelf(path)
		if err != nil {
			t.Fatal(err)
		}
		need := []string{capability[c.method]}
		if c.sudo {
			need = append(need, "sudo")
		}
		if !slices.ContainsFunc(need, func(n string) bool { return !slices.Contains(have, n) }) {
			paths = append(paths, c.String())
		}
	}
	return paths
}

// The policies of docs/vault-policies.md are enough for their persona and give nothing else.
func TestDocumentedPolicies(t *testing.T) {
	t.Parallel()
	root := sampled(t)
	root.role(t, "other", model.TencentCloud, "linux-1", nil)
	root.revoke(t, root.first(t, "web").lease)
	held := root.first(t, "web")
	calls := root.calls(t)
	policies := documentedPolicies(t)

	t.Run("reader", func(t *testing.T) {
		e := root.as(t, "reader", policies["reader"])
		secret := e.issue(t, "web")
		again := e.issue(t, "web/"+secret.InstanceID)
		if again.Password != secret.Password || secret.Version != held.Version {
			t.Error("another password than the administrator's")
		}
		if _, err := e.Client.Sys().Renew(secret.lease, 60); err != nil {
			t.Errorf("renew: %v", err)
		}
		e.CLI(t, "lease", "revoke", secret.lease)
		if _, err := e.Client.Logical().Write("sys/leases/revoke",
			map[string]any{"lease_id": held.lease}); harness.Status(err) != http.StatusForbidden {
			t.Errorf("revoke another's lease by its id in the body: %v", err)
		}
		if _, err := e.TryRead(t.Context(), "cloudpw/creds/other"); harness.Status(err) != http.StatusForbidden {
			t.Errorf("read another role: %v", err)
		}
		if got := e.allowed(t, root, calls); !slices.Equal(got, []string{"GET creds/{role}", "GET creds/{role}/{instance_id}",
			"LIST instances/{role}/"}) {
			t.Errorf("a reader may %v", got)
		}
	})
	t.Run("operator", func(t *testing.T) {
		e := root.as(t, "operator", policies["operator"])
		if a := e.accountOf(t, held); a.CurrentVersion != held.Version {
			t.Errorf("an operator sees version %d", a.CurrentVersion)
		}
		e.List(t, "cloudpw/instances/web")
		e.Read(t, "cloudpw/status")
		for _, c := range e.allowed(t, root, calls) {
			if strings.Contains(c, "creds/") || strings.Contains(c, "keys/") || strings.HasPrefix(c, "DELETE") ||
				strings.HasPrefix(c, "POST") && !strings.HasPrefix(c, "POST rotate-role/") && !strings.HasPrefix(c, "POST verify/") {
				t.Errorf("an operator may %s", c)
			}
		}
		if leases := e.List(t, "sys/leases/lookup/cloudpw/creds/web"); !slices.Contains(leases, path.Base(held.lease)) {
			t.Errorf("an operator sees the leases %v", leases)
		}
		if lease, err := e.Client.Sys().Lookup(held.lease); err != nil || lease.Data["id"] != held.lease {
			t.Errorf("look up a lease: %v, %v", lease, err)
		}
		if err := e.Client.Sys().RevokePrefix("cloudpw/creds/web"); err != nil {
			t.Errorf("revoke a role's leases: %v", err)
		}
		root.awaitRotated(t, held)
		e.Write(t, "cloudpw/rotate-role/web", nil)
	})
	t.Run("on call", func(t *testing.T) {
		e := root.as(t, "on-call", policies["on-call"])
		want := []string{"POST rotate-connection/{name}", "POST verify-connection/{name}"}
		if got := e.allowed(t, root, calls); !slices.Equal(got, want) {
			t.Errorf("the policy for those on call adds %v, want %v", got, want)
		}
	})
	t.Run("security officer", func(t *testing.T) {
		e := root.as(t, "security-officer", policies["security-officer"])
		for _, c := range e.allowed(t, root, calls) {
			if strings.Contains(c, "creds/") || strings.Contains(c, "versions/") || strings.HasPrefix(c, "DELETE") ||
				strings.HasPrefix(c, "POST") && c != "POST rotate-reader" {
				t.Errorf("a security officer may %s", c)
			}
		}
	})
	t.Run("administrator", func(t *testing.T) {
		e := root.as(t, "administrator", policies["administrator"])
		e.connect(t, model.AWS)
		e.role(t, "windows", model.AWS, "windows-1", nil)
		e.Delete(t, "cloudpw/roles/windows")
		e.Delete(t, "cloudpw/keys/"+keyOf(model.AWS))
		for _, c := range e.allowed(t, root, calls) {
			if strings.Contains(c, "creds/") || strings.Contains(c, "rotate") || strings.HasPrefix(c, "DELETE accounts/") {
				t.Errorf("an administrator may %s", c)
			}
		}
		e.Read(t, "cloudpw/check/tencentcloud")
		for _, list := range []string{"config", "keys", "roles", "accounts", "discover/tencentcloud"} {
			e.List(t, "cloudpw/"+list)
		}
	})
	t.Run("keeper", func(t *testing.T) {
		e := root.as(t, "keeper", policies["keeper-of-credentials"])
		e.Read(t, "cloudpw/check/tencentcloud")
		if found := e.List(t, "cloudpw/discover/tencentcloud"); !slices.Contains(found, held.InstanceID) {
			t.Errorf("a keeper discovers %v, want %s among them", found, held.InstanceID)
		}
		want := []string{"GET check/{name}", "LIST discover/{connection}/", "POST rotate-root/{name}"}
		if got := e.allowed(t, root, calls); !slices.Equal(got, want) {
			t.Errorf("a keeper may %v, want %v", got, want)
		}
	})
	t.Run("keeper of hosts", func(t *testing.T) {
		e := root.as(t, "keeper-of-hosts", policies["keeper-of-hosts"])
		want := []string{"DELETE hosts/{name}", "GET hosts/{name}", "LIST hosts/", "POST hosts", "POST hosts/{name}"}
		if got := e.allowed(t, root, calls); !slices.Equal(got, want) {
			t.Errorf("a keeper of hosts may %v, want %v", got, want)
		}
	})
	t.Run("keeper of host keys", func(t *testing.T) {
		e := root.as(t, "keeper-of-host-keys", policies["keeper-of-host-keys"])
		want := []string{"GET host-key/{name}", "GET hosts/{name}", "LIST hosts/", "POST host-key/{name}"}
		if got := e.allowed(t, root, calls); !slices.Equal(got, want) {
			t.Errorf("a keeper of host keys may %v, want %v", got, want)
		}
	})
	t.Run("recorder", func(t *testing.T) {
		root.Write(t, "cloudpw/config/prod-otc", root.connection(model.OpenTelekomCloud))
		id := root.sim.ServerID(t, model.OpenTelekomCloud, "linux-1")
		root.Write(t, "cloudpw/roles/appliance", map[string]any{"connection": "prod-otc", "instance_ids": id, "source": "import"})
		e := root.as(t, "recorder", policies["recorder"])
		e.Write(t, "cloudpw/import/prod-otc/"+id+"/root", map[string]any{"password": "Recorded-1-By-Hand"})
		if _, err := e.TryRead(t.Context(), "cloudpw/creds/appliance"); harness.Status(err) != http.StatusForbidden {
			t.Errorf("a recorder reads a password: %v", err)
		}
		if a := e.Read(t, "cloudpw/accounts/prod-otc/"+id+"/root"); fmt.Sprint(a.Data["current_version"]) != "1" {
			t.Errorf("a recorder sees %v", a.Data)
		}
		if got := e.allowed(t, root, calls); len(got) != 0 {
			t.Errorf("a recorder of one connection may on another %v", got)
		}
	})
	t.Run("mover", func(t *testing.T) {
		e := root.as(t, "mover", policies["mover"])
		want := []string{"POST accounts/{account_connection}/{instance_id}/{username}/move", "POST take-over/{role}"}
		if got := e.allowed(t, root, calls); !slices.Equal(got, want) {
			t.Errorf("a mover may %v, want %v", got, want)
		}
	})
	t.Run("emergency", func(t *testing.T) {
		e := root.as(t, "emergency", policies["emergency"])
		e.Read(t, "cloudpw/status")
		e.Write(t, "cloudpw/rotate-connection/tencentcloud", nil)
		for _, c := range e.allowed(t, root, calls) {
			if strings.Contains(c, "creds/") || strings.Contains(c, "config/") || strings.Contains(c, "keys/") || strings.Contains(c, "roles/") {
				t.Errorf("the policy for emergencies lets its holder %s", c)
			}
		}
		for _, c := range calls {
			if c.sudo && !strings.Contains(c.path, "rotate-root") && !strings.Contains(c.path, "take-over") &&
				!strings.Contains(c.path, "host-key") &&
				!slices.Contains(e.allowed(t, root, calls), c.String()) {
				t.Errorf("the policy for emergencies lacks %s", c)
			}
		}
	})
}
