package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// movedMount has a server in each of two roles by tags: srv-1 in a, srv-2 in b.
func movedMount(t *testing.T) *refreshMount {
	t.Helper()
	m := &refreshMount{newHarness(t), &fakeClock{now: time.Now()}}
	m.clock = m.time.clock()
	m.connection(t, "c", resetCloud)
	for id, team := range map[string]string{"srv-1": "a", "srv-2": "b"} {
		m.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux, Tags: map[string]string{"team": team}})
	}
	for _, team := range []string{"a", "b"} {
		m.write(t, "roles/"+team, map[string]any{"connection": "c", "instance_tags": "team=" + team, "force_stop": true, "min_reset_interval": 0})
	}
	return m
}

func (m *refreshMount) retag(id, team string) {
	m.cloud.change(id, func(i *cloud.Instance) { i.Tags = map[string]string{"team": team} })
}

// TestTagsAloneMoveNoAccount: whatever is done with tags, and in whatever order roles are looked at, written and
// read, the readers of the role that comes to match get nothing, and the role that has the account keeps it.
func TestTagsAloneMoveNoAccount(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, m *refreshMount){
		"looks": func(t *testing.T, m *refreshMount) { m.round(t); m.round(t); m.round(t) },
		"a client of the other role asks": func(t *testing.T, m *refreshMount) {
			m.refused(t, logical.ReadOperation, "creds/b/srv-1", nil, http.StatusBadRequest, "no instance")
			m.round(t)
			m.round(t)
		},
		"the other role is written": func(t *testing.T, m *refreshMount) { m.write(t, "roles/b", nil) },
		"its own role is written":   func(t *testing.T, m *refreshMount) { m.write(t, "roles/a", nil); m.round(t) },
		"the instances are listed":  func(t *testing.T, m *refreshMount) { m.list(t, "instances/a"); m.list(t, "instances/b") },
	} {
		t.Run(name, func(t *testing.T) {
			m := movedMount(t)
			m.lease(t, "creds/a/srv-1")
			password := m.cloud.password("srv-1")
			m.retag("srv-1", "b")
			do(t, m)
			if got := m.read(t, "accounts/c/srv-1/root"); got["role"] != "a" || got["due_reason"] != nil {
				t.Errorf("the account belongs to %v, due %v", got["role"], got["due_reason"])
			}
			if got := m.lease(t, "creds/a/srv-1").Data["password"]; got != password || m.cloud.password("srv-1") != password {
				t.Error("the password has changed, or its own role's readers do not get it")
			}
			m.refused(t, logical.ReadOperation, "creds/b/srv-1", nil, http.StatusBadRequest, "no instance")
			m.round(t)
			m.round(t)
			move := "vault write cloudpw/accounts/c/srv-1/root/move role=b"
			for _, shown := range []any{m.read(t, "roles/a")["waiting"], m.read(t, "roles/b")["waiting"], m.statusDetails(t)["conflicts"]} {
				if !strings.Contains(fmt.Sprint(shown), move) {
					t.Errorf("%v does not show what waits, with %q", shown, move)
				}
			}
		})
	}
}

