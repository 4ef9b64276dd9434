package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

func TestStatus(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.launch(cloud.Instance{ID: "srv-2"})
	h.write(t, "roles/other", map[string]any{"connection": "prod", "instance_ids": "srv-2", "force_stop": true})
	h.write(t, "config/idle", merged(connectionData(bothCloud), map[string]any{"max_requests_per_second": 7}))
	lease := h.lease(t, "creds/web")
	got := h.waitFor(t, "status", func(s map[string]any) bool { return s["loading"] == false })
	if got["running"] != true || fmt.Sprint(got["accounts"]) != "map[empty:1 ready:1]" || got["leases"] != 1 || got["due"] != 0 ||
		got["failing_count"] != 0 {
		t.Errorf("status %v", got)
	}
	if _, ok := got["oldest_due"]; ok {
		t.Error("nothing is due, and there is an oldest due")
	}
	connections := h.statusDetails(t)["connections"].(map[string]any)
	if len(connections) != 2 || connections["idle"].(map[string]any)["requests_per_second"] != 7.0 {
		t.Errorf("connections %v", connections)
	}
	prod := connections["prod"].(map[string]any)
	if prod["requests_per_second"] != 1000.0 || prod["breaker_open"] != false || prod["retry_in"] != int64(0) ||
		fmt.Sprint(prod["waiting"]) != "map[]" {
		t.Errorf("connection prod %v", prod)
	}

	h.cloud.fail("StartReset", cloud.Errorf(cloud.Refused, "the server is moving house"))
	h.revoke(t, lease)
	got = h.waitFor(t, "status", func(s map[string]any) bool { return s["failing_count"] == 1 })
	failing := h.statusDetails(t)["failing"].([]map[string]any)[0]
	if failing["account"] != "prod/srv-1/root" || failing["state"] != "rotating" || failing["next_try"] == nil ||
		!strings.Contains(failing["last_error"].(string), "moving house") {
		t.Errorf("failing %v", failing)
	}
	if got["due"] != 1 || got["oldest_due"] == "" || got["oldest_due_seconds"].(int64) < 0 || got["queued"].(int) < 1 {
		t.Errorf("due %v since %v (%v s), queued %v", got["due"], got["oldest_due"], got["oldest_due_seconds"], got["queued"])
	}
	for _, secret := range []string{lease.Data["password"].(string), "s3cr3t"} {
		if strings.Contains(fmt.Sprint(got), secret) {
			t.Errorf("the status has a secret: %v", got)
		}
	}
}

// statusDetails is what programs read of the status.
func (h *harness) statusDetails(t *testing.T) map[string]any {
	t.Helper()
	return h.read(t, "status", "detailed", true)["details"].(map[string]any)
}

func TestStatusOfABrokenConnection(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.fail("StartReset", cloud.Errorf(cloud.Unavailable, "the cloud is down"))
	h.cloud.fail("ResetRecords", cloud.Errorf(cloud.Unavailable, "the cloud is down"))
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable)
	h.waitFor(t, "status", func(s map[string]any) bool {
		return strings.Contains(s["summary"].(string), "; last error: ") && strings.Contains(s["summary"].(string), "the cloud is down")
	})
	got := h.statusDetails(t)["connections"].(map[string]any)["prod"].(map[string]any)
	if got["breaker_open"] == true && got["retry_in"].(int64) < 1 {
		t.Errorf("an open breaker is tried again in %v s", got["retry_in"])
	}
}

func TestStatusForgetsDeletedConnections(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "gone", resetCloud)
	h.delete(t, "config/gone")
	if got := h.statusDetails(t)["connections"]; fmt.Sprint(got) != "map[]" {
		t.Errorf("connections %v", got)
	}
}

