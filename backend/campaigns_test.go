package backend

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// gatedStorage takes, once it is shut, writes of no more than the first hundred accounts of the fleet until it is opened. Nothing
// sleeps in it: who waits for a lock that a sleeper holds keeps the time of a bubble from passing.
type gatedStorage struct {
	logical.Storage
	mu     sync.Mutex
	opened chan struct{} // nil: it is not shut
	seen   map[string]bool
}

func (s *gatedStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	if strings.HasPrefix(e.Key, rotation.AccountPrefix+"fleet/") {
		s.mu.Lock()
		opened := s.opened
		if s.seen[e.Key] || len(s.seen) < 100 {
			s.seen[e.Key], opened = true, nil
		}
		s.mu.Unlock()
		if opened != nil {
			<-opened
		}
	}
	return s.Storage.Put(ctx, e)
}

// shut begins to hold back writes.
func (s *gatedStorage) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened, s.seen = make(chan struct{}), map[string]bool{}
}

func (s *gatedStorage) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.opened)
	s.opened = nil
}

// fleetRoles are roles on many servers, none of whose accounts has a password.
func fleetRoles(t *testing.T, h *harness, roles, each int) {
	t.Helper()
	h.write(t, "config/fleet", merged(connectionData(resetCloud), map[string]any{"max_requests_per_second": 1000}))
	for r := range roles {
		ids := make([]string, each)
		for n := range ids {
			ids[n] = fmt.Sprintf("srv-%d-%04d", r+1, n)
			h.cloud.launch(cloud.Instance{ID: ids[n], Platform: cloud.Linux})
		}
		h.write(t, fmt.Sprint("roles/many-", r+1), map[string]any{"connection": "fleet", "instance_ids": ids, "force_stop": true,
			"min_reset_interval": 0})
	}
}

// TestAnOrderOverAFleet is answered before its accounts are due, keeps nobody waiting, and is carried out by the next process.
func TestAnOrderOverAFleet(t *testing.T) {
	accounts := 10_000
	if testing.Short() || raceDetector {
		accounts = 1_000
	}
	synctest.Test(t, func(t *testing.T) {
		storage := &gatedStorage{Storage: new(logical.InmemStorage), seen: map[string]bool{}}
		h := newHarnessOn(t, storage, newFakeCloud())
		h.connection(t, "prod", resetCloud)
		h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
		h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "mode": "static", "force_stop": true,
			"skip_import_rotation": false})
		fleetRoles(t, h, 5, accounts/5)
		h.pass(t, time.Minute)
		h.as("olivia")
		storage.shut()
		answer := h.write(t, "rotate-connection/fleet", nil).Data
		id, _ := answer["campaign"].(string)
		if answer["accounts_due"] != accounts || id == "" || len(answer) != 2 {
			t.Errorf("%v", answer)
		}
		got := h.read(t, "campaigns/"+id)
		if got["not_yet_ordered"] != accounts-100 || got["total"] != accounts || got["requested_by"] != "userpass-olivia" {
			t.Errorf("after the order: %v", got)
		}
		began := time.Now()
		h.read(t, "creds/web")
		h.read(t, "status")
		if took := time.Since(began); took > time.Second {
			t.Errorf("others wait for %s", took)
		}
		h.refused(t, logical.UpdateOperation, "accounts/prod/srv-1/root/move", map[string]any{"connection": "fleet"}, http.StatusConflict,
			"campaign "+id, "vault read cloudpw/campaigns/"+id) // its list would miss the account under its new name
		storage.open() // it goes on, and the process ends
		h.Cleanup(context.Background())
		h = newHarnessOn(t, storage, h.cloud)
		if got := h.read(t, "campaigns/"+id); got["ended_time"] != nil {
			t.Errorf("after the restart: %v", got)
		}
		h.pass(t, 30*time.Minute)
		got = h.read(t, "campaigns/"+id)
		if got["done"] != accounts || got["end_reason"] != "completed" || got["failed"] != 0 || got["waiting"] != 0 {
			t.Errorf("in the end: %v", got)
		}
		for server, values := range h.cloud.sent {
			if len(values) != 1 && server != "srv-1" {
				t.Fatalf("%s was reset %d times", server, len(values))
			}
		}
	})
}

// TestALargeRoleIsAnsweredInShort: a hundred accounts are shown, more are counted.
func TestALargeRoleIsAnsweredInShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		fleetRoles(t, h, 1, 100)
		resp := h.write(t, "rotate-role/many-1", map[string]any{"wait": "45s"})
		accounts, _ := resp.Data["accounts"].(map[string]any)
		if len(accounts) != 100 || resp.Data["accounts_due"] != 100 || len(resp.Warnings) != 0 {
			t.Errorf("%d accounts, %v, %q", len(accounts), resp.Data["accounts_due"], resp.Warnings)
		}
		h.cloud.launch(cloud.Instance{ID: "srv-1-0100", Platform: cloud.Linux})
		ids := h.list(t, "instances/many-1")
		h.write(t, "roles/many-1", map[string]any{"instance_ids": append(ids, "srv-1-0100")})
		h.pass(t, time.Minute)
		resp = h.write(t, "rotate-role/many-1", map[string]any{"wait": "45s"})
		id, _ := resp.Data["campaign"].(string)
		if resp.Data["accounts"] != nil || resp.Data["done"] != 101 || resp.Data["waiting"] != 0 || len(resp.Warnings) != 1 ||
			!strings.Contains(resp.Warnings[0], "vault read cloudpw/campaigns/"+id) {
			t.Errorf("%v %q", resp.Data, resp.Warnings)
		}
		if got := h.read(t, "campaigns/"+id); got["end_reason"] != "completed" || got["role"] != "many-1" {
			t.Errorf("%v", got)
		}
	})
}

