package backend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
)

// TestAnotherTeamsCiphertextIsNotDecrypted is the attack: a team has a connection of its own, to a cloud that
// answers with what another team's server posted, and a role that names the other team's key.
func TestAnotherTeamsCiphertextIsNotDecrypted(t *testing.T) {
	h := newHarness(t)
	key, text := rsaKey(t, keyOne)
	h.write(t, "keys/ops", map[string]any{"private_key": text, keypair.ConnectionsField: "prod,prod-*"})
	h.cloud.launch(cloud.Instance{ID: "srv-1", KeyName: "ops"})
	h.cloud.boot(t, "srv-1", "st0len-passw0rd", &key.PublicKey)
	for _, name := range []string{"evil", "produce", "prod", "prod-eu"} {
		h.connection(t, name, initialCloud)
	}
	for _, how := range []map[string]any{{"key": "ops"}, {"key": nil}} { // by name, and by that of the key pair
		for _, connection := range []string{"evil", "produce"} {
			data := merged(map[string]any{"connection": connection, "instance_ids": "srv-1"}, how)
			h.refusedWrite(t, "roles/theirs", data, "key: ", "keys/ops is not for connection "+connection, keypair.ConnectionsField,
				"vault write cloudpw/keys/ops 'allowed_connections=prod,prod-*,"+connection+"'")
		}
	}
	data := map[string]any{"connection": "evil", "instance_ids": "srv-1", "key": "ops"}
	h.write(t, "keys/ops", map[string]any{keypair.ConnectionsField: "*"})
	h.write(t, "roles/theirs", data)
	for _, list := range []any{"prod", "", []any{}, nil, ",", "[]"} {
		resp := h.write(t, "keys/ops", map[string]any{keypair.ConnectionsField: list})
		if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "theirs") {
			t.Errorf("%v: the warnings are %v", list, resp.Warnings)
		}
		for _, path := range []string{"creds/theirs", "creds/theirs/srv-1"} {
			h.refused(t, logical.ReadOperation, path, nil, http.StatusBadRequest, "keys/ops is not for connection evil")
		}
		again := newHarnessOn(t, h.storage, h.cloud)
		again.refused(t, logical.ReadOperation, "creds/theirs", nil, http.StatusBadRequest, "keys/ops is not for connection evil")
	}
	h.refusedWrite(t, "roles/theirs", map[string]any{"key": ""}, "keys/ops is not for connection evil")
	if strings.Contains(h.stored(t, ""), "st0len-passw0rd") {
		t.Fatal("the password was decrypted for the other team")
	}
	// A role that waits without a right to the key keeps nobody from deleting it.
	h.delete(t, "roles/theirs")
	h.refused(t, logical.UpdateOperation, "roles/own", map[string]any{"connection": "prod-eu", "instance_ids": "srv-1"}, http.StatusBadRequest,
		"keys/ops is not for connection prod-eu")
	h.write(t, "keys/ops", map[string]any{keypair.ConnectionsField: "evil"})
	h.write(t, "roles/theirs", map[string]any{"connection": "evil", "instance_ids": "srv-1"})
	if got := h.read(t, "creds/theirs")["password"]; got != "st0len-passw0rd" {
		t.Errorf("an allowed connection reads %v", got)
	}
}

// TestAllowedConnectionsOfAKey: the default is everybody, said in words; the list changes alone, and stays when
// the key is replaced.
func TestAllowedConnectionsOfAKey(t *testing.T) {
	h := newHarness(t)
	_, one := rsaKey(t, keyOne)
	_, two := rsaKey(t, keyTwo)
	list := func() []string {
		t.Helper()
		got, ok := h.read(t, "keys/k")[keypair.ConnectionsField].([]string)
		if !ok {
			t.Fatal("the list is not read back")
		}
		return got
	}
	h.refusedWrite(t, "keys/k", map[string]any{keypair.ConnectionsField: "a"}, "private_key: required")
	h.write(t, "keys/k", map[string]any{"private_key": one})
	if !slices.Equal(list(), []string{"*"}) {
		t.Errorf("by default %v", list())
	}
	h.write(t, "keys/k", map[string]any{keypair.ConnectionsField: "a, b ,,a"})
	public := h.read(t, "keys/k")["public_key"]
	if !slices.Equal(list(), []string{"a", "b"}) || public == "" {
		t.Errorf("after a write of the list alone %v", list())
	}
	h.write(t, "keys/k", map[string]any{"private_key": two})
	if !slices.Equal(list(), []string{"a", "b"}) || h.read(t, "keys/k")["public_key"] == public {
		t.Errorf("after another key %v", list())
	}
	h.write(t, "keys/k", map[string]any{"private_key": two, keypair.ConnectionsField: "c"}) // the same key
	if !slices.Equal(list(), []string{"c"}) {
		t.Errorf("with the same key %v", list())
	}
	h.write(t, "keys/k", map[string]any{keypair.ConnectionsField: ""})
	if got := list(); len(got) != 0 {
		t.Errorf("emptied: %v", got)
	}
	h.refusedWrite(t, "keys/k", map[string]any{keypair.ConnectionsField: "a", "bits": 3072}, "bits: ")
	h.write(t, "keys/made", map[string]any{"generate": true, keypair.ConnectionsField: []string{"p"}})
	h.write(t, "keys/made", map[string]any{keypair.ConnectionsField: "q"})
	if got := fmt.Sprint(h.read(t, "keys/made")[keypair.ConnectionsField]); got != "[q]" {
		t.Errorf("a generated key is for %s", got)
	}
}
