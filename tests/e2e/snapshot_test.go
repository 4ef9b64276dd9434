//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// A server that was restored from a snapshot has the password of that time, of which its cloud tells nobody. The operator
// tells Vault, and the account is rotated; no answer but those that are to hold a password does.
func TestServerRestoredFromASnapshot(t *testing.T) {
	t.Parallel()
	e := start(t)
	answers := e.recordAnswers(t)
	e.connect(t, model.TencentCloud)
	t.Run("leased", e.restoreLeased)
	t.Run("static", e.restoreStatic)
	t.Run("by hand", e.importByHand)
	e.readEverything(t)
	answers.holdPasswordsOnlyWhereTheyBelong(t, e)
	t.Run("forgotten", e.forget)
}

// snapshot copies the server's disk.
func (e *env) snapshot(t *testing.T, id string) string {
	t.Helper()
	taken, err := e.sim.Snapshot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// restore puts the server's disk back, after which the password that Vault has is wrong.
func (e *env) restore(t *testing.T, snapshot string, known issued) {
	t.Helper()
	if err := e.sim.RestoreSnapshot(t.Context(), known.InstanceID, snapshot); err != nil {
		t.Fatal(err)
	}
	e.sim.Refuses(t, known.InstanceID, known.Username, known.Password)
}

func accountPath(i issued) string {
	return fmt.Sprintf("%s/%s/%s", i.Connection, i.InstanceID, i.Username)
}

// record writes what the operator knows, and wants it recorded as a version.
func (e *env) record(t *testing.T, path string, fields map[string]any, version int, due string) {
	t.Helper()
	var a account
	decode(t, e.Write(t, "cloudpw/"+path, fields).Data, &a)
	if a.CurrentVersion != version || a.DueReason != due {
		t.Fatalf("%s: version %d is current and due is %q; want version %d, %q", path, a.CurrentVersion, a.DueReason, version, due)
	}
}

func (e *env) restoreLeased(t *testing.T) {
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	one := e.first(t, "web")
	snapshot := e.snapshot(t, id)
	e.revoke(t, one.lease)
	e.awaitRotated(t, one)
	two := e.issue(t, "web")
	e.restore(t, snapshot, two)
	if again := asIssued(t, e.Read(t, "cloudpw/creds/web")); again.Password != two.Password {
		t.Fatal("another password before anybody told Vault")
	}

	resets := len(e.sim.PasswordAttempts(t, id))
	e.record(t, "versions/"+accountPath(one)+"/1/restore", nil, 3, "import")
	four := e.eventuallyVersion(t, "web", 4) // the leases of version 2 live on meanwhile
	e.sim.Refuses(t, id, one.Username, one.Password)
	if n := len(e.sim.PasswordAttempts(t, id)) - resets; n != 1 {
		t.Errorf("the restore was followed by %d resets, want 1", n)
	}
	for _, lease := range e.leases(t, "cloudpw/creds/web/") {
		e.revoke(t, lease)
	}
	e.awaitRotated(t, four)
	if four.Source != "reset" || four.Password == one.Password || four.Password == two.Password {
		t.Errorf("version %d from %s after the restore, want a new one, 4", four.Version, four.Source)
	}
}

func (e *env) restoreStatic(t *testing.T) {
	id := e.role(t, "db", model.TencentCloud, "linux-1", map[string]any{"mode": "static", "skip_import_rotation": false, "max_versions": 3})
	one := e.first(t, "db")
	snapshot := e.snapshot(t, id)
	e.Write(t, "cloudpw/rotate-role/db", map[string]any{"wait": "30s"})
	two := e.eventuallyVersion(t, "db", 2)
	e.restore(t, snapshot, two)

	e.record(t, "versions/"+accountPath(one)+"/1/restore", map[string]any{"skip_import_rotation": true}, 3, "")
	if three := e.issue(t, "db"); three.Password != one.Password || three.Version != 3 {
		t.Errorf("version %d after the restore, with the password of version 1: %v; want version 3 with it", three.Version,
			three.Password == one.Password)
	}
	e.Write(t, "cloudpw/rotate-role/db", map[string]any{"wait": "30s"})
	e.eventuallyVersion(t, "db", 4)
	e.sim.Refuses(t, id, one.Username, one.Password)
	if kept := e.List(t, "cloudpw/versions/"+accountPath(one)); !slices.Equal(kept, []string{"2", "3", "4"}) {
		t.Errorf("the versions are %v, want the newest three", kept)
	}
	_, err := e.TryRead(t.Context(), "cloudpw/versions/"+accountPath(one)+"/1")
	if text := harness.Refused(t, err, http.StatusBadRequest); !strings.Contains(text, "vault list -detailed cloudpw/versions/") {
		t.Errorf("a pruned version is refused with %q", text)
	}
}

// eventuallyVersion is issue, once that version is current.
func (e *env) eventuallyVersion(t *testing.T, role string, version int) issued {
	t.Helper()
	var i issued
	harness.Eventually(t, rotatesWithin, fmt.Sprintf("version %d of role %s", version, role), func() error {
		secret, err := e.TryRead(t.Context(), "cloudpw/creds/"+role)
		if err != nil {
			return err
		}
		if i = asIssued(t, secret); i.Version != version {
			return fmt.Errorf("version %d is current", i.Version)
		}
		return nil
	})
	e.sim.Accepts(t, i.InstanceID, i.Username, i.Password)
	return i
}

func (e *env) importByHand(t *testing.T) {
	id := e.role(t, "win", model.TencentCloud, "windows-1", nil)
	one := e.first(t, "win")
	const byHand = "Set-By-Hand-2000"
	err := e.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+id+"/login", map[string]string{"user": one.Username, "password": byHand}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.sim.Refuses(t, id, one.Username, one.Password)
	e.record(t, "import/"+accountPath(one), map[string]any{"password": byHand, "skip_import_rotation": true}, 2, "")
	two := e.issue(t, "win")
	if two.Password != byHand || two.Source != "import" || two.lease == "" {
		t.Errorf("version %d from %s under lease %q, want what was imported, under a lease", two.Version, two.Source, two.lease)
	}
	e.revoke(t, two.lease)
	e.revoke(t, one.lease)
	e.awaitRotated(t, two)
}

// readEverything asks for all that a mount tells.
func (e *env) readEverything(t *testing.T) {
	t.Helper()
	for _, path := range []string{"config", "roles", "keys", "accounts"} {
		for _, name := range e.List(t, "cloudpw/"+path) {
			if path != "accounts" {
				e.Read(t, "cloudpw/"+path+"/"+name)
			}
		}
	}
	for _, role := range e.List(t, "cloudpw/roles") {
		e.List(t, "cloudpw/instances/"+role)
	}
	e.Read(t, "cloudpw/status")
	e.List(t, "cloudpw/discover/tencentcloud")
	for _, id := range e.List(t, "cloudpw/accounts/tencentcloud") {
		for _, user := range e.List(t, "cloudpw/accounts/tencentcloud/"+id) {
			path := "tencentcloud/" + id + "/" + user
			e.Read(t, "cloudpw/accounts/"+path)
			for _, version := range e.List(t, "cloudpw/versions/"+path) {
				_, _ = e.TryRead(t.Context(), "cloudpw/versions/"+path+"/"+version) // of the leased ones the current is refused
			}
		}
	}
}

// recorder is an audit device that keeps answers as they are.
type recorder struct{ path string }

func (e *env) recordAnswers(t *testing.T) recorder {
	t.Helper()
	r := recorder{filepath.Join(e.Dir, "answers.log")}
	err := e.Client.Sys().EnableAuditWithOptions("answers", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": r.path, "log_raw": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mayTell are the paths whose answers hold a password.
var mayTell = regexp.MustCompile(`^cloudpw/(creds/.*|versions/[^/]+/[^/]+/[^/]+/[0-9]+)$`)

func (r recorder) holdPasswordsOnlyWhereTheyBelong(t *testing.T, e *env) {
	t.Helper()
	var passwords []harness.Secret
	for _, server := range servers {
		id := e.sim.ServerID(t, model.TencentCloud, server)
		for n, value := range e.passwords(t, id) {
			passwords = append(passwords, harness.Secret{Name: fmt.Sprintf("value %d sent for %s", n+1, server), Value: value})
		}
	}
	passwords = append(passwords, harness.Secret{Name: "the imported password", Value: "Set-By-Hand-2000"})
	file, err := os.Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	told, silent := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Path, Operation string
			} `json:"request"`
			Response json.RawMessage `json:"response"`
			Error    string          `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		path := entry.Request.Path
		if entry.Type != "response" || !strings.HasPrefix(path, "cloudpw/") {
			continue
		}
		answer := filepath.Join(t.TempDir(), "answer")
		if err := os.WriteFile(answer, append(entry.Response, entry.Error...), 0o600); err != nil {
			t.Fatal(err)
		}
		leaks := harness.FindLeaks(t, passwords, answer)
		first, _, _ := strings.Cut(strings.TrimPrefix(path, "cloudpw/"), "/")
		switch {
		case len(leaks) == 0:
			silent[entry.Request.Operation+" "+first] = true
		case mayTell.MatchString(path) && entry.Request.Operation == "read":
			told[first] = true
		default:
			t.Errorf("the answer to %s %s holds %s", entry.Request.Operation, path, leaks[0].Secret)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	// What the search is worth: passwords are found where they are told, and all else was asked for.
	for _, path := range []string{"creds", "versions"} {
		if !told[path] {
			t.Errorf("no answer of %s/ holds a password, as the search sees it", path)
		}
	}
	for _, call := range []string{
		"list accounts", "read accounts", "list versions", "list instances", "list discover", "list roles", "read roles", "read config",
		"read status",
		"update rotate-role", "update versions", "update import",
	} {
		if !silent[call] {
			t.Errorf("nobody asked for %s, or every answer holds a password; there were %v", call, silent)
		}
	}
}

// forget ends an account whose server is gone.
func (e *env) forget(t *testing.T) {
	id := e.sim.ServerID(t, model.TencentCloud, "windows-1")
	path := "accounts/tencentcloud/" + id + "/Administrator"
	remove := func(says string) {
		t.Helper()
		_, err := e.Client.Logical().Delete("cloudpw/" + path)
		if text := harness.Refused(t, err, http.StatusConflict); !strings.Contains(text, says) || !strings.Contains(text, "force=true") {
			t.Errorf("the delete is refused with %q, want %q and force=true in it", text, says)
		}
	}
	remove("belongs to role win")
	e.Delete(t, "cloudpw/roles/win")
	remove("terminate it first")
	if err := e.sim.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	remove("does not show instance " + id + " now") // one look is not believed
	if _, err := e.Client.Logical().DeleteWithData("cloudpw/"+path, map[string][]string{"force": {"true"}}); err != nil {
		t.Fatal(err)
	}
	if secret, err := e.TryRead(t.Context(), "cloudpw/"+path); secret != nil || err != nil {
		t.Errorf("the account reads as %v, %v", secret, err)
	}
	_, err := e.TryRead(t.Context(), "cloudpw/versions/tencentcloud/"+id+"/Administrator/1")
	if text := harness.Refused(t, err, http.StatusBadRequest); !strings.Contains(text, "there is no account") {
		t.Errorf("a version of a forgotten account is refused with %q", text)
	}
}
