package backend

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// lyingEndpoint is where connections are led in these tests.
const lyingEndpoint = "https://liar.example.com"

// ledAway is a mount whose connections reach another cloud, one that lies, where their endpoint says so.
type ledAway struct {
	*harness
	liar *fakeCloud
}

// newLedAway makes the mount with a role on one server, in the given mode.
func newLedAway(t *testing.T, provider string, role map[string]any) *ledAway {
	t.Helper()
	genuine, liar := newFakeCloud(), newFakeCloud()
	registry, lying := genuine.registry(), liar.registry()
	for name, d := range registry {
		honest := d.New
		d.New = func(c cloud.Config) (cloud.Provider, error) {
			if c.Endpoints["compute"] == lyingEndpoint {
				return lying[name].New(c)
			}
			return honest(c)
		}
		registry[name] = d
	}
	h := &ledAway{newHarnessWith(t, new(logical.InmemStorage), genuine, registry), liar}
	h.connection(t, "prod", provider)
	genuine.launch(cloud.Instance{ID: "srv-1", Name: "one", PrivateIP: "10.0.0.1", Platform: cloud.Linux})
	liar.launch(cloud.Instance{ID: "srv-1", Name: "one", PrivateIP: "10.6.6.6", Platform: cloud.Linux})
	if role != nil {
		h.write(t, "roles/web", merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "username": "root"}, role))
	}
	return h
}

// lead leads the connection to the lying cloud, with the least that its writer needs.
func (h *ledAway) lead(t *testing.T) *logical.Response {
	t.Helper()
	return h.write(t, "config/prod", map[string]any{"endpoints": map[string]any{"compute": lyingEndpoint}, "access_key": "x",
		"secret_key": "xxxxxxxx", "verify_connection": false})
}

// back leads it where it was.
func (h *ledAway) back(t *testing.T) {
	t.Helper()
	h.write(t, "config/prod", map[string]any{"endpoints": "", "access_key": "AK", "secret_key": "s3cr3t-key", "verify_connection": true})
}

// record is the account as stored.
func (h *ledAway) record(t *testing.T) *rotation.Account {
	t.Helper()
	entry, err := h.storage.Get(t.Context(), rotation.AccountPrefix+"prod/srv-1/root")
	if err != nil || entry == nil {
		t.Fatal("no account is stored", err)
	}
	var a rotation.Account
	if err := json.Unmarshal(entry.Value, &a); err != nil {
		t.Fatal(err)
	}
	return &a
}

// opens reports whether the lying cloud was sent a password that opens the real server.
func (h *ledAway) opens() bool {
	return h.liar.password("srv-1") != "" && h.liar.password("srv-1") == h.cloud.password("srv-1")
}

var staticRole = map[string]any{"mode": "static", "force_stop": true, "min_reset_interval": 0, "skip_import_rotation": false}

func TestAPendingPasswordGoesToNoOtherPlace(t *testing.T) {
	for name, leadAway := range map[string]func(*testing.T, *ledAway){
		"the connection is written": func(t *testing.T, h *ledAway) { h.lead(t) },
		"another field is written next to it": func(t *testing.T, h *ledAway) {
			h.lead(t)
			h.write(t, "config/prod", map[string]any{"request_timeout": "1s"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLedAway(t, resetCloud, staticRole)
				h.pass(t, time.Minute)
				before := h.cloud.password("srv-1")
				h.cloud.fail("ResetRecords", nil)
				h.cloud.fail("StartReset", cloud.Errorf(cloud.Unknown, "the answer was lost"))
				h.write(t, "rotate-role/web", nil)
				h.pass(t, 5*time.Second)
				pending := h.record(t).Pending
				if pending == nil {
					t.Fatal("no reset is under way")
				}
				h.cloud.mu.Lock()
				h.cloud.passwords["srv-1"] = pending.Password // it arrived after all
				h.cloud.mu.Unlock()
				leadAway(t, h)
				h.pass(t, time.Hour)
				if h.opens() {
					t.Fatal("the other place was sent the password that opens the real server")
				}
				if h.liar.count("StartReset") == 0 {
					t.Fatal("the account was not rotated there at all: this shows nothing")
				}
				h.cloud.fail("StartReset", nil)
				h.back(t)
				h.pass(t, time.Hour)
				got := h.read(t, "creds/web")
				if got["password"] != h.cloud.password("srv-1") || got["password"] == before || got["password"] == h.liar.password("srv-1") {
					t.Error("back at the real place, the password is not that of the server")
				}
			})
		})
	}
}

func TestAMistypedEndpointCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLedAway(t, resetCloud, staticRole)
		h.pass(t, time.Minute)
		h.cloud.fail("ResetRecords", cloud.Errorf(cloud.Unavailable, "no answer"))
		h.write(t, "rotate-role/web", nil)
		h.pass(t, 100*time.Millisecond)
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Unknown, "the answer was lost"))
		h.cloud.fail("ResetRecords", nil)
		h.pass(t, 5*time.Second)
		pending := h.record(t).Pending
		if pending == nil {
			t.Fatal("no reset is under way")
		}
		h.lead(t)
		h.pass(t, 10*time.Second)
		h.cloud.fail("StartReset", nil)
		h.back(t)
		h.pass(t, 10*time.Minute)
		if got := h.read(t, "creds/web"); got["password"] != pending.Password || h.liar.count("StartReset") != 0 {
			t.Error("the rotation did not go on with its value")
		}
	})
}

func TestAnotherPlaceMakesNoServerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLedAway(t, resetCloud, staticRole)
		h.pass(t, time.Minute)
		h.liar.terminate("srv-1")
		warned := h.lead(t).Warnings
		if len(warned) == 0 || !strings.Contains(warned[0], "place/prod") {
			t.Errorf("the writer is warned: %v", warned)
		}
		role, err := h.roles.Get(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		look := func() {
			for range 3 {
				if err := h.roles.LookAt(t.Context(), "web", role, false); err != nil {
					t.Fatal(err)
				}
				h.pass(t, rotation.MissApart)
			}
		}
		look()
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Hour)
		if got := h.account(t, "srv-1"); got["gone_time"] != nil || got["place_trusted"] != false {
			t.Fatalf("a place that nobody stands for has said that the server is gone: %v", got)
		}
		here := h.read(t, "place/prod")
		if here["unproven_accounts"] != 1 || here["trusted"] != false || here["proven"] != false || here["place"] == h.record(t).Trusted[0] {
			t.Errorf("place/ shows %v", here)
		}
		h.refused(t, logical.UpdateOperation, "place/prod", map[string]any{"trust": string(h.record(t).Trusted[0])}, http.StatusConflict,
			"leads to", "place/prod")
		h.refusedWrite(t, "place/prod", nil, "trust", "forget")
		if got := h.write(t, "place/prod", map[string]any{"trust": here["place"]}).Data["accounts"]; got != 1 {
			t.Errorf("%v accounts did not trust the place", got)
		}
		h.pass(t, time.Minute)
		look()
		if got := h.account(t, "srv-1"); got["gone_time"] == nil {
			t.Error("an operator stands for the place, and it is not trusted")
		}
	})
}

func TestAConnectionWrittenAnewElsewhereIsAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLedAway(t, resetCloud, staticRole)
		h.pass(t, time.Minute)
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Unknown, "the answer was lost"))
		h.write(t, "rotate-role/web", nil)
		h.pass(t, 5*time.Second)
		pending := h.record(t).Pending
		h.delete(t, "roles/web")
		h.delete(t, "config/prod")
		h.write(t, "config/prod", merged(connectionData(resetCloud), map[string]any{"endpoints": map[string]any{"compute": lyingEndpoint},
			"verify_connection": false}))
		h.write(t, "roles/web", merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "username": "root"}, staticRole))
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Hour)
		if pending == nil || h.liar.password("srv-1") == "" || h.liar.password("srv-1") == pending.Password {
			t.Error("the other place was sent the pending password, or none")
		}
		if !slices.ContainsFunc(h.record(t).Candidates, func(c rotation.Candidate) bool { return c.Password == pending.Password }) {
			t.Error("what the real server may have is forgotten")
		}
	})
}

func TestAnAnswerHasNoAddressOfAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLedAway(t, resetCloud, staticRole)
		h.pass(t, time.Minute)
		if got := h.read(t, "creds/web"); got["private_ip"] != "10.0.0.1" || got["confirmed_here"] != nil {
			t.Fatalf("at its own place the answer is %v", got)
		}
		h.lead(t)
		h.write(t, "roles/web", map[string]any{"custom_metadata": map[string]any{"a": "b"}})
		h.pass(t, 11*time.Minute)
		resp := h.ok(t, logical.ReadOperation, "creds/web", nil)
		if resp.Data["password"] != h.cloud.password("srv-1") || resp.Data["private_ip"] != "10.0.0.1" || resp.Data["confirmed_here"] != false ||
			len(resp.Warnings) == 0 {
			t.Errorf("while the connection leads elsewhere the answer is %v, warnings %v", resp.Data["private_ip"], resp.Warnings)
		}
		if got := h.account(t, "srv-1"); got["private_ip"] != "10.0.0.1" {
			t.Errorf("accounts/ shows %v", got["private_ip"])
		}
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Hour)
		got := h.read(t, "creds/web")
		if got["password"] != h.liar.password("srv-1") || got["private_ip"] != "" {
			t.Errorf("beside the other place's password stands %v", got["private_ip"])
		}
		h.back(t)
		h.pass(t, time.Hour)
		if got := h.read(t, "creds/web"); got["password"] != h.cloud.password("srv-1") || got["private_ip"] != "10.0.0.1" {
			t.Errorf("back at the real place the answer has %v", got["private_ip"])
		}
	})
}

func TestAnInitialPasswordIsNotReadAtAnotherPlace(t *testing.T) {
	key, pem := rsaKey(t, keyOne)
	synctest.Test(t, func(t *testing.T) {
		h := newLedAway(t, initialCloud, nil)
		for _, c := range []*fakeCloud{h.cloud, h.liar} {
			c.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Windows, KeyName: "k"})
		}
		h.write(t, "keys/k", map[string]any{"private_key": pem})
		h.cloud.boot(t, "srv-1", "Genuine-1", &key.PublicKey)
		h.liar.boot(t, "srv-1", "False-1", &key.PublicKey)
		h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "username": "Administrator", "mode": "static",
			"key": "k"})
		h.lead(t)
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "not proven", "place/prod")
		h.back(t)
		if got := h.read(t, "creds/web"); got["password"] != "Genuine-1" {
			t.Error("the initial password was not kept for the real place")
		}
	})
}

// claimed is a mount with a second connection, whose role binds the server first.
func claimed(t *testing.T, first map[string]any) *ledAway {
	t.Helper()
	h := newLedAway(t, resetCloud, nil)
	h.write(t, "config/other", merged(connectionData(resetCloud), first))
	h.write(t, "roles/secret-name", merged(map[string]any{"connection": "other", "instance_ids": "srv-1", "username": "root"},
		merged(staticRole, map[string]any{"skip_import_rotation": true})))
	return h
}

// TestAServerCannotBeClaimedThroughAnotherCloud: an endpoint that its writer chose may say that it has any server.
func TestAServerCannotBeClaimedThroughAnotherCloud(t *testing.T) {
	h := claimed(t, map[string]any{"endpoints": map[string]any{"compute": lyingEndpoint}})
	h.write(t, "roles/web", merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "username": "root"}, staticRole))
	if got := h.account(t, "srv-1"); got["role"] != "web" {
		t.Errorf("the real account belongs to role %v", got["role"])
	}
}

func TestARefusalTellsNoOtherAccountsRole(t *testing.T) {
	web := merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "username": "root"}, staticRole)
	t.Run("of the same place it does", func(t *testing.T) {
		h := claimed(t, nil)
		h.refused(t, logical.UpdateOperation, "roles/web", web, http.StatusConflict, "secret-name")
	})
	h := claimed(t, map[string]any{"region": "r-2"}) // of which it is not known whether it is the same account
	resp, err := h.request(t, logical.UpdateOperation, "roles/web", web)
	status, message := statusOf(resp, err)
	if status != http.StatusConflict || strings.Contains(message, "secret-name") || strings.Contains(message, "other/") ||
		!strings.Contains(message, "place/prod claim=srv-1/root") {
		t.Fatalf("status %d: %s", status, message)
	}
	h.refusedWrite(t, "place/prod", map[string]any{"claim": "srv-1"}, "claim")
	if got := h.write(t, "place/prod", map[string]any{"claim": "srv-1/root"}).Data["accounts"]; got != 1 {
		t.Errorf("%v accounts lost their role", got)
	}
	h.write(t, "roles/web", web)
	if got := h.read(t, "accounts/other/srv-1/root"); got["role"] != "" {
		t.Errorf("the other account still belongs to role %v", got["role"])
	}
}