// TestCampaignsTellWhatFails, what was left out, and are listed and deleted.
func TestCampaignsTellWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		fleetRoles(t, h, 1, 12)
		h.pass(t, time.Minute)
		h.as("olivia")
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Denied, "you may not"))
		id, _ := h.write(t, "rotate-role/many-1", nil).Data["campaign"].(string)
		h.pass(t, time.Minute)
		got := h.read(t, "campaigns/"+id)
		causes, _ := got["causes"].([]map[string]any)
		failing, _ := got["failing"].([]map[string]any)
		if got["failed"] != 12 || got["ended_time"] != nil || len(causes) != 1 || causes[0]["accounts"] != 12 || len(failing) != 10 ||
			failing[0]["account"] == nil || !strings.Contains(fmt.Sprint(failing[0]["last_error"]), "you may not") {
			t.Errorf("%v", got)
		}
		if got := h.read(t, "campaigns/"+id, "limit", 3, "wait", "2s"); len(got["failing"].([]map[string]any)) != 3 {
			t.Errorf("%v", got)
		}
		h.refused(t, logical.ReadOperation, "campaigns/"+id, map[string]any{"limit": 1001}, http.StatusBadRequest, "limit: must be 0 to 1000")
		h.refused(t, logical.ReadOperation, "campaigns/"+id, map[string]any{"wait": "1h"}, http.StatusBadRequest, "wait")
		h.ok(t, logical.DeleteOperation, "accounts/fleet/srv-1-0003/root", map[string]any{"force": true})
		again, _ := h.write(t, "rotate-role/many-1", nil).Data["campaign"].(string)
		h.pass(t, time.Minute)
		if got := h.read(t, "campaigns/"+id); got["end_reason"] != "superseded" || got["failed"] != 11 {
			t.Errorf("the first order: %v", got)
		}
		keys := h.list(t, "campaigns")
		if !slices.Equal(keys, []string{again, id}) {
			t.Errorf("listed: %v", keys)
		}
		info, _ := h.ok(t, logical.ListOperation, "campaigns", nil).Data["key_info"].(map[string]any)
		if of, _ := info[again].(map[string]any); of["kind"] != "rotate-role" || of["total"] != 12 || of["requested_by"] != "userpass-olivia" {
			t.Errorf("%v", info)
		}
		if got := h.read(t, "campaigns/"+again); fmt.Sprint(got["skip_reasons"]) != "map[deleted:1]" || got["skipped"] != 1 {
			t.Errorf("%v", got)
		}
		h.delete(t, "campaigns/"+again)
		h.delete(t, "campaigns/"+again)
		h.absent(t, "campaigns/"+again)
		h.cloud.fail("StartReset", nil)
		h.pass(t, 2*time.Hour)
		if h.cloud.password("srv-1-0001") == "" {
			t.Error("a deleted campaign has taken back what was due")
		}
	})
}

// TestACampaignOfChecks tells what they have found.
func TestACampaignOfChecks(t *testing.T) {
	checkedRole(t, nil, func(t *testing.T, h *harness) {
		h.cloud.launch(cloud.Instance{ID: "srv-2"})
		h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2"})
		h.pass(t, 2*time.Minute)
		h.cloud.set("srv-2", "By-Hand-2000-abc")
		id, _ := h.write(t, "verify-connection/prod", nil).Data["campaign"].(string)
		h.pass(t, 10*time.Minute)
		got := h.read(t, "campaigns/"+id)
		if got["done"] != 2 || fmt.Sprint(got["results"]) != "map[differs:1 matches:1]" || got["end_reason"] != "completed" {
			t.Errorf("%v", got)
		}
	})
}

// TestACampaignOfASharedPassword counts accounts, and is not done while one of them is left out.
func TestACampaignOfASharedPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.connection(t, "prod", resetCloud)
		for n := range 3 {
			h.cloud.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", n+1), Platform: cloud.Linux})
		}
		h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1,srv-2,srv-3", "force_stop": true,
			"min_reset_interval": 0, "shared_password": true})
		id, _ := h.write(t, "rotate-role/web", nil).Data["campaign"].(string)
		h.pass(t, 10*time.Minute)
		if got := h.read(t, "campaigns/"+id); got["done"] != 3 || got["total"] != 3 || got["end_reason"] != "completed" {
			t.Errorf("%v", got)
		}
		h.cloud.refuses = map[string]bool{"srv-3": true}
		id, _ = h.write(t, "rotate-connection/prod", nil).Data["campaign"].(string)
		h.pass(t, time.Hour)
		got := h.read(t, "campaigns/"+id)
		if got["done"] != 2 || got["failed"] != 1 || !strings.Contains(fmt.Sprint(got["failing"]), "prod/srv-3/root") {
			t.Errorf("%v", got)
		}
	})
}
