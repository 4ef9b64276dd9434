package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestRequiredTags(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Tags: map[string]string{"vault": "yes", "env": "prod"}})
	h.cloud.launch(cloud.Instance{ID: "srv-2", Tags: map[string]string{"vault": "no", "env": "prod"}})
	h.cloud.launch(cloud.Instance{ID: "srv-3", Tags: map[string]string{"env": "prod"}})
	h.write(t, "config/c", merged(connectionData(resetCloud), map[string]any{"required_tags": "vault=yes"}))
	role := map[string]any{"connection": "c", "force_stop": true}

	h.refusedWrite(t, "roles/r", merged(role, map[string]any{"instance_ids": "srv-1,srv-2,srv-3"}), "instance_ids", "required_tags",
		"vault=yes", "srv-2, srv-3")
	h.refusedWrite(t, "roles/r", merged(role, map[string]any{"instance_tags": "vault=no"}), "instance_tags", "required_tags", "vault=no",
		"vault=yes")
	h.absent(t, "roles/r")
	h.write(t, "roles/r", merged(role, map[string]any{"instance_tags": "env=prod"}))
	if got := h.list(t, "instances/r"); fmt.Sprint(got) != "[srv-1]" {
		t.Errorf("the role means %v, want only what carries the required tags", got)
	}
	h.cloud.change("srv-3", func(i *cloud.Instance) { i.Tags = map[string]string{"vault": "yes", "env": "prod"} })
	if got := h.list(t, "instances/r"); fmt.Sprint(got) != "[srv-1 srv-3]" {
		t.Errorf("the role means %v, want the newly tagged too", got)
	}
	h.refused(t, logical.ReadOperation, "creds/r/srv-2", nil, http.StatusBadRequest, "srv-2")

	// What listed roles were bound to before stays readable, and the write says so.
	h.cloud.launch(cloud.Instance{ID: "srv-4", Tags: map[string]string{"vault": "yes"}})
	h.write(t, "roles/listed", merged(role, map[string]any{"instance_ids": "srv-4"}))
	h.lease(t, "creds/listed")
	resp := h.write(t, "config/c", map[string]any{"required_tags": "vault=never"})
	if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "listed") || strings.Contains(resp.Warnings[0], "r,") {
		t.Errorf("the change of required_tags answers %v", resp)
	}
	asked := h.cloud.count("DescribeInstances", "FindInstances")
	h.lease(t, "creds/listed")
	if h.cloud.count("DescribeInstances", "FindInstances") != asked {
		t.Error("a read asked the cloud for tags")
	}
	h.refusedWrite(t, "roles/listed", map[string]any{}, "required_tags", "srv-4")
}
