package backend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// leaverMount has a leased role, a static one and one with a shared password, all of whose passwords alice and bob were given in
// turn, and one that only bob was given.
func leaverMount(t *testing.T) *harness {
	t.Helper()
	h := newHarness(t)
	for n := range 6 {
		h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", n+1), Platform: cloud.Linux})
	}
	h.connection(t, "prod", resetCloud)
	role := func(name, instances string, more map[string]any) {
		h.write(t, "roles/"+name, merged(map[string]any{"connection": "prod", "instance_ids": instances, "force_stop": true,
			"min_reset_interval": 0}, more))
	}
	role("leased", "srv-1", map[string]any{"ttl": "10h", "max_ttl": "100h"})
	role("static", "srv-2,srv-3", map[string]any{"mode": "static", "skip_import_rotation": false})
	role("shared", "srv-4,srv-5", map[string]any{"shared_password": true, "ttl": "10h", "max_ttl": "100h"})
	role("bobs", "srv-6", map[string]any{"mode": "static", "skip_import_rotation": false})
	h.write(t, "rotate-role/shared", nil)
	h.write(t, "rotate-role/leased", nil)
	h.pass(t, 10*time.Minute)
	return h
}

// TestRotateReaderFindsAllThatSomebodyWasGiven, whichever way and whether or not the lease has ended.
func TestRotateReaderFindsAllThatSomebodyWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leaverMount(t)
		h.as("alice")
		lease := h.lease(t, "creds/leased")
		h.lease(t, "creds/shared/srv-4")
		h.read(t, "creds/static/srv-2")
		h.as("bob")
		h.lease(t, "creds/leased")
		h.read(t, "creds/static/srv-3")
		h.read(t, "creds/bobs")
		for n := range 21 { // one more than are kept
			h.as(fmt.Sprint("reader-", n))
			h.read(t, "creds/static/srv-3")
		}
		h.revoke(t, lease) // bob holds the version still

		h.as("operator")
		h.refusedWrite(t, "rotate-reader", nil, "exactly one")
		h.refusedWrite(t, "rotate-reader", map[string]any{"entity_id": "e-alice", "display_name": "userpass-alice"}, "exactly one")
		resets := h.resets()
		for _, who := range []map[string]any{{"entity_id": "e-alice"}, {"display_name": "userpass-alice"}} {
			got := h.write(t, "rotate-reader", merged(who, map[string]any{"dry_run": true})).Data
			if got["accounts_due"] != 5 || got["accounts_possible"] != 1 || got["accounts_unable"] != 0 ||
				fmt.Sprint(got["accounts"]) != "[prod/srv-1/root prod/srv-2/root prod/*/shared prod/srv-3/root]" {
				t.Errorf("%v: %v", who, got)
			}
		}
		h.pass(t, time.Minute)
		if got := h.resets(); got != resets {
			t.Errorf("a dry run makes %d resets", got-resets)
		}
		var before []string
		for n := range 6 {
			before = append(before, h.cloud.password(fmt.Sprintf("srv-%d", n+1)))
		}
		got := h.write(t, "rotate-reader", map[string]any{"entity_id": "e-alice"}).Data
		if got["accounts_due"] != 5 || got["accounts_possible"] != 1 || got["accounts"] != nil {
			t.Errorf("the answer is %v", got)
		}
		h.pass(t, 10*time.Minute)
		for n, old := range before {
			if now := h.cloud.password(fmt.Sprintf("srv-%d", n+1)); (now != old) != (n < 5) {
				t.Errorf("srv-%d has %q, and had %q", n+1, now, old)
			}
		}
		versions, _ := h.account(t, "srv-1")["versions"].([]map[string]any)
		if last := versions[len(versions)-1]; last["reason"] != "reader" || last["requested_by"] != "userpass-operator" {
			t.Errorf("the new version says %v", last)
		}
		if got := h.write(t, "rotate-reader", map[string]any{"entity_id": "e-alice", "dry_run": true}).Data; got["accounts_due"] != 0 {
			t.Errorf("afterwards she still has %v", got)
		}
		if got := h.write(t, "rotate-reader", map[string]any{"entity_id": "e-bob", "dry_run": true}).Data; got["accounts_due"] != 1 {
			t.Errorf("what was only bob's is %v", got)
		}
	})
}

// TestRotateReaderComparesPasswords: what was given as an older version is the current one again after a restore, even when the
// record has no names with it any more.
func TestRotateReaderComparesPasswords(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.as("alice")
		h.read(t, "creds/web")
		h.as("operator")
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		if got := h.write(t, "rotate-reader", map[string]any{"entity_id": "e-alice", "dry_run": true}).Data; got["accounts_due"] != 0 {
			t.Errorf("of an older version: %v", got)
		}
		h.write(t, webVersions+"/1/restore", map[string]any{"skip_import_rotation": true})
		if got := h.write(t, "rotate-reader", map[string]any{"entity_id": "e-alice", "dry_run": true}).Data; got["accounts_due"] != 1 {
			t.Errorf("of a restored version: %v", got)
		}
	})
}

// TestRotateReaderNamesWhatCannotBeRotated: there somebody has to set another password by hand.
func TestRotateReaderNamesWhatCannotBeRotated(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	account := initialCloud + "/srv-1/Administrator"
	h.as("operator")
	h.write(t, "import/"+account, map[string]any{"password": "By-Hand-2000-abc"})
	h.as("alice")
	h.read(t, "creds/win")
	for _, who := range []string{"alice", "operator"} {
		got := h.write(t, "rotate-reader", map[string]any{"display_name": "userpass-" + who}).Data
		if got["accounts_due"] != 0 || got["accounts_unable"] != 1 || fmt.Sprint(got["unable"]) != "["+account+"]" {
			t.Errorf("what %s knows: %v", who, got)
		}
	}
}

// TestRotateReaderWhileTheCloudRefuses: the word is kept, with who gave it.
func TestRotateReaderWhileTheCloudRefuses(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.as("alice")
		h.read(t, "creds/web")
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Throttled, "later"))
		h.as("operator")
		if got := h.write(t, "rotate-reader", map[string]any{"display_name": "userpass-alice"}).Data; got["accounts_due"] != 1 {
			t.Errorf("the answer is %v", got)
		}
		if got := h.account(t, "srv-1"); got["due_reason"] != "reader" || got["due_requested_by"] != "userpass-operator" {
			t.Errorf("the account is due %v, for %v", got["due_reason"], got["due_requested_by"])
		}
	})
}