// TestAMoveGivesANewPassword: on an operator's word the account moves, its old leases end, and nobody of the
// new role is given what readers of the old one know.
func TestAMoveGivesANewPassword(t *testing.T) {
	m := movedMount(t)
	old := m.lease(t, "creds/a/srv-1")
	password := m.cloud.password("srv-1")
	m.retag("srv-1", "b")
	got := m.write(t, "accounts/c/srv-1/root/move", map[string]any{"role": "b"}).Data
	if got["role"] != "b" { // it is due, or rotating, or rotated already: see the reader below
		t.Errorf("after the move: %v", got)
	}
	m.refused(t, logical.ReadOperation, "creds/a/srv-1", nil, http.StatusBadRequest, "no instance")
	lease := m.lease(t, "creds/b/srv-1")
	if value := lease.Data["password"]; value == password || value != m.cloud.password("srv-1") {
		t.Error("readers of the new role were given the old one's password")
	}
	renewal := logical.RenewRequest("creds/a/srv-1", old.Secret, old.Data)
	renewal.Storage = m.storage
	if resp, err := m.HandleRequest(t.Context(), renewal); err == nil && !resp.IsError() {
		t.Error("a lease of the old role was renewed")
	}
	m.revoke(t, old) // Vault has it still
	if got := m.read(t, "accounts/c/srv-1/root"); got["due_reason"] != nil || len(got["leases"].([]map[string]any)) != 1 {
		t.Errorf("the end of an old lease did something: %v", got)
	}
	if got := m.bound(t, "a") + m.bound(t, "b"); got != "[][srv-1 srv-2]" {
		t.Errorf("bound: %s", got)
	}
	m.retag("srv-1", "a") // and back: tags alone do not
	m.round(t)
	m.round(t)
	if got := m.read(t, "accounts/c/srv-1/root")["role"]; got != "b" {
		t.Errorf("a tag moved the account to %v", got)
	}
}

// TestAnAccountWithoutARoleWaitsForAWord: what last belonged to a role does, also for a role that lists its
// instances.
func TestAnAccountWithoutARoleWaitsForAWord(t *testing.T) {
	m := movedMount(t)
	m.lease(t, "creds/a/srv-1")
	password := m.cloud.password("srv-1")
	m.delete(t, "roles/a")
	if got := m.read(t, "accounts/c/srv-1/root"); got["last_role"] != "a" || got["role"] != "" {
		t.Fatalf("the account is %v", got)
	}
	listed := map[string]any{"connection": "c", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0}
	m.refused(t, logical.UpdateOperation, "roles/listed", listed, http.StatusConflict,
		"vault write cloudpw/accounts/c/srv-1/root/move role=listed")
	m.retag("srv-1", "b")
	m.round(t)
	m.refused(t, logical.ReadOperation, "creds/b/srv-1", nil, http.StatusBadRequest, "no instance")
	if got := m.write(t, "accounts/c/srv-1/root/move", map[string]any{"role": "listed"}); got.Data["move_to"] != "listed" ||
		len(got.Warnings) == 0 {
		t.Errorf("the word for a role that does not exist: %v %v", got.Data, got.Warnings)
	}
	m.round(t)
	if got := m.read(t, "accounts/c/srv-1/root")["role"]; got != "" {
		t.Errorf("another role than that of the word has the account: %v", got)
	}
	m.write(t, "roles/listed", listed)
	if got := m.lease(t, "creds/listed").Data["password"]; got == password || got != m.cloud.password("srv-1") {
		t.Error("readers of the new role were given the old one's password")
	}
}

// TestTakeOver: under sudo a role takes over what its tags match, or all of one role.
func TestTakeOver(t *testing.T) {
	m := movedMount(t)
	m.lease(t, "creds/a/srv-1")
	m.retag("srv-1", "b")
	m.round(t)
	got := m.write(t, "take-over/b", nil).Data
	if fmt.Sprint(got["accounts"]) != "[c/srv-1/root]" || got["count"] != 1 || m.bound(t, "b") != "[srv-1 srv-2]" || m.bound(t, "a") != "[]" {
		t.Errorf("%v; b has %s, a has %s", got, m.bound(t, "b"), m.bound(t, "a"))
	}
	m.lease(t, "creds/b/srv-1")
	m.delete(t, "roles/b")
	if got := m.write(t, "take-over/new", map[string]any{"from": "b", "connection": "c"}).Data["count"]; got != 1 {
		t.Errorf("%v accounts may move; srv-2 never had a password", got)
	}
	m.write(t, "roles/new", map[string]any{"connection": "c", "instance_ids": "srv-1,srv-2", "force_stop": true})
	m.refusedWrite(t, "take-over/nobody", nil, "from: required")
	m.refusedWrite(t, "take-over/new", map[string]any{"from": "new"}, "from: is the role new itself")
	m.refusedWrite(t, "take-over/nobody", map[string]any{"from": "new", "connection": "other"}, "connection: ",
		"role new belongs to connection c")
	m.refusedWrite(t, "take-over/new", map[string]any{"from": "b", "connection": "other"}, "connection: ", "role new belongs to connection c")
}

