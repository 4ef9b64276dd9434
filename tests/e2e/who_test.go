//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// signIn makes a person with a policy and returns an env with their token, and the id of their entity.
func (e *env) signIn(t *testing.T, person, policy string) (*env, string) {
	t.Helper()
	e.Write(t, "auth/userpass/users/"+person, map[string]any{"password": "not-a-server's", "policies": policy})
	login := e.Write(t, "auth/userpass/login/"+person, map[string]any{"password": "not-a-server's"})
	vault := *e.Vault
	vault.Client = e.As(t, login.Auth.ClientToken)
	return &env{sim: e.sim, Vault: &vault}, login.Auth.EntityID
}

// TestWhatALeaverWasGivenIsRotated: two people share servers, one under each rotate_on_revoke, and one of them leaves.
func TestWhatALeaverWasGivenIsRotated(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	ids := map[string]string{
		"last": e.role(t, "last", model.TencentCloud, "ubuntu-1", nil),
		"any":  e.role(t, "any", model.TencentCloud, "linux-1", map[string]any{"rotate_on_revoke": "any"}),
	}
	if err := e.Client.Sys().PutPolicy("readers", `path "cloudpw/creds/*" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	e.Write(t, "sys/auth/userpass", map[string]any{"type": "userpass"})
	alice, entity := e.signIn(t, "alice", "readers")
	bob, _ := e.signIn(t, "bob", "readers")

	given := map[string]issued{}
	for role := range ids {
		given[role] = alice.first(t, role)
		if also := bob.issue(t, role); also.Password != given[role].Password {
			t.Fatalf("bob is given another password of role %s", role)
		}
		account := e.Read(t, "cloudpw/accounts/"+string(model.TencentCloud)+"/"+ids[role]+"/"+given[role].Username)
		leases, _ := account.Data["leases"].([]any)
		named := 0
		for _, l := range leases {
			l, _ := l.(map[string]any)
			if address, _ := l["remote_address"].(string); address == "" {
				t.Errorf("the lease has no address: %v", l)
			}
			if l["entity_id"] == entity && l["display_name"] == "userpass-alice" {
				named++
			}
		}
		if len(leases) != 2 || named != 1 {
			t.Errorf("the leases of role %s are %v", role, leases)
		}
	}

	// She leaves. Her leases end with her token, which rotates under any, and under last not while bob has the password.
	if err := alice.Client.Auth().Token().RevokeSelf(""); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, rotatesWithin, "the rotation under any", func() error {
		if a := e.accountOf(t, given["any"]); a.State != "ready" || a.CurrentVersion == given["any"].Version {
			return fmt.Errorf("the account is %s, version %d", a.State, a.CurrentVersion)
		}
		return nil
	})
	e.sim.Accepts(t, ids["last"], given["last"].Username, given["last"].Password)
	answer := e.Write(t, "cloudpw/rotate-reader", map[string]any{"entity_id": entity})
	if got := fmt.Sprint(answer.Data["accounts_due"]); got != "1" {
		t.Errorf("%s accounts are due: %v", got, answer.Data)
	}
	e.awaitRotated(t, given["last"])
	for role, s := range given {
		e.sim.Refuses(t, ids[role], s.Username, s.Password)
		if next := bob.issue(t, role); next.Password == s.Password {
			t.Errorf("bob is given what alice knows of role %s", role)
		}
	}
}