func TestStatusShowsConflicts(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/older", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-2"}))
	h.write(t, "roles/tags", map[string]any{"connection": resetCloud, "instance_tags": "env=prod", "force_stop": true})
	conflicts := func() []map[string]any {
		got := h.read(t, "status", "detailed", true)
		listed := got["details"].(map[string]any)["conflicts"].([]map[string]any)
		if got["conflict_count"] != len(listed) {
			t.Errorf("%d conflicts listed, %v counted", len(listed), got["conflict_count"])
		}
		return listed
	}
	got := conflicts()
	if len(got) != 1 || got[0]["role"] != "tags" || got[0]["connection"] != resetCloud || got[0]["instance_id"] != "srv-2" ||
		got[0]["username"] != "Administrator" || !strings.Contains(got[0]["reason"].(string), `"older"`) {
		t.Fatalf("conflicts %v", got)
	}
	again := newHarnessOn(t, h.storage, h.cloud)
	if n := again.read(t, "status")["conflict_count"]; n != 1 {
		t.Errorf("%v conflicts after a restart", n)
	}
	h.list(t, "instances/tags")
	if len(conflicts()) != 1 {
		t.Error("a look at the tags forgot the conflict")
	}
	h.delete(t, "roles/older")
	if got := h.list(t, "instances/tags"); fmt.Sprint(got) != "[srv-1 srv-2]" || len(conflicts()) != 0 {
		t.Errorf("after the older role: instances %v, conflicts %v", got, conflicts())
	}

	h.cloud.launch(cloud.Instance{ID: "srv-7", Tags: map[string]string{"env": "prod"}})
	h.write(t, "roles/seven", merged(baseRoles["leased"], map[string]any{"instance_ids": "srv-7"}))
	h.list(t, "instances/tags")
	if len(conflicts()) != 1 {
		t.Fatal("a newcomer of another role is no conflict")
	}
	h.cloud.terminate("srv-7")
	h.list(t, "instances/tags")
	if got := conflicts(); len(got) != 0 {
		t.Errorf("a server that is gone is still in conflict: %v", got)
	}
}

func TestManyConflictsAreCounted(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "c", resetCloud)
	var ids []string
	for i := range role.MaxConflicts + 20 {
		id := fmt.Sprintf("srv-%03d", i)
		ids = append(ids, id)
		h.cloud.launch(cloud.Instance{ID: id, Tags: map[string]string{"a": "b"}})
	}
	h.write(t, "roles/older", map[string]any{"connection": "c", "instance_ids": ids[1:], "force_stop": true})
	h.write(t, "roles/tags", map[string]any{"connection": "c", "instance_tags": "a=b", "force_stop": true})
	got := h.read(t, "status", "detailed", true)
	if listed := len(got["details"].(map[string]any)["conflicts"].([]map[string]any)); listed != role.MaxConflicts ||
		got["conflict_count"] != role.MaxConflicts+19 {
		t.Errorf("%d listed, %v counted", listed, got["conflict_count"])
	}
}

func TestRotateConnection(t *testing.T) {
	h := leasedRole(t, nil)
	for _, id := range []string{"srv-2", "srv-3"} {
		h.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux})
	}
	h.write(t, "roles/static", map[string]any{"connection": "prod", "instance_ids": "srv-2,srv-3", "mode": "static", "force_stop": true,
		"min_reset_interval": 0})
	h.connection(t, "elsewhere", bothCloud)
	h.cloud.launch(cloud.Instance{ID: "srv-4", Platform: cloud.Linux})
	h.write(t, "roles/elsewhere", map[string]any{"connection": "elsewhere", "instance_ids": "srv-4", "source": "reset"})
	first := h.lease(t, "creds/web")
	if got := h.write(t, "rotate-connection/prod", nil).Data["accounts_due"]; got != 3 {
		t.Errorf("%v accounts became due, want 3", got)
	}
	h.hasVersion(t, "srv-1", 2)
	h.hasVersion(t, "srv-2", 1)
	h.hasVersion(t, "srv-3", 1)
	if got := h.cloud.password("srv-1"); got == first.Data["password"] || got != h.lease(t, "creds/web").Data["password"] {
		t.Error("the disclosed password is still in use")
	}
	if h.cloud.password("srv-4") != "" {
		t.Error("an account of another connection was rotated")
	}
	h.cloud.terminate("srv-3")
	h.cloud.fail("StartReset", cloud.Errorf(cloud.NotFound, "no such instance"))
	h.write(t, "rotate-role/static/srv-3", nil)
	h.waitFor(t, "accounts/prod/srv-3/root", func(a map[string]any) bool { return a["state"] == "gone" })
	if got := h.write(t, "rotate-connection/prod", nil).Data["accounts_due"]; got != 2 {
		t.Errorf("%v accounts became due, want 2: one is gone", got)
	}
}

func TestRotateConnectionIsRefused(t *testing.T) {
	h := newHarness(t)
	h.refusedWrite(t, "rotate-connection/none", nil, "none", "config/none")
	h.refusedWrite(t, "rotate-connection/a..b", nil, "does not exist")
	h.connection(t, "c", initialCloud)
	h.refused(t, logical.UpdateOperation, "rotate-connection/c", nil, http.StatusConflict, "cannot reset")
	h.connection(t, "empty", resetCloud)
	if got := h.write(t, "rotate-connection/empty", nil).Data["accounts_due"]; got != 0 {
		t.Errorf("%v accounts", got)
	}
}
