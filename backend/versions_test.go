package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	webVersions = "versions/prod/srv-1/root"
	webImport   = "import/prod/srv-1/root"
)

// infos lists the versions of an account.
func (h *harness) infos(t *testing.T, path string) ([]string, map[string]any) {
	t.Helper()
	resp := h.ok(t, logical.ListOperation, path, nil)
	keys, _ := resp.Data["keys"].([]string)
	info, _ := resp.Data["key_info"].(map[string]any)
	return keys, info
}

func TestVersions(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		passwords := []string{""}
		for n := 1; n <= 11; n++ { // "10" sorts before "2"
			passwords = append(passwords, h.read(t, "creds/web")["password"].(string))
			h.write(t, "rotate-role/web", nil)
			h.pass(t, time.Minute)
		}
		keys, info := h.infos(t, webVersions+"/")
		if fmt.Sprint(keys) != "[3 4 5 6 7 8 9 10 11 12]" {
			t.Errorf("the versions are %v: oldest first, and max_versions of them", keys)
		}
		for _, number := range []string{"3", "12"} {
			got := info[number].(map[string]any)
			current := number == "12"
			if got["current"] != current || got["source"] != "reset" || got["created_time"] == "" || (got["ended_time"] != nil) == current ||
				(got["disclosed_time"] != nil) == current {
				t.Errorf("version %s is %v", number, got)
			}
		}
		listed := fmt.Sprint(info, h.account(t, "srv-1"))
		for n := 3; n <= 11; n++ {
			got := h.read(t, fmt.Sprintf("%s/%d", webVersions, n))
			if got["password"] != passwords[n] || got["version"] != n || got["current"] != false || got["username"] != "root" ||
				got["ended_time"] == nil {
				t.Errorf("version %d reads as %v", n, got)
			}
			if strings.Contains(listed, passwords[n]) {
				t.Errorf("the password of version %d is in a list", n)
			}
		}
		if got := h.read(t, webVersions+"/12"); got["password"] != h.cloud.password("srv-1") || got["current"] != true {
			t.Error("the current version of a static account is not the server's password")
		}
		h.refused(t, logical.ReadOperation, webVersions+"/2", nil, http.StatusBadRequest, "no version 2")
		h.refused(t, logical.ReadOperation, webVersions+"/13", nil, http.StatusBadRequest, "no version 13")
	})
}

func TestVersionsOfLeasedAccounts(t *testing.T) {
	h := leasedRole(t, nil)
	first := h.lease(t, "creds/web")
	h.refused(t, logical.ReadOperation, webVersions+"/1", nil, http.StatusConflict, "creds/")
	h.revoke(t, first)
	h.waitFor(t, "accounts/prod/srv-1/root", func(a map[string]any) bool { return a["current_version"] == 2 && a["state"] == "ready" })
	h.refused(t, logical.ReadOperation, webVersions+"/2", nil, http.StatusConflict, "creds/")
	got := h.read(t, webVersions+"/1")
	if got["password"] != first.Data["password"] || got["disclosed_until"] == nil {
		t.Error("an older version of a leased account is not readable")
	}
}

func TestVersionsNeedAnAccount(t *testing.T) {
	h := leasedRole(t, nil)
	for _, account := range []string{"prod/srv-1/other", "prod/srv-9/root", "none/srv-1/root"} {
		says := []string{"there is no account " + account, "accounts/", "write its role"}
		h.refused(t, logical.ListOperation, "versions/"+account, nil, http.StatusBadRequest, says...)
		h.refused(t, logical.ReadOperation, "versions/"+account+"/1", nil, http.StatusBadRequest, says...)
		h.refusedWrite(t, "versions/"+account+"/1/restore", nil, says...)
		h.refusedWrite(t, "import/"+account, map[string]any{"password": "by-hand"}, says...)
		if strings.Contains(h.stored(t, ""), account) {
			t.Errorf("%s was made", account)
		}
	}
	h.refused(t, logical.ListOperation, "versions/a..b/srv-1/root", nil, http.StatusBadRequest, "..")
	keys, _ := h.infos(t, webVersions)
	if len(keys) != 0 {
		t.Errorf("a new account has versions %v", keys)
	}
}

