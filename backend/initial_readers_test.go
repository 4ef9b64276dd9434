package backend

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Other names of the genuine cloud, which a connection may call its hosts by.
const (
	oneName     = "https://one.example.com"
	anotherName = "https://another.example.com"
)

// TestAFirstPasswordIsKeptFromAnotherRole: what readers of one role were given is remembered past the deletion of the
// account, wherever its connection leads meanwhile.
func TestAFirstPasswordIsKeptFromAnotherRole(t *testing.T) {
	key, pem := rsaKey(t, keyOne)
	const account = "accounts/prod/srv-1/Administrator"
	led := func(t *testing.T, h *ledAway, endpoint string) {
		t.Helper()
		endpoints := map[string]any{}
		if endpoint != "" {
			endpoints["compute"] = endpoint
		}
		h.write(t, "config/prod", merged(connectionData(initialCloud), map[string]any{"endpoints": endpoints}))
	}
	gone := func(t *testing.T, h *ledAway) {
		t.Helper()
		h.ok(t, logical.DeleteOperation, account, forced)
	}
	for name, c := range map[string]struct {
		from, to    string // endpoints; "": the cloud's own
		deleteFirst bool   // before the connection is led elsewhere
		anew        bool   // the connection is deleted and written again
	}{
		"where it was":                                    {"", "", true, false},
		"from the cloud's own hosts":                      {"", oneName, true, false},
		"from the cloud's own hosts, deleted there":       {"", oneName, false, false},
		"to the cloud's own hosts":                        {oneName, "", true, false},
		"to the cloud's own hosts, deleted there":         {oneName, "", false, false},
		"from one name to another":                        {oneName, anotherName, true, false},
		"from one name to another, deleted there":         {oneName, anotherName, false, false},
		"from one name to another, the connection anew":   {oneName, anotherName, true, true},
		"from the cloud's own hosts, the connection anew": {"", oneName, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newLedAway(t, initialCloud, nil)
			h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Windows, KeyName: "k"})
			h.cloud.boot(t, "srv-1", "Genuine-1", &key.PublicKey)
			h.write(t, "keys/k", map[string]any{"private_key": pem})
			led(t, h, c.from)
			role := map[string]any{"connection": "prod", "instance_ids": "srv-1", "mode": "static", "key": "k"}
			h.write(t, "roles/first", role)
			if got := h.read(t, "creds/first")["password"]; got != "Genuine-1" {
				t.Fatal("the first role's readers have not got the password: this shows nothing")
			}
			h.delete(t, "roles/first")
			if c.deleteFirst {
				gone(t, h)
			}
			if c.anew {
				h.delete(t, "config/prod")
			}
			led(t, h, c.to)
			if !c.deleteFirst {
				gone(t, h)
			}
			h.write(t, "roles/second", role)
			h.refused(t, logical.ReadOperation, "creds/second", nil, http.StatusConflict, "given to readers of role first")
			h.delete(t, "roles/second")
			gone(t, h)
			h.write(t, "roles/first", role)
			if got := h.read(t, "creds/first")["password"]; got != "Genuine-1" {
				t.Errorf("the first role's own readers get %v", got)
			}
		})
	}
}

// TestAFirstPasswordIsKeptFromTheRoleOfATakeOver: an operator's word that a server is another connection's tells nobody
// the password that the former one's readers have.
func TestAFirstPasswordIsKeptFromTheRoleOfATakeOver(t *testing.T) {
	key, pem := rsaKey(t, keyOne)
	h := newLedAway(t, initialCloud, nil)
	h.write(t, "config/other", merged(connectionData(initialCloud), map[string]any{"region": "r-2"}))
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Windows, KeyName: "k"})
	h.cloud.boot(t, "srv-1", "Genuine-1", &key.PublicKey)
	h.write(t, "keys/k", map[string]any{"private_key": pem, "allowed_connections": "*"})
	role := func(connection string) map[string]any {
		return map[string]any{"connection": connection, "instance_ids": "srv-1", "mode": "static", "key": "k"}
	}
	h.write(t, "roles/first", role("other"))
	if got := h.read(t, "creds/first")["password"]; got != "Genuine-1" {
		t.Fatal("the first role's readers have not got the password: this shows nothing")
	}
	h.refused(t, logical.UpdateOperation, "roles/second", role("prod"), http.StatusConflict, "claim=srv-1/Administrator")
	h.write(t, "place/prod", map[string]any{"claim": "srv-1/Administrator"})
	h.write(t, "roles/second", role("prod"))
	h.refused(t, logical.ReadOperation, "creds/second", nil, http.StatusConflict, "given to readers of role first")
}
