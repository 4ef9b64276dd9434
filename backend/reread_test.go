package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const winReread = "reread/" + initialCloud + "/srv-1/Administrator"

const winAccount = "accounts/" + initialCloud + "/srv-1/Administrator"

// initialRole runs a test in a bubble with a role that hands out the initial password of one server, which was read.
func initialRole(t *testing.T, changes map[string]any, test func(*testing.T, *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := roleMount(t)
		h.cloud.change("srv-1", func(i *cloud.Instance) { i.Image = "win-2022" })
		h.write(t, "roles/win", merged(map[string]any{"connection": initialCloud, "instance_ids": "srv-1"}, changes))
		h.rebuild(t, "First-2000-abc", "win-2022")
		if got := h.read(t, "creds/win")["password"]; got != "First-2000-abc" {
			t.Fatalf("the first password is %v", got)
		}
		test(t, h)
	})
}

// rebuild makes a server's system again, of an image.
func (h *harness) rebuild(t *testing.T, password, image string) {
	t.Helper()
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", password, &key.PublicKey)
	h.cloud.change("srv-1", func(i *cloud.Instance) { i.Image = image })
}

// look is the regular look at servers, once its time has come.
func (h *harness) look(t *testing.T) {
	t.Helper()
	h.pass(t, 11*time.Minute)
	if err := h.round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// warningsOf are the warnings of a read.
func (h *harness) warningsOf(t *testing.T, path string) string {
	t.Helper()
	return strings.Join(h.ok(t, logical.ReadOperation, path, nil).Warnings, "\n")
}

// TestARebuiltServersPasswordIsReadAgain: the rebuild is noticed within ten minutes, everybody is told, and the new password is
// handed out once somebody has asked for it.
func TestARebuiltServersPasswordIsReadAgain(t *testing.T) {
	initialRole(t, nil, func(t *testing.T, h *harness) {
		h.look(t)
		if said := h.warningsOf(t, "creds/win"); said != "" || h.read(t, winAccount)["rebuilt_time"] != nil {
			t.Errorf("a server that is as it was: %q", said)
		}
		h.rebuild(t, "Second-2000-abc", "win-2025")
		h.look(t)
		resp := h.ok(t, logical.ReadOperation, "creds/win", nil)
		said := strings.Join(resp.Warnings, "\n")
		if resp.Data["password"] != "First-2000-abc" || !strings.Contains(said, "has another image") ||
			!strings.Contains(said, "vault write -force cloudpw/"+winReread) {
			t.Errorf("%v, warnings %q", resp.Data, said)
		}
		account := h.read(t, winAccount)
		if account["rebuilt_time"] == nil || !strings.Contains(textOf(account["rebuilt_reason"]), "has another image") {
			t.Errorf("%v", account)
		}
		status := h.read(t, "status")
		if status["rebuilt"] != 1 || !strings.Contains(status["summary"].(string), "cloudpw/report rebuilt=true") {
			t.Errorf("%v", status)
		}
		for filter, want := range map[string]int{"true": 1, "false": 0} {
			if rows := h.read(t, "report", "rebuilt", filter)["accounts"].([]map[string]any); len(rows) != want ||
				want == 1 && rows[0]["rebuilt_time"] == nil {
				t.Errorf("rebuilt=%s: %v", filter, rows)
			}
		}

		h.as("anna")
		again := h.write(t, winReread, nil)
		if again.Data["changed"] != true || again.Data["current_version"] != 2 || len(again.Warnings) != 0 {
			t.Errorf("%v, %q", again.Data, again.Warnings)
		}
		resp = h.ok(t, logical.ReadOperation, "creds/win", nil)
		if resp.Data["password"] != "Second-2000-abc" || resp.Data["source"] != "initial" || resp.Data["version"] != 2 ||
			len(resp.Warnings) != 0 {
			t.Errorf("%v, %q", resp.Data, resp.Warnings)
		}
		old := "versions/" + initialCloud + "/srv-1/Administrator/"
		if got := h.read(t, old+"1"); got["password"] != "First-2000-abc" || got["current"] != false {
			t.Errorf("%v", got)
		}
		if got := h.read(t, old+"2"); got["reason"] != "reread" || got["requested_by"] != "userpass-anna" || got["confirmed"] != false {
			t.Errorf("%v", got)
		}
		if h.read(t, winAccount)["rebuilt_time"] != nil || h.read(t, "status")["rebuilt"] != 0 {
			t.Error("it is said to be rebuilt still")
		}
		if again := h.write(t, winReread, nil); again.Data["changed"] != false || again.Data["current_version"] != 2 || len(again.Warnings) != 0 {
			t.Errorf("the same one again: %v, %q", again.Data, again.Warnings)
		}
	})
}

// TestWhoIsFasterThanTheLook: a rebuild that somebody has acted on before a look shows it is no news any more. One that follows is.
func TestWhoIsFasterThanTheLook(t *testing.T) {
	for path, data := range map[string]map[string]any{
		winReread: nil,
		"import/" + initialCloud + "/srv-1/Administrator":             {"password": "Second-2000-abc"},
		"versions/" + initialCloud + "/srv-1/Administrator/1/restore": {},
	} {
		t.Run(path, func(t *testing.T) {
			initialRole(t, nil, func(t *testing.T, h *harness) {
				h.look(t)
				if strings.HasSuffix(path, "/1/restore") {
					h.refused(t, logical.UpdateOperation, path, nil, http.StatusConflict, "current one already", "import/"+initialCloud)
					h.write(t, "import/"+initialCloud+"/srv-1/Administrator", map[string]any{"password": "By-hand-2000"})
					h.look(t)
				}
				h.rebuild(t, "Second-2000-abc", "win-2025")
				h.write(t, path, data)
				h.look(t)
				if said := h.warningsOf(t, "creds/win"); said != "" || h.read(t, "status")["rebuilt"] != 0 {
					t.Errorf("warnings %q", said)
				}
				h.rebuild(t, "Third-2000-abc", "win-2022")
				h.look(t)
				if said := h.warningsOf(t, "creds/win"); !strings.Contains(said, "has another image") {
					t.Errorf("warnings %q", said)
				}
			})
		})
	}
}

// TestAServerThatTellsNoNewPassword, as one of an OpenStack cloud does not whose slot is full: the answer says so.
func TestAServerThatTellsNoNewPassword(t *testing.T) {
	initialRole(t, nil, func(t *testing.T, h *harness) {
		h.rebuild(t, "First-2000-abc", "win-2025")
		h.look(t)
		again := h.write(t, winReread, nil)
		if said := strings.Join(again.Warnings, "\n"); again.Data["changed"] != false || !strings.Contains(said, "the same initial password") ||
			!strings.Contains(said, "import/"+initialCloud+"/srv-1/Administrator") {
			t.Errorf("%v, %q", again.Data, said)
		}
		if said := h.warningsOf(t, "creds/win"); said != "" {
			t.Errorf("whoever asked has decided: %q", said)
		}
	})
}

// TestWhenAPasswordIsNotReadAgain: errors say what stands against it, and nothing changes.
func TestWhenAPasswordIsNotReadAgain(t *testing.T) {
	refused := func(status int, says ...string) func(*testing.T, *harness) {
		return func(t *testing.T, h *harness) {
			t.Helper()
			before := h.stored(t, "account/")
			h.refused(t, logical.UpdateOperation, winReread, nil, status, says...)
			if h.stored(t, "account/") != before {
				t.Error("the record has changed")
			}
		}
	}
	for name, c := range map[string]struct {
		role   map[string]any
		before func(*testing.T, *harness)
		check  func(*testing.T, *harness)
	}{
		"the cloud has none any more": {before: func(_ *testing.T, h *harness) {
			h.cloud.mu.Lock()
			defer h.cloud.mu.Unlock()
			delete(h.cloud.initial, "srv-1")
		}, check: refused(http.StatusServiceUnavailable, "no initial password yet")},
		"its copy was deleted": {role: map[string]any{"clear_initial": true}, before: func(t *testing.T, h *harness) {
			t.Helper()
			h.pass(t, time.Minute)
		}, check: refused(http.StatusServiceUnavailable, "no initial password yet", "was deleted at", "clear_initial")},
		"another key": {before: func(t *testing.T, h *harness) {
			t.Helper()
			key, _ := rsaKey(t, keyTwo)
			h.cloud.boot(t, "srv-1", "Second-2000-abc", &key.PublicKey)
		}, check: refused(http.StatusBadRequest, "keys/pair")},
		"the cloud does not answer": {before: func(_ *testing.T, h *harness) {
			h.cloud.fail("InitialPassword", cloud.Errorf(cloud.Unavailable, "no route"))
		}, check: refused(http.StatusServiceUnavailable, "no route")},
		"somebody has recorded another": {before: func(t *testing.T, h *harness) {
			t.Helper()
			h.write(t, "import/"+initialCloud+"/srv-1/Administrator", map[string]any{"password": "By-hand-2000"})
		}, check: refused(http.StatusConflict, "version 2", "its source is import", "import/"+initialCloud, "versions/"+initialCloud)},
		"the role is gone": {before: func(t *testing.T, h *harness) { t.Helper(); h.delete(t, "roles/win") },
			check: refused(http.StatusConflict, "belongs to no role")},
		"the server is gone": {before: func(t *testing.T, h *harness) {
			t.Helper()
			h.cloud.terminate("srv-1")
			h.look(t)
			h.look(t)
		}, check: refused(http.StatusBadRequest, "does not exist")},
		"no such account": {check: func(t *testing.T, h *harness) {
			t.Helper()
			h.refused(t, logical.UpdateOperation, "reread/"+initialCloud+"/srv-1/nobody", nil, http.StatusBadRequest, "there is no account")
		}},
		"another version meanwhile": {before: func(t *testing.T, h *harness) {
			t.Helper()
			h.cloud.mu.Lock()
			defer h.cloud.mu.Unlock()
			h.cloud.during = map[string]func(context.Context) error{"InitialPassword": func(context.Context) error {
				h.write(t, "import/"+initialCloud+"/srv-1/Administrator", map[string]any{"password": "By-hand-2000"})
				return nil
			}}
		}, check: func(t *testing.T, h *harness) {
			t.Helper()
			h.rebuild(t, "Second-2000-abc", "win-2022")
			h.refused(t, logical.UpdateOperation, winReread, nil, http.StatusConflict, "its source is import")
			if got := h.read(t, "creds/win"); got["password"] != "By-hand-2000" {
				t.Errorf("%v", got)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			initialRole(t, c.role, func(t *testing.T, h *harness) {
				if c.before != nil {
					c.before(t, h)
				}
				c.check(t, h)
			})
		})
	}
}

// TestAPasswordThatWasSetIsNotReplaced by what the cloud keeps from the first boot: not the version of a reset, nor while one is
// due. A restored initial version gives way.
func TestAPasswordThatWasSetIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := roleMount(t)
		h.rebuild(t, "First-2000-abc", "win-2022")
		h.write(t, "roles/win", map[string]any{"connection": bothCloud, "instance_ids": "srv-1", "mode": "leased", "source": "initial"})
		reread := "reread/" + bothCloud + "/srv-1/Administrator"
		h.refused(t, logical.UpdateOperation, reread, nil, http.StatusConflict, "not been read for the first time", "creds/win")
		first := h.lease(t, "creds/win")
		h.rebuild(t, "Second-2000-abc", "win-2022")
		if got := h.write(t, reread, nil).Data; got["changed"] != true {
			t.Errorf("%v", got)
		}
		h.revoke(t, first) // of the version before
		h.pass(t, time.Hour)
		if got := h.resets(); got != 0 {
			t.Errorf("%d resets after the end of an old lease", got)
		}
		second := h.lease(t, "creds/win")
		if second.Data["password"] != "Second-2000-abc" || second.Data["version"] != 2 {
			t.Errorf("%v", second.Data)
		}
		h.revoke(t, second)
		h.refused(t, logical.UpdateOperation, reread, nil, http.StatusConflict, "") // due, or being rotated
		h.pass(t, time.Hour)
		h.refused(t, logical.UpdateOperation, reread, nil, http.StatusConflict, "version 3", "its source is reset")
		if third := h.lease(t, "creds/win"); third.Data["password"] != h.cloud.password("srv-1") || h.resets() != 1 {
			t.Errorf("%v after %d resets", third.Data, h.resets())
		}
		h.rebuild(t, "Third-2000-abc", "win-2022")
		h.write(t, fmt.Sprintf("versions/%s/srv-1/Administrator/2/restore", bothCloud), map[string]any{"skip_import_rotation": true})
		if got := h.write(t, reread, nil).Data; got["changed"] != true || got["current_version"] != 5 {
			t.Errorf("%v", got)
		}
	})
}

