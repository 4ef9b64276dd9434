package backend

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestNoErrorSendsAMoveIntoALossOfPasswords: who tries to bring a role to another connection is told what
// keeps the passwords, at every step of the way that ends in a forced delete.
func TestNoErrorSendsAMoveIntoALossOfPasswords(t *testing.T) {
	h := leasedRole(t, nil)
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.Tags = map[string]string{"role": "web"} })
	lease := h.lease(t, "creds/web")
	h.connection(t, "other", resetCloud)
	says := func(op logical.Operation, path string, data map[string]any, status int, texts ...string) {
		t.Helper()
		resp, err := h.request(t, op, path, data)
		got, message := statusOf(resp, err)
		if got != status {
			t.Fatalf("%s %s: status %d (%s), want %d", op, path, got, message, status)
		}
		for _, text := range texts {
			if !strings.Contains(message, text) {
				t.Errorf("%s %s: %q does not say %q", op, path, message, text)
			}
		}
		if strings.Contains(message, "vault delete") || strings.Contains(message, "force=true") && !strings.Contains(message, "nobody needs") {
			t.Errorf("%s %s: %q leads into a loss of passwords", op, path, message)
		}
	}
	moved := map[string]any{"connection": "other", "instance_ids": "srv-1", "force_stop": true}
	says(logical.UpdateOperation, "roles/web", map[string]any{"connection": "other"}, http.StatusBadRequest, "passwords belong to it",
		"vault read cloudpw/config/prod", "vault write cloudpw/accounts/prod/INSTANCE_ID/USERNAME/move connection=other role=ROLE")
	move := "vault write cloudpw/accounts/prod/srv-1/root/move connection=other role=web2"
	says(logical.UpdateOperation, "roles/web2", moved, http.StatusConflict, "connection=prod", "do not delete the account", move)
	tagged := map[string]any{"connection": "other", "instance_tags": "role=web", "force_stop": true}
	says(logical.UpdateOperation, "roles/web2", tagged, http.StatusConflict, "connection=prod", "do not delete the account", move)
	h.delete(t, "roles/web")
	says(logical.UpdateOperation, "roles/web2", moved, http.StatusConflict, "connection=prod", "do not delete the account", move)
	says(logical.DeleteOperation, webAccount, nil, http.StatusConflict, "write that role with connection=prod", "passwords are lost",
		"vault write cloudpw/accounts/prod/srv-1/root/move connection=CONNECTION role=ROLE")
	says(logical.UpdateOperation, "config/prod", map[string]any{"region": "r-2"}, http.StatusConflict, "leave this one")

	// What they say works, and keeps the passwords.
	h.write(t, webAccount+"/move", map[string]any{"role": "web2"})
	h.write(t, "roles/web2", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	account := h.read(t, webAccount)
	if account["role"] != "web2" || len(account["versions"].([]map[string]any)) == 0 {
		t.Errorf("the account is %v", account)
	}
	h.revoke(t, lease)
	h.write(t, webAccount+"/move", map[string]any{"connection": "other", "role": "web3"})
	h.write(t, "roles/web3", merged(moved, map[string]any{"min_reset_interval": 0}))
	if got := h.lease(t, "creds/web3").Data; got["password"] != h.cloud.password("srv-1") {
		t.Errorf("after the move to the other connection a reader gets version %v", got["version"])
	}
}

// TestAnAccountOfTheSameConnectionMoves: there nothing has to be forgotten at all.
func TestAnAccountOfTheSameConnectionMoves(t *testing.T) {
	h := leasedRole(t, nil)
	resp, err := h.request(t, logical.UpdateOperation, "roles/web2", map[string]any{"connection": "prod", "instance_ids": "srv-1",
		"force_stop": true})
	status, message := statusOf(resp, err)
	if status != http.StatusConflict || !strings.Contains(message, "vault write cloudpw/accounts/prod/srv-1/root/move role=web2") ||
		strings.Contains(message, "delete") {
		t.Errorf("the answer is %d %q", status, message)
	}
}
