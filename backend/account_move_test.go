package backend

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestAMoveToAnotherConnection: with all versions, and nobody of the role there is given what readers of the old one know.
func TestAMoveToAnotherConnection(t *testing.T) {
	m := movedMount(t)
	m.connection(t, "d", resetCloud)
	old := m.lease(t, "creds/a/srv-1")
	password := m.cloud.password("srv-1")
	got := m.write(t, "accounts/c/srv-1/root/move", map[string]any{"connection": "d", "role": "x"})
	if got.Data["account"] != "d/srv-1/root" || got.Data["role"] != "" || got.Data["last_role"] != "a" || got.Data["move_to"] != "x" ||
		!strings.Contains(strings.Join(got.Warnings, " "), "vault write cloudpw/roles/x connection=d instance_ids=srv-1") {
		t.Errorf("the answer is %v, warnings %v", got.Data, got.Warnings)
	}
	m.absent(t, "accounts/c/srv-1/root")
	m.refused(t, logical.ReadOperation, "creds/a/srv-1", nil, http.StatusBadRequest, "no instance")
	m.refused(t, logical.UpdateOperation, "roles/y", map[string]any{"connection": "d", "instance_ids": "srv-1", "force_stop": true},
		http.StatusConflict, "vault write cloudpw/accounts/d/srv-1/root/move role=y")
	if resp, err := m.renew(t, old, 0); err == nil && !resp.IsError() {
		t.Error("a lease of before the move was renewed")
	}
	m.revoke(t, old) // Vault has it still
	m.revoke(t, old)
	m.write(t, "roles/x", map[string]any{"connection": "d", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0})
	lease := m.lease(t, "creds/x")
	if value := lease.Data["password"]; value == password || value != m.cloud.password("srv-1") || lease.Data["version"] != 2 {
		t.Errorf("readers at the new connection were given version %v, or the old one's password", lease.Data["version"])
	}
	if before := m.read(t, "versions/d/srv-1/root/1"); before["password"] != password {
		t.Error("the version of before the move is lost")
	}
	if resp, err := m.renew(t, lease, 0); err != nil || resp.IsError() {
		t.Errorf("a lease of after the move is not renewed: %v %v", resp, err)
	}
	m.round(t) // whose tags say that the server is a's
	m.round(t)
	if a, x := m.bound(t, "a"), m.bound(t, "x"); a != "[]" || x != "[srv-1]" {
		t.Errorf("bound: a has %s, x has %s", a, x)
	}
	if shown := fmt.Sprint(m.read(t, "roles/a")["waiting"]); !strings.Contains(shown,
		"vault write cloudpw/accounts/d/srv-1/root/move connection=c role=a") {
		t.Errorf("the role that had the server shows %s", shown)
	}
}

// TestAConnectionGetsAnotherName: where the same role goes on with the accounts, its readers keep their password.
func TestAConnectionGetsAnotherName(t *testing.T) {
	h := leasedRole(t, staticRole)
	h.connection(t, "renamed", resetCloud)
	h.waitFor(t, webAccount, func(account map[string]any) bool { return account["state"] == "ready" })
	password, resets := h.read(t, "creds/web")["password"], h.resets()
	h.delete(t, "roles/web")
	got := h.write(t, webAccount+"/move", map[string]any{"connection": "renamed"})
	if got.Data["account"] != "renamed/srv-1/root" || !strings.Contains(strings.Join(got.Warnings, " "), "no role has the account") {
		t.Errorf("the answer is %v, warnings %v", got.Data, got.Warnings)
	}
	h.delete(t, "config/prod")
	h.write(t, "roles/web", merged(staticRole, map[string]any{"connection": "renamed", "instance_ids": "srv-1", "skip_import_rotation": true}))
	if now := h.read(t, "creds/web")["password"]; now != password || h.resets() != resets {
		t.Errorf("the move cost %d resets, or the role's readers get another password", h.resets()-resets)
	}
	if account := h.read(t, "accounts/renamed/srv-1/root"); account["due_reason"] != nil || account["role"] != "web" {
		t.Errorf("the account is %v", account)
	}
	h.connection(t, "prod", resetCloud) // and back, whatever was there before
	h.delete(t, "roles/web")
	h.write(t, "accounts/renamed/srv-1/root/move", map[string]any{"connection": "prod", "role": "web"})
	if list := h.list(t, "accounts/prod"); !slices.Equal(list, []string{"srv-1"}) || h.read(t, webAccount)["current_version"] != 1 {
		t.Errorf("after the way back: %v", list)
	}
}