// TestARebuiltServerIsChecked where the role can look at servers, and is told to have drifted.
func TestARebuiltServerIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		state    string
		says     string
	}{
		"another password": {"From-the-image-1", "differs", "had another password"},
		"the same one":     {"First-2000-abc", "matches", ""},
	} {
		t.Run(name, func(t *testing.T) {
			peoplesRole(t, map[string]any{"check_method": "command"}, func(t *testing.T, h *harness) {
				h.cloud.change("srv-1", func(i *cloud.Instance) { i.SystemDisk = "disk-1" })
				h.cloud.set("srv-1", "First-2000-abc")
				h.write(t, "import/prod/srv-1/root", map[string]any{"password": "First-2000-abc"})
				h.look(t)
				h.cloud.change("srv-1", func(i *cloud.Instance) { i.SystemDisk = "disk-2" })
				h.cloud.set("srv-1", c.password)
				h.look(t)
				h.pass(t, 2*time.Minute)
				account := h.read(t, "accounts/prod/srv-1/root")
				if account["check_result"] != c.state || (account["rebuilt_time"] != nil) != (c.says != "") {
					t.Errorf("%v", account)
				}
				if c.says != "" {
					h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, c.says)
				} else if said := h.warningsOf(t, "creds/web"); said != "" {
					t.Errorf("warnings %q", said)
				}
			})
		})
	}
}