func TestImport(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		calls := h.cloud.count()
		resp := h.write(t, webImport, map[string]any{"password": "By-Hand-2000-abc", "skip_import_rotation": true})
		if resp.Data["current_version"] != 2 || resp.Data["state"] != "ready" || resp.Data["due_reason"] != nil || len(resp.Warnings) > 0 {
			t.Errorf("the answer is %v", resp)
		}
		h.pass(t, time.Hour)
		if n := h.cloud.count() - calls; n != 0 {
			t.Errorf("%d cloud calls after an import that skips the rotation", n)
		}
		got := h.read(t, "creds/web")
		if got["password"] != "By-Hand-2000-abc" || got["source"] != "import" || got["version"] != 2 {
			t.Errorf("creds/ answers with version %v from %v", got["version"], got["source"])
		}
		resp = h.write(t, webImport, map[string]any{"password": "x"})
		if resp.Data["current_version"] != 3 || resp.Data["due_reason"] != "import" || len(resp.Warnings) != 1 ||
			!strings.Contains(resp.Warnings[0], "rules") {
			t.Errorf("the answer is %v", resp)
		}
		h.pass(t, time.Minute)
		got = h.read(t, "creds/web")
		if got["version"] != 4 || got["password"] != h.cloud.password("srv-1") || got["source"] != "reset" {
			t.Errorf("after the import's rotation: version %v from %v", got["version"], got["source"])
		}
		_, info := h.infos(t, webVersions)
		if entry := info["2"].(map[string]any); entry["source"] != "import" || entry["confirmed"] != true || entry["disclosed_time"] == nil {
			t.Errorf("the imported version is %v", entry)
		}
	})
}

func TestImportedPassword(t *testing.T) {
	h := leasedRole(t, nil)
	for name, c := range map[string]struct{ value, says string }{
		"none":          {"", "required"},
		"too long":      {strings.Repeat("s", 256), "255 characters"},
		"line break":    {"s3cret-by-hand\n", "U+000A (line feed)"},
		"not UTF-8":     {"s3cret-by-hand\xff", "UTF-8"},
		"a control":     {"s3cret-by-hand\x7f", "character 15 is U+007F (delete)"},
		"a letter more": {strings.Repeat("ü", 256), "255 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := h.request(t, logical.UpdateOperation, webImport, map[string]any{"password": c.value})
			status, message := statusOf(resp, err)
			if status != http.StatusBadRequest || !strings.Contains(message, "password: ") || !strings.Contains(message, c.says) {
				t.Errorf("%d %q", status, message)
			}
			if c.value != "" && strings.Contains(message, c.value[:6]) {
				t.Error("the error holds the password")
			}
		})
	}
	h.refusedWrite(t, webImport, map[string]any{"password": []string{"s3cret"}}, "must be a string")
	h.refusedWrite(t, webImport, map[string]any{"passwort": "s3cret"}, "unknown field")
	h.refusedWrite(t, webImport, map[string]any{"password": "p", "username": "x"}, "part of the path")
	h.write(t, webImport, map[string]any{"password": strings.Repeat("ü", 255), "skip_import_rotation": true})
	if got := h.lease(t, "creds/web").Data["password"]; got != strings.Repeat("ü", 255) {
		t.Error("a leased read does not hand out the imported password")
	}
}

func TestRestore(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		first := h.read(t, "creds/web")["password"]
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		h.refused(t, logical.UpdateOperation, webVersions+"/2/restore", nil, http.StatusConflict, "current one already", "rotate-role")
		h.refusedWrite(t, webVersions+"/7/restore", nil, "no version 7")
		resp := h.write(t, webVersions+"/1/restore", map[string]any{"skip_import_rotation": true})
		if resp.Data["current_version"] != 3 || resp.Data["state"] != "ready" {
			t.Errorf("the answer is %v", resp.Data)
		}
		if got := h.read(t, "creds/web"); got["password"] != first || got["version"] != 3 || got["source"] != "reset" {
			t.Errorf("after the restore: version %v from %v", got["version"], got["source"])
		}
		resets := h.resets()
		resp = h.write(t, webVersions+"/2/restore", nil)
		if resp.Data["current_version"] != 4 || resp.Data["due_reason"] != "import" {
			t.Errorf("the answer is %v", resp.Data)
		}
		h.pass(t, time.Minute)
		if got := h.read(t, "creds/web"); h.resets() != resets+1 || got["version"] != 5 || got["password"] != h.cloud.password("srv-1") {
			t.Errorf("after the restore's rotation: version %v, %d resets", got["version"], h.resets()-resets)
		}
	})
}