// TestAccountsOfADeletedConnectionMove, since what it was is known.
func TestAccountsOfADeletedConnectionMove(t *testing.T) {
	h := leasedRole(t, staticRole)
	h.waitFor(t, webAccount, func(account map[string]any) bool { return account["state"] == "ready" })
	password := h.read(t, "creds/web")["password"]
	h.delete(t, "roles/web")
	h.delete(t, "config/prod")
	h.connection(t, "renamed", resetCloud)
	h.write(t, webAccount+"/move", map[string]any{"connection": "renamed"})
	if kept := h.read(t, "versions/renamed/srv-1/root/1")["password"]; kept != password {
		t.Error("the version of before is lost")
	}
	h.absent(t, webAccount)
}

// TestAMoveToARoleOfAnotherConnection: one that exists takes the account at once, by its tags.
func TestAMoveToARoleOfAnotherConnection(t *testing.T) {
	m := movedMount(t)
	m.connection(t, "d", resetCloud)
	m.lease(t, "creds/b/srv-2")
	m.cloud.change("srv-2", func(i *cloud.Instance) { i.Tags = map[string]string{"team": "b", "env": "prod"} })
	m.write(t, "roles/there", map[string]any{"connection": "d", "instance_tags": "env=none", "force_stop": true, "min_reset_interval": 0})
	m.cloud.change("srv-2", func(i *cloud.Instance) { i.Tags = map[string]string{"team": "b", "env": "none"} })
	m.refusedWrite(t, "accounts/c/srv-2/root/move", map[string]any{"role": "there"}, "belongs to connection d", "with connection=d")
	got := m.write(t, "accounts/c/srv-2/root/move", map[string]any{"connection": "d", "role": "there"})
	if got.Data["role"] != "there" || got.Data["account"] != "d/srv-2/root" || len(got.Warnings) != 0 {
		t.Errorf("the answer is %v, warnings %v", got.Data, got.Warnings)
	}
	if a := m.lease(t, "creds/there/srv-2"); a.Data["password"] != m.cloud.password("srv-2") {
		t.Error("the role's readers are given another password than the server has")
	}
}

// TestMovesToAnotherConnectionRefused says why, and what to do instead. Nothing is changed by it.
func TestMovesToAnotherConnectionRefused(t *testing.T) {
	m := movedMount(t)
	m.lease(t, "creds/a/srv-1")
	move := "accounts/c/srv-1/root/move"
	for name, data := range map[string]map[string]any{
		"elsewhere": {"region": "r-2"}, "another": {"provider": bothCloud}, "tags": {"required_tags": "team=z"},
		"closed": {"allowed_roles": "b"}, "twin": {}, "doubted": {},
	} {
		m.write(t, "config/"+name, merged(connectionData(resetCloud), data))
	}
	refused := func(status int, connection string, says ...string) {
		t.Helper()
		m.refused(t, logical.UpdateOperation, move, map[string]any{"connection": connection, "role": "x"}, status, says...)
	}
	refused(http.StatusBadRequest, "none", "connection", "config/none")
	refused(http.StatusBadRequest, "no/name", "connection")
	refused(http.StatusBadRequest, "another", "connection", "is of "+resetCloud)
	refused(http.StatusConflict, "elsewhere", "connection", "not known to be the same account", "place/c", "place/elsewhere")
	refused(http.StatusBadRequest, "tags", "connection", "required_tags")
	refused(http.StatusBadRequest, "closed", "role", "does not allow role x")
	m.refusedWrite(t, move, map[string]any{"connection": "c"}, "role: required")
	m.cloud.fail("DescribeInstances", cloud.Errorf(cloud.Denied, "not authorized"))
	refused(http.StatusBadRequest, "twin", "connection", "cannot describe instance srv-1", "not authorized")
	m.cloud.fail("DescribeInstances", nil)
	m.cloud.hide("srv-1")
	refused(http.StatusBadRequest, "twin", "connection", "knows no instance srv-1", "discover/twin")
	m.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux, State: cloud.StateGone})
	refused(http.StatusBadRequest, "twin", "connection", "knows no instance srv-1")
	m.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux, Tags: map[string]string{"team": "a"}})

	entered, goOn := m.hang("StartReset")
	defer goOn()
	m.write(t, "rotate-role/a/srv-1", nil)
	<-entered
	refused(http.StatusConflict, "twin", "connection", "is being rotated", "wait")
	goOn()
	account := m.waitFor(t, "accounts/c/srv-1/root", func(account map[string]any) bool { return account["state"] == "ready" })
	if account["role"] != "a" || account["current_version"] != 2 {
		t.Errorf("after all refusals: %v", account)
	}
	m.absent(t, "accounts/twin/srv-1/root")
}

