package backend

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// TestARoleInItsWriteKeepsItsAccounts: a role is stored after its accounts are bound, so between the two it does not map
// to them yet. While its lock is held, another role's writer must not take that for the trace of a crash.
func TestARoleInItsWriteKeepsItsAccounts(t *testing.T) {
	account := "accounts/" + resetCloud + "/srv-1/Administrator"
	for name, writing := range map[string]bool{"in the middle of its write": true, "cut short": false} {
		t.Run(name, func(t *testing.T) {
			h := roleMount(t)
			h.write(t, "roles/first", baseRoles["leased"])
			if err := h.storage.Delete(t.Context(), role.Prefix+"first"); err != nil {
				t.Fatal(err)
			}
			h.InvalidateKey(t.Context(), role.Prefix+"first")
			if !writing {
				h.write(t, "roles/second", baseRoles["leased"])
				if got := h.read(t, account)["role"]; got != "second" {
					t.Errorf("the account belongs to %v", got)
				}
				return
			}
			if h.roles.Shared("first", "second") {
				t.Fatal("the two names share a lock: choose others")
			}
			defer h.roles.Lock("first")()
			h.refused(t, logical.UpdateOperation, "roles/second", baseRoles["leased"], http.StatusConflict, `"first"`)
			if got := h.read(t, account)["role"]; got != "first" {
				t.Errorf("the account belongs to %v", got)
			}
		})
	}
}

// TestAnImportedAccountNeverReadsTheFirstPasswordAgain: it is forgotten and bound again, and the cloud still has the
// password of the first boot, which the server has not any more.
func TestAnImportedAccountNeverReadsTheFirstPasswordAgain(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	role := map[string]any{"connection": initialCloud, "instance_ids": "srv-1"}
	account := initialCloud + "/srv-1/Administrator"
	h.write(t, "roles/win", role)
	h.write(t, "import/"+account, map[string]any{"password": "Chang3d-by-hand"})
	h.ok(t, logical.DeleteOperation, "accounts/"+account, forced)
	h.write(t, "roles/win", role)
	resp, err := h.request(t, logical.ReadOperation, "creds/win", nil)
	if status, message := statusOf(resp, err); status == http.StatusOK {
		t.Errorf("a client was given the stale first password: %s", message)
	}
	if n := h.cloud.count("InitialPassword"); n != 0 {
		t.Errorf("the cloud was asked for it %d times", n)
	}
	if h.read(t, "accounts/"+account)["initial_overwritten"] != true {
		t.Error("the new account does not know that it was overwritten")
	}
}

// TestWritingARoleBringsItsAccountsBack: of an instance that was thought gone and is there again.
func TestWritingARoleBringsItsAccountsBack(t *testing.T) {
	h := leasedRole(t, nil)
	live, err := h.core.Connected(t.Context(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.core.Retire(t.Context(), rotationID("prod", "srv-1", "root"), live.Place); err != nil {
		t.Fatal(err)
	}
	if got := h.read(t, webAccount)["state"]; got != "gone" {
		t.Fatalf("the account is %v", got)
	}
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1"})
	if got := h.read(t, webAccount)["state"]; got == "gone" {
		t.Error("writing the role again, which looks at its instances, leaves the account gone")
	}
	h.lease(t, "creds/web")
}

// TestTerminatedInstancesDoNotExist: a cloud that lists them does not make them exist, wherever instances are looked for.
func TestTerminatedInstancesDoNotExist(t *testing.T) {
	m := newRefreshMount(t)
	m.cloud.change("srv-2", func(i *cloud.Instance) { i.State = cloud.StateGone })
	exist, _, err := m.roles.Existing(t.Context(), "c", []string{"srv-1", "srv-2"})
	if _, terminated := exist["srv-2"]; err != nil || terminated || len(exist) != 1 {
		t.Errorf("existing: %v, %v", exist, err)
	}
	m.write(t, "roles/r", taggedRole)
	if got := m.bound(t, "r"); got != "[srv-1]" {
		t.Errorf("a role that is written keeps what it sees terminated: %s", got)
	}
	if got := m.read(t, "accounts/c/srv-2/root")["state"]; got != "gone" {
		t.Errorf("the account is %v", got)
	}
}
