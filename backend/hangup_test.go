package backend

import (
	"context"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestClientsThatHangUpTellNothingOfTheCloud has many clients leave while the initial password is read for them.
func TestClientsThatHangUpTellNothingOfTheCloud(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	for range 20 {
		ctx, hangUp := context.WithCancel(t.Context())
		h.cloud.during = map[string]func(context.Context) error{"InitialPassword": func(call context.Context) error {
			hangUp()
			<-call.Done()
			return cloud.Transport("InitialPassword", call.Err())
		}}
		if _, err := h.HandleRequest(ctx, &logical.Request{Operation: logical.ReadOperation, Path: "creds/win", Storage: h.storage}); err == nil {
			t.Fatal("a read that was given up succeeded")
		}
		hangUp()
	}
	h.cloud.during = nil
	connection := h.statusDetails(t)["connections"].(map[string]any)[initialCloud].(map[string]any)
	if connection["breaker_open"] != false || connection["last_error"] != "" {
		t.Errorf("after clients that hung up: %v", connection)
	}
	if got := h.read(t, "creds/win")["password"]; got != "fr0m-the-guest!" {
		t.Errorf("password %v", got)
	}
}
