package backend

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
)

func earlierOf(t *testing.T, h *harness, name string) []map[string]any {
	t.Helper()
	return h.read(t, "keys/"+name)["earlier_keys"].([]map[string]any)
}

// An instance was launched with a key that was replaced before its password was read.
func TestReplacedKeyStillDecrypts(t *testing.T) {
	h := roleMount(t)
	clock := &fakeClock{now: time.Now()}
	h.clock = clock.clock()
	key, pemOne := rsaKey(t, keyOne)
	_, pemTwo := rsaKey(t, keyTwo)
	prints := h.read(t, "keys/pair")["fingerprints"]
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.write(t, "keys/pair", map[string]any{"private_key": pemTwo})
	earlier := earlierOf(t, h, "pair")
	if len(earlier) != 1 || fmt.Sprint(earlier[0]["fingerprints"]) != fmt.Sprint(prints) || earlier[0]["replaced_time"] == "" {
		t.Errorf("earlier_keys %v", earlier)
	}

	clock.advance(100 * time.Hour)
	drop(t, h)
	if len(earlierOf(t, h, "pair")) != 1 {
		t.Fatal("a key was dropped that an account may need")
	}
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	if got := h.read(t, "creds/win")["password"]; got != "fr0m-the-guest!" {
		t.Errorf("password %v", got)
	}
	drop(t, h)
	if len(earlierOf(t, h, "pair")) != 1 {
		t.Error("keys are looked at more often than every hour")
	}
	clock.advance(dropInterval)
	drop(t, h)
	if got := earlierOf(t, h, "pair"); len(got) != 0 {
		t.Errorf("earlier_keys that nothing needs: %v", got)
	}

	// Putting a key back leaves it once.
	h.write(t, "keys/pair", map[string]any{"private_key": pemOne})
	h.write(t, "keys/pair", map[string]any{"private_key": pemTwo})
	if got := earlierOf(t, h, "pair"); len(got) != 1 || fmt.Sprint(got[0]["fingerprints"]) != fmt.Sprint(prints) {
		t.Errorf("earlier_keys %v", got)
	}
	drop(t, h)
	clock.advance(dropInterval / 2)
	drop(t, h)
	if len(earlierOf(t, h, "pair")) != 1 {
		t.Error("a key was dropped within an hour")
	}
}

func drop(t *testing.T, h *harness) {
	t.Helper()
	if err := h.dropEarlierKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A key is awaited by its name in the role, or by that of the key pair, and by no other.
func TestWhoAwaitsAKey(t *testing.T) {
	h := roleMount(t)
	h.cloud.launch(cloud.Instance{ID: "srv-4", KeyName: "pair"})
	h.write(t, "roles/named", map[string]any{"connection": initialCloud, "instance_ids": "srv-1", "key": "other"})
	h.write(t, "roles/reset", map[string]any{"connection": resetCloud, "instance_ids": "srv-2", "force_stop": true})
	check := func(pair, other bool) {
		t.Helper()
		for name, want := range map[string]bool{"pair": pair, "other": other, "none": false} {
			if got, err := h.awaitsKey(t.Context(), name, &keypair.Record{AllowedConnections: []string{"*"}}); err != nil || (got != nil) != want {
				t.Errorf("%s is awaited: %v, %v", name, got, err)
			}
		}
	}
	check(false, true)
	h.write(t, "roles/byname", map[string]any{"connection": initialCloud, "instance_ids": "srv-4"})
	check(true, true)
	h.delete(t, "roles/named")
	check(true, false)
}

func TestEarlierKeysAreBounded(t *testing.T) {
	h := roleMount(t)
	_, one := rsaKey(t, keyOne)
	_, two := rsaKey(t, keyTwo)
	stored, _, err := h.keys.Load(t.Context(), "pair")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		stored.Earlier = append(stored.Earlier, keypair.Earlier{PEM: one, Replaced: time.Now()})
	}
	if err := h.keys.Put(t.Context(), "pair", stored); err != nil {
		t.Fatal(err)
	}
	h.refused(t, logical.UpdateOperation, "keys/pair", map[string]any{"private_key": two}, http.StatusConflict, "10 keys", "another name")
	h.cloud.initial["srv-1"] = "bm90IGFuIFJTQSBibG9jaw=="
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.refused(t, logical.ReadOperation, "creds/win", nil, http.StatusBadRequest, "cannot be decrypted", "10 earlier keys of that name")
}
