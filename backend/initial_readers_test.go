package backend

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		again       bool   // the connection is deleted and written again
	}{
		"where it was":                                     {"", "", true, false},
		"from the cloud's own hosts":                       {"", oneName, true, false},
		"from the cloud's own hosts, deleted there":        {"", oneName, false, false},
		"to the cloud's own hosts":                         {oneName, "", true, false},
		"to the cloud's own hosts, deleted there":          {oneName, "", false, false},
		"from one name to another":                         {oneName, anotherName, true, false},
		"from one name to another, deleted there":          {oneName, anotherName, false, false},
		"from one name to another, the connection again":   {oneName, anotherName, true, true},
		"from the cloud's own hosts, the connection again": {"", oneName, true, true},
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
			if c.again {
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

// alias is another way to a server.
type alias struct {
	role   map[string]any                 // what differs from the first role
	config map[string]any                 // of another connection, if any
	again  func(ciphertext string) string // what the cloud shows of srv-9
}

// aliases are other ways in which a role reads the first-boot password of srv-1.
var aliases = map[string]alias{
	"another user": {role: map[string]any{"username": "other"}},
	"another connection at hosts of its own": {role: map[string]any{"connection": "other"},
		config: map[string]any{"endpoints": map[string]any{"compute": oneName}}},
	"another user in another region": {role: map[string]any{"connection": "other", "username": "other"},
		config: map[string]any{"region": "r-2"}},
	"another connection, where it has another id": {role: map[string]any{"connection": "other", "instance_ids": "srv-9"},
		config: map[string]any{"endpoints": map[string]any{"compute": oneName}}, again: strings.Clone},
	"another id": {role: map[string]any{"instance_ids": "srv-9"}, again: strings.Clone},
	"written in another way": {role: map[string]any{"instance_ids": "srv-9"}, again: func(ciphertext string) string {
		return ciphertext[:40] + "\r\n" + ciphertext[40:] + "\n"
	}},
}

// TestAFirstPasswordIsKnownByItsValue: whichever way leads to it, only one role's readers are given it. Both accounts live,
// and either may be asked first.
func TestAFirstPasswordIsKnownByItsValue(t *testing.T) {
	for name, alias := range aliases {
		for _, cloud := range []struct{ provider, mode string }{{initialCloud, "static"}, {bothCloud, "static"}, {bothCloud, "leased"}} {
			for order, roles := range map[string][2]string{"": {"first", "second"}, ", turned": {"second", "first"}} {
				t.Run(name+", "+cloud.provider+", "+cloud.mode+order, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { readsOnce(t, alias, cloud.provider, cloud.mode, roles) })
				})
			}
		}
	}
}

// readsOnce reads the password of srv-1 for the first of the roles, and then by an alias for the second; or the other way round.
func readsOnce(t *testing.T, a alias, provider, mode string, roles [2]string) {
	key, pem := rsaKey(t, keyOne)
	h := newLedAway(t, provider, nil)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Windows, KeyName: "k"})
	h.cloud.boot(t, "srv-1", "Genuine-1", &key.PublicKey)
	h.write(t, "keys/k", map[string]any{"private_key": pem, "allowed_connections": "*"})
	if a.config != nil {
		h.write(t, "config/other", merged(connectionData(provider), a.config))
	}
	if a.again != nil {
		h.cloud.launch(cloud.Instance{ID: "srv-9", Platform: cloud.Windows, KeyName: "k"})
		h.cloud.initial["srv-9"] = a.again(h.cloud.initial["srv-1"])
	}
	role := map[string]any{"connection": "prod", "instance_ids": "srv-1", "mode": mode, "key": "k", "source": "initial"}
	if provider == bothCloud {
		role["reset_method"], role["min_reset_interval"] = "command", 0
	}
	if provider == bothCloud && mode == "static" {
		role["skip_import_rotation"] = true
	}
	h.write(t, "roles/first", role)
	h.write(t, "roles/second", merged(role, a.role))
	one, two := "creds/"+roles[0], "creds/"+roles[1]
	if got := h.read(t, one)["password"]; got != "Genuine-1" {
		t.Fatalf("readers of role %s get %v: this shows nothing", roles[0], got)
	}
	if provider == initialCloud {
		h.refused(t, logical.ReadOperation, two, nil, http.StatusConflict, "given to readers of role "+roles[0])
	} else {
		h.refused(t, logical.ReadOperation, two, nil, http.StatusServiceUnavailable, "moved")
		h.pass(t, time.Minute)
		if got := h.read(t, two)["password"]; got == "Genuine-1" || got == "" {
			t.Errorf("readers of role %s get %v", roles[1], got)
		}
	}
	if got := h.read(t, one)["password"]; got != "Genuine-1" {
		t.Errorf("readers of role %s get %v then", roles[0], got)
	}
}