// A password must not be recorded while a request may still set another one.
func TestRecordingWaitsForARotation(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *harness) {
		h.cloud.fail("StartReset", cloud.Errorf(cloud.Unknown, "the answer was lost"))
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		h.refused(t, logical.UpdateOperation, webImport, map[string]any{"password": "by-hand"}, http.StatusConflict, "being rotated",
			"accounts/prod/srv-1/root")
		h.refused(t, logical.UpdateOperation, webVersions+"/1/restore", nil, http.StatusConflict)
		h.cloud.fail("StartReset", nil)
		h.pass(t, time.Hour)
		h.write(t, webImport, map[string]any{"password": "by-hand", "skip_import_rotation": true})
	})
}

// Where nothing can reset, an import is how a wrong initial password is mended, and nothing becomes due.
func TestImportOverAnInitialPassword(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.cloud.boot(t, "srv-1", "First-Boot-1", &key.PublicKey)
	h.write(t, "roles/r", baseRoles["initial"])
	if got := h.read(t, "creds/r"); got["password"] != "First-Boot-1" {
		t.Fatalf("the initial password is %v", got["password"])
	}
	account := initialCloud + "/srv-1/Administrator"
	resp := h.write(t, "import/"+account, map[string]any{"password": "By Hand"})
	if resp.Data["state"] != "ready" || resp.Data["due_reason"] != nil || len(resp.Warnings) > 0 {
		t.Errorf("the answer is %v", resp)
	}
	if got := h.read(t, "creds/r"); got["password"] != "By Hand" || got["source"] != "import" || got["version"] != 2 {
		t.Errorf("creds/ answers with version %v from %v", got["version"], got["source"])
	}
	h.write(t, "versions/"+account+"/1/restore", nil)
	if got := h.read(t, "creds/r"); got["password"] != "First-Boot-1" || got["source"] != "initial" || got["version"] != 3 {
		t.Errorf("after the restore: version %v from %v", got["version"], got["source"])
	}
	if got := h.read(t, "versions/"+account+"/3"); got["confirmed"] != true || got["current"] != true {
		t.Errorf("the restored version is confirmed %v", got["confirmed"])
	}
}

// An account of a shared password whose server was changed is brought back to that password.
func TestImportOverASharedPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := sharedRole(t, map[string]any{"mode": "static", "skip_import_rotation": false})
		h.pass(t, time.Minute)
		shared := h.read(t, "creds/web")["password"]
		h.refusedWrite(t, webImport, map[string]any{"password": "by-hand", "skip_import_rotation": true}, "skip_import_rotation", "role web")
		h.write(t, webImport, map[string]any{"password": "by-hand"})
		h.refused(t, logical.ReadOperation, "creds/web/srv-1", nil, http.StatusServiceUnavailable)
		h.pass(t, time.Minute)
		for _, path := range []string{"creds/web", "creds/web/srv-1", "creds/web/srv-2"} {
			if got := h.read(t, path); got["password"] != shared {
				t.Errorf("%s answers with another password", path)
			}
		}
		if h.cloud.password("srv-1") != shared {
			t.Error("the server was not brought back to the shared password")
		}
	})
}

// The log must not hold what was recorded; the answer tells the state and no password.
func TestRecordingTellsNoPassword(t *testing.T) {
	h := leasedRole(t, nil)
	resp := h.write(t, webImport, map[string]any{"password": "By-Hand-2000-abc"})
	if strings.Contains(fmt.Sprint(resp.Data, resp.Warnings), "By-Hand") {
		t.Errorf("the answer is %v", resp)
	}
	account := h.read(t, "accounts/prod/srv-1/root")
	if strings.Contains(fmt.Sprint(account), "By-Hand") {
		t.Errorf("accounts/ shows %v", account)
	}
}
