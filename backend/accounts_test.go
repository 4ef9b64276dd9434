package backend

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func rotationID(connection, instance, username string) rotation.ID {
	return rotation.ID{Connection: connection, InstanceID: instance, Username: username}
}

func TestAccounts(t *testing.T) {
	h := leasedRole(t, nil)
	if got := h.list(t, "accounts/"); fmt.Sprint(got) != "[prod]" {
		t.Errorf("accounts/ lists %v", got)
	}
	if got := h.list(t, "accounts/prod"); fmt.Sprint(got) != "[srv-1]" {
		t.Errorf("accounts/prod lists %v", got)
	}
	if got := h.list(t, "accounts/prod/srv-1/"); fmt.Sprint(got) != "[root]" {
		t.Errorf("accounts/prod/srv-1 lists %v", got)
	}
	before := h.read(t, "accounts/prod/srv-1/root")
	if before["state"] != "empty" || before["current_version"] != 0 || before["role"] != "web" || before["mode"] != "leased" ||
		before["provider"] != resetCloud {
		t.Errorf("a new account is %v", before)
	}
	h.lease(t, "creds/web")
	after := h.read(t, "accounts/prod/srv-1/root")
	versions := after["versions"].([]map[string]any)
	leases := after["leases"].([]map[string]any)
	if len(versions) != 1 || versions[0]["current"] != true || versions[0]["disclosed_time"] == nil || versions[0]["disclosed_until"] == nil {
		t.Errorf("versions %v", versions)
	}
	if len(leases) != 1 || leases[0]["version"] != 1 || leases[0]["expire_time"] == "" {
		t.Errorf("leases %v", leases)
	}
	if after["state"] != "ready" || after["last_vault_rotation"] == nil {
		t.Errorf("after a lease: %v", after)
	}
	for _, path := range []string{"accounts/prod/srv-1/other", "accounts/none/srv-1/root", "accounts/prod/a..b/root"} {
		h.absent(t, path)
	}
	h.refused(t, logical.ListOperation, "accounts/a..b", nil, http.StatusBadRequest, "..")
}

func TestPagesOfAccounts(t *testing.T) {
	h := newHarness(t)
	var ids []string
	for i := range 7 {
		ids = append(ids, fmt.Sprintf("srv-%d", i))
		h.cloud.launch(cloud.Instance{ID: ids[i]})
	}
	h.connection(t, "c", resetCloud)
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": ids, "force_stop": true})
	if got := h.list(t, "accounts/c", "after", "srv-2", "limit", 3); fmt.Sprint(got) != "[srv-3 srv-4 srv-5]" {
		t.Errorf("a page is %v", got)
	}
	if got := h.list(t, "accounts/c", "after", "srv-55"); fmt.Sprint(got) != "[srv-6]" {
		t.Errorf("the names after one that is not there are %v", got)
	}
}

func TestGoneInstance(t *testing.T) {
	h := leasedRole(t, nil)
	lease := h.lease(t, "creds/web")
	h.cloud.terminate("srv-1")
	h.cloud.fail("StartReset", cloud.Errorf(cloud.NotFound, "no such instance"))
	h.revoke(t, lease)
	h.waitFor(t, "accounts/prod/srv-1/root", func(a map[string]any) bool { return a["state"] == "gone" })
	h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusBadRequest, "does not exist at the cloud any more")
}