// TestAFirstPasswordIsKnownPastADeletion, of all accounts that have read it: its own role's readers are given it again, and
// nobody else.
func TestAFirstPasswordIsKnownPastADeletion(t *testing.T) {
	key, pem := rsaKey(t, keyOne)
	h := newLedAway(t, initialCloud, nil)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Windows, KeyName: "k"})
	h.cloud.boot(t, "srv-1", "Genuine-1", &key.PublicKey)
	h.write(t, "keys/k", map[string]any{"private_key": pem})
	role := map[string]any{"connection": "prod", "instance_ids": "srv-1", "mode": "static", "key": "k"}
	gone := func(role, username string) {
		t.Helper()
		h.delete(t, "roles/"+role)
		h.ok(t, logical.DeleteOperation, "accounts/prod/srv-1/"+username, forced)
	}
	reads := func(role string) {
		t.Helper()
		if got := h.read(t, "creds/"+role)["password"]; got != "Genuine-1" {
			t.Fatalf("readers of role %s get %v", role, got)
		}
	}
	h.write(t, "roles/first", role)
	reads("first")
	gone("first", "Administrator")
	h.write(t, "roles/second", merged(role, map[string]any{"username": "other"}))
	h.refused(t, logical.ReadOperation, "creds/second", nil, http.StatusConflict, "given to readers of role first")
	gone("second", "other")
	h.write(t, "roles/first", role)
	reads("first")
	h.write(t, "roles/second", merged(role, map[string]any{"username": "other"}))
	h.refused(t, logical.ReadOperation, "creds/second", nil, http.StatusConflict, "given to readers of role first")

	h.cloud.boot(t, "srv-1", "Genuine-2", &key.PublicKey) // a rebuild
	gone("second", "other")
	h.write(t, "roles/second", merged(role, map[string]any{"username": "other"}))
	if got := h.read(t, "creds/second")["password"]; got != "Genuine-2" {
		t.Errorf("of a server that was built again, the second role's readers get %v", got)
	}
	if stored := h.stored(t, "initial/"); strings.Contains(stored, "Genuine") {
		t.Errorf("stored in clear: %s", stored)
	}
}

// TestServersOfOneImageMayHaveOneFirstPassword: a role that keeps it is given it for each of them. In a leased role the end
// of one server's leases would rotate that one only, so the next server is given a password of its own first.
func TestServersOfOneImageMayHaveOneFirstPassword(t *testing.T) {
	key, pem := rsaKey(t, keyOne)
	for mode, same := range map[string]bool{"static": true, "leased": false} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLedAway(t, bothCloud, nil)
				for _, id := range []string{"srv-1", "srv-2"} {
					h.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Windows, KeyName: "k"})
					h.cloud.boot(t, id, "Genuine-1", &key.PublicKey)
				}
				h.write(t, "keys/k", map[string]any{"private_key": pem})
				role := map[string]any{"connection": "prod", "instance_ids": "srv-1,srv-2", "mode": mode, "key": "k", "source": "initial",
					"reset_method": "command", "min_reset_interval": 0}
				if mode == "static" {
					role["skip_import_rotation"] = true
				}
				h.write(t, "roles/web", role)
				if got := h.read(t, "creds/web/srv-1")["password"]; got != "Genuine-1" {
					t.Fatalf("the first server's readers get %v", got)
				}
				if !same {
					h.refused(t, logical.ReadOperation, "creds/web/srv-2", nil, http.StatusServiceUnavailable, "moved")
					h.pass(t, time.Minute)
				}
				if got := h.read(t, "creds/web/srv-2")["password"]; got == "" || (got == "Genuine-1") != same {
					t.Errorf("the second server's readers get %v", got)
				}
			})
		})
	}
}
