package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// as makes a person send the next requests.
func (h *harness) as(name string) {
	h.by, h.from = rotation.Requester{EntityID: "e-" + name, DisplayName: "userpass-" + name}, "192.0.2.7"
}

// readersOf are the readers that accounts/ shows with the current version.
func (h *harness) readersOf(t *testing.T, instance string) (readers []map[string]any, more bool) {
	t.Helper()
	versions, _ := h.account(t, instance)["versions"].([]map[string]any)
	if len(versions) == 0 {
		t.Fatal("there is no version")
	}
	current := versions[len(versions)-1]
	more, _ = current["more_readers"].(bool)
	return current["readers"].([]map[string]any), more
}

// TestLeasesSayWhoHasThem, and the version keeps it after they have ended.
func TestLeasesSayWhoHasThem(t *testing.T) {
	h := leasedRole(t, nil)
	h.as("alice")
	lease := h.lease(t, "creds/web")
	h.as("bob\x1b[2J")
	h.from = ""
	h.lease(t, "creds/web")
	leases, _ := h.account(t, "srv-1")["leases"].([]map[string]any)
	if len(leases) != 2 {
		t.Fatalf("the leases are %v", leases)
	}
	for _, want := range []map[string]any{
		{"entity_id": "e-alice", "display_name": "userpass-alice", "remote_address": "192.0.2.7"},
		{"entity_id": "e-bob\ufffd[2J", "display_name": "userpass-bob\ufffd[2J", "remote_address": nil},
	} {
		found := false
		for _, l := range leases {
			found = found || l["entity_id"] == want["entity_id"] && l["display_name"] == want["display_name"] &&
				l["remote_address"] == want["remote_address"]
		}
		if !found {
			t.Errorf("no lease says %v: %v", want, leases)
		}
	}
	h.revoke(t, lease)
	if readers, more := h.readersOf(t, "srv-1"); len(readers) != 2 || readers[0]["entity_id"] != "e-alice" || more {
		t.Errorf("the readers are %v, more: %t", readers, more)
	}
}

// TestAStaticReaderIsStoredOnce: the first read of a version by each reader is one write, and no later one is any.
func TestAStaticReaderIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &failingStorage{Storage: new(logical.InmemStorage)}
		h := newHarnessOn(t, storage, newFakeCloud())
		h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
		h.connection(t, "prod", resetCloud)
		h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true, "mode": "static",
			"skip_import_rotation": false})
		h.pass(t, time.Minute)
		begin := time.Now()
		for n := range 25 {
			h.as(fmt.Sprint("reader-", n))
			before := storage.writes.Load()
			for range 3 {
				h.read(t, "creds/web")
			}
			want := int64(1)
			if n > 20 { // that there were more than 20 is known
				want = 0
			}
			if got := storage.writes.Load() - before; got != want {
				t.Errorf("three reads of reader %d are %d writes, want %d", n, got, want)
			}
		}
		h.pass(t, time.Hour)
		h.as("reader-3")
		h.read(t, "creds/web")
		readers, more := h.readersOf(t, "srv-1")
		if len(readers) != 20 || !more {
			t.Fatalf("%d readers, more: %t", len(readers), more)
		}
		if got := readers[3]; got["first_time"] != request.Timestamp(begin) || got["last_time"] != request.Timestamp(begin.Add(time.Hour)) {
			t.Errorf("the reader is %v", got)
		}

		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		h.as("alice")
		storage.fails.Store(true)
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "storage")
		storage.fails.Store(false)
		h.read(t, "creds/web")
		if readers, _ := h.readersOf(t, "srv-1"); len(readers) != 1 || readers[0]["display_name"] != "userpass-alice" {
			t.Errorf("the new version's readers are %v", readers)
		}
		versions, _ := h.account(t, "srv-1")["versions"].([]map[string]any)
		if last := versions[len(versions)-2]["readers"].([]map[string]any)[3]["last_time"]; last != request.Timestamp(begin.Add(time.Hour)) {
			t.Errorf("what was in memory was not stored with the next version: %v", last)
		}
		storage.fails.Store(true) // a reader who is known needs no storage
		h.read(t, "creds/web")
		storage.fails.Store(false)
	})
}

