package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestDiscover(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Name: "one", KeyName: "pair", Tags: map[string]string{"env": "prod"}})
	h.cloud.launch(cloud.Instance{ID: "srv-2", Platform: cloud.Linux, State: cloud.StateStopped, CloudState: "STOPPED",
		Tags: map[string]string{"env": "test"}})
	h.cloud.launch(cloud.Instance{ID: "srv-3", State: cloud.StateGone})
	h.cloud.launch(cloud.Instance{ID: "srv/4"})
	h.connection(t, "c", resetCloud)
	resp := h.ok(t, logical.ListOperation, "discover/c", nil)
	if fmt.Sprint(resp.Data["keys"]) != "[srv-1 srv-2]" {
		t.Errorf("found %v", resp.Data["keys"])
	}
	info := resp.Data["key_info"].(map[string]any)
	if got := fmt.Sprint(
		info["srv-1"]); got != "map[cloud_state:RUNNING key_name:pair name:one platform:windows state:running tags:map[env:prod]]" {
		t.Errorf("srv-1: %s", got)
	}
	if got := fmt.Sprint(info["srv-2"]); got != "map[cloud_state:STOPPED key_name: name: platform:linux state:stopped tags:map[env:test]]" {
		t.Errorf("srv-2: %s", got)
	}
	asked := h.cloud.count("FindInstances")
	if got := h.list(t, "discover/c", "limit", 1); fmt.Sprint(got) != "[srv-1]" {
		t.Errorf("first page %v", got)
	}
	if got := h.list(t, "discover/c/", "after", "srv-1", "limit", 1); fmt.Sprint(got) != "[srv-2]" {
		t.Errorf("second page %v", got)
	}
	if n := h.cloud.count("FindInstances") - asked; n != 1 {
		t.Errorf("two pages took %d listings", n)
	}
	h.write(t, "config/c", map[string]any{"required_tags": "env=prod"})
	if got := h.list(t, "discover/c", "after", "srv-0"); fmt.Sprint(got) != "[srv-1]" {
		t.Errorf("with required_tags found %v", got)
	}
	h.refused(t, logical.ListOperation, "discover/none", nil, http.StatusBadRequest, "config/none")
	h.cloud.fail("FindInstances", cloud.Errorf(cloud.Denied, "lack the permission"))
	h.refused(t, logical.ListOperation, "discover/c", nil, http.StatusBadRequest, "cannot list", "lack the permission")
}

// TestEmptyInstancesKeepTheirWarnings: with an empty list Vault would answer 404, and drop them.
func TestEmptyInstancesKeepTheirWarnings(t *testing.T) {
	h := newHarness(t)
	h.connection(t, "c", resetCloud)
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_tags": "env=none", "force_stop": true})
	resp := h.ok(t, logical.ListOperation, "instances/r", nil)
	if status, err := logical.RespondErrorCommon(&logical.Request{Operation: logical.ListOperation}, resp, nil); status != 0 || err != nil {
		t.Errorf("Vault answers %d, %v", status, err)
	}
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "no instance carries these tags") {
		t.Errorf("warnings %q", resp.Warnings)
	}
}