// TestARoleOfAnotherConnectionNeedsThatNamed, and the error says so.
func TestARoleOfAnotherConnectionNeedsThatNamed(t *testing.T) {
	m := movedMount(t)
	m.connection(t, "other", resetCloud)
	m.cloud.launch(cloud.Instance{ID: "srv-9", Platform: cloud.Linux})
	m.write(t, "roles/there", map[string]any{"connection": "other", "instance_ids": "srv-9", "force_stop": true})
	m.refusedWrite(t, "accounts/c/srv-1/root/move", map[string]any{"role": "there"}, "belongs to connection other", "with connection=other")
	m.refusedWrite(t, "accounts/c/srv-1/root/move", nil, "role: required")
	m.refusedWrite(t, "accounts/c/srv-7/root/move", map[string]any{"role": "b"}, "there is no account")
}

// TestAMoveToARoleToComeTellsHowToWriteIt, since there is nothing to read yet.
func TestAMoveToARoleToComeTellsHowToWriteIt(t *testing.T) {
	m := movedMount(t)
	resp := m.write(t, "accounts/c/srv-1/root/move", map[string]any{"role": "later"})
	if want := "vault write cloudpw/roles/later connection=c instance_ids=srv-1"; !strings.Contains(strings.Join(resp.Warnings, " "), want) {
		t.Errorf("%v does not say %q", resp.Warnings, want)
	}
}

// TestAMoveTakesAListedInstanceOffItsRole, so that the role can be written again.
func TestAMoveTakesAListedInstanceOffItsRole(t *testing.T) {
	m := movedMount(t)
	m.delete(t, "roles/a")
	m.write(t, "roles/l", map[string]any{"connection": "c", "instance_ids": "srv-1", "force_stop": true, "min_reset_interval": 0})
	m.cloud.launch(cloud.Instance{ID: "srv-3", Platform: cloud.Linux})
	m.write(t, "roles/l", map[string]any{"instance_ids": "srv-1,srv-3"})
	m.lease(t, "creds/l/srv-1")
	m.retag("srv-1", "b")
	m.write(t, "accounts/c/srv-1/root/move", map[string]any{"role": "b"})
	if got := m.read(t, "roles/l")["instance_ids"]; fmt.Sprint(got) != "[srv-3]" {
		t.Errorf("the role lists %v", got)
	}
	m.write(t, "roles/l", map[string]any{"ttl": "30m"})
}

// TestAnInitialPasswordIsNotReadForAnotherRole: nor past a DELETE of the account, where its cloud would tell it
// again.
func TestAnInitialPasswordIsNotReadForAnotherRole(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	initial := baseRoles["initial"]
	h.write(t, "roles/a", initial)
	path := "accounts/" + initialCloud + "/srv-1/Administrator"
	first := h.read(t, "creds/a")["password"]
	h.delete(t, "roles/a")
	h.ok(t, logical.DeleteOperation, path, forced)
	h.write(t, "roles/b", initial)
	h.refused(t, logical.ReadOperation, "creds/b", nil, http.StatusConflict, "readers of role a", "vault write cloudpw/import/")
	h.write(t, strings.Replace(path, "accounts/", "import/", 1), map[string]any{"password": "changed-By-hand-1"})
	if got := h.read(t, "creds/b")["password"]; got == first || got != "changed-By-hand-1" {
		t.Errorf("after the import the read gives %v", got)
	}
	h.delete(t, "roles/b")
	h.refused(t, logical.UpdateOperation, "roles/c", initial, http.StatusConflict, "/move role=c")
	h.write(t, path+"/move", map[string]any{"role": "c"})
	h.write(t, "roles/c", initial)
	h.refused(t, logical.ReadOperation, "creds/c", nil, http.StatusConflict, "readers of role b")
}