// TestReadersOfASharedPassword stand with the role's password, whichever server it was read for.
func TestReadersOfASharedPassword(t *testing.T) {
	h := sharedRole(t, nil)
	h.write(t, "rotate-role/web", map[string]any{"wait": "45s"})
	h.as("alice")
	h.lease(t, "creds/web/srv-1")
	h.as("bob")
	h.lease(t, "creds/web")
	group, _ := h.account(t, "srv-2")["group"].(map[string]any)
	versions, _ := group["versions"].([]map[string]any)
	if len(versions) == 0 {
		t.Fatalf("the group is %v", group)
	}
	readers := versions[len(versions)-1]["readers"].([]map[string]any)
	if len(readers) != 2 || readers[0]["entity_id"] != "e-alice" || readers[1]["entity_id"] != "e-bob" {
		t.Errorf("the readers are %v", readers)
	}
}

// TestAVersionShownToAnOperatorWasGivenToThem.
func TestAVersionShownToAnOperatorWasGivenToThem(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.as("operator")
		h.read(t, webVersions+"/1")
		if readers, _ := h.readersOf(t, "srv-1"); len(readers) != 1 || readers[0]["entity_id"] != "e-operator" {
			t.Errorf("the readers are %v", readers)
		}
	})
}

// TestTheExclusiveRefusalLeadsToTheHolder: creds/ says until when, and where the holder is shown to those who may see it.
func TestTheExclusiveRefusalLeadsToTheHolder(t *testing.T) {
	h := leasedRole(t, map[string]any{"checkout": "exclusive"})
	h.as("alice")
	h.lease(t, "creds/web")
	h.as("bob")
	resp, err := h.request(t, logical.ReadOperation, "creds/web", nil)
	status, message := statusOf(resp, err)
	if status != http.StatusConflict {
		t.Fatalf("%d %s", status, message)
	}
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusConflict, "until 20", "vault read", "accounts/prod/srv-1/root")
	for _, secret := range []string{"alice", "192.0.2.7"} {
		if strings.Contains(message, secret) {
			t.Errorf("the refusal names the holder to whoever may read creds/: %s", message)
		}
	}
}

// TestRotateOnRevokeAny: the first lease that ends rotates, and once.
func TestRotateOnRevokeAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, map[string]any{"rotate_on_revoke": "any"})
		h.as("alice")
		alice := h.lease(t, "creds/web")
		h.as("bob")
		bob := h.lease(t, "creds/web")
		resets := h.resets()
		h.revoke(t, alice)
		h.pass(t, time.Minute)
		if got := h.resets() - resets; got != 1 {
			t.Errorf("%d resets after the first lease has ended", got)
		}
		if status, message := statusOf(h.renew(t, bob, 0)); status != http.StatusBadRequest {
			t.Errorf("the other lease is renewed: %d %s", status, message)
		}
		h.revoke(t, bob)
		h.pass(t, time.Minute)
		if got := h.resets() - resets; got != 1 {
			t.Errorf("%d resets after both leases have ended", got)
		}
		h.write(t, "roles/web", map[string]any{"rotate_on_revoke": ""})
		if got := h.read(t, "roles/web")["rotate_on_revoke"]; got != "last" {
			t.Errorf("the default is %v", got)
		}
		h.refusedWrite(t, "roles/web", map[string]any{"rotate_on_revoke": "first"}, "rotate_on_revoke", "last or any")
		h.refusedWrite(t, "roles/other", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true, "mode": "static",
			"rotate_on_revoke": "any"}, "rotate_on_revoke: belongs to leased roles")
	})
}