// TestMembersOfAGroupStay: what they share is their role's.
func TestMembersOfAGroupStay(t *testing.T) {
	m := movedMount(t)
	m.connection(t, "d", resetCloud)
	m.cloud.launch(cloud.Instance{ID: "srv-3", Platform: cloud.Linux})
	m.cloud.launch(cloud.Instance{ID: "srv-4", Platform: cloud.Linux})
	m.write(t, "roles/g", map[string]any{"connection": "c", "instance_ids": "srv-3,srv-4", "shared_password": true, "force_stop": true})
	m.refused(t, logical.UpdateOperation, "accounts/c/srv-3/root/move", map[string]any{"connection": "d"}, http.StatusConflict,
		"shares the password of role g", "out of that role first")
}

// TestAMovedServerLeavesTheRoleThatListsIt, so that the role can be written again.
func TestAMovedServerLeavesTheRoleThatListsIt(t *testing.T) {
	m := movedMount(t)
	m.connection(t, "d", resetCloud)
	for _, id := range []string{"srv-3", "srv-4"} {
		m.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux})
	}
	m.write(t, "roles/l", map[string]any{"connection": "c", "instance_ids": "srv-3,srv-4", "force_stop": true})
	m.write(t, "accounts/c/srv-3/root/move", map[string]any{"connection": "d"})
	if got := m.read(t, "roles/l"); fmt.Sprint(got["instance_ids"]) != "[srv-4]" || m.bound(t, "l") != "[srv-4]" {
		t.Errorf("the role lists %v", got["instance_ids"])
	}
	m.write(t, "roles/l", map[string]any{"ttl": "30m"})
}

// TestAConnectionThatChangesDuringAMove: what its cloud said before does not count then.
func TestAConnectionThatChangesDuringAMove(t *testing.T) {
	m := movedMount(t)
	m.lease(t, "creds/a/srv-1")
	m.connection(t, "d", resetCloud)
	m.cloud.mu.Lock()
	m.cloud.during = map[string]func(context.Context) error{"DescribeInstances": func(context.Context) error {
		m.cloud.mu.Lock()
		m.cloud.during = nil
		m.cloud.mu.Unlock()
		m.write(t, "config/d", map[string]any{"endpoints": map[string]any{"compute": lyingEndpoint}, "access_key": "x",
			"secret_key": "xxxxxxxx", "verify_connection": false})
		return nil
	}}
	m.cloud.mu.Unlock()
	m.refused(t, logical.UpdateOperation, "accounts/c/srv-1/root/move", map[string]any{"connection": "d"}, http.StatusConflict, "connection")
	if got := m.read(t, "accounts/c/srv-1/root"); got["role"] != "a" {
		t.Errorf("the account is %v", got)
	}
}
