//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// rebuilt makes a server's system again, of another image, and holds that its password of before is none any more.
func (e *env) rebuilt(t *testing.T, known issued) {
	t.Helper()
	if _, err := e.sim.Rebuild(t.Context(), known.InstanceID, model.RebuildOptions{Image: "img-of-the-new-disk"}); err != nil {
		t.Fatal(err)
	}
	e.sim.Refuses(t, known.InstanceID, known.Username, known.Password)
}

// On each cloud with initial passwords: a look at the cloud shows that the server was rebuilt, a reader is told so with the command
// that helps, and that command brings the password that the new system has made.
func TestRebuiltServersPasswordIsReadAgain(t *testing.T) {
	t.Parallel()
	e := start(t)
	for cloud, shows := range map[model.Cloud]string{model.AWS: "another system disk", model.HuaweiCloud: "another image",
		model.OpenTelekomCloud: "another image", model.OpenStack: "another image"} {
		t.Run(string(cloud), func(t *testing.T) {
			t.Parallel()
			role := string(cloud)
			e.connect(t, cloud)
			e.role(t, role, cloud, "windows-1", nil)
			first := e.issue(t, role)
			e.rebuilt(t, first)
			e.Write(t, "cloudpw/roles/"+role, nil) // looks at the servers, as Vault does every ten minutes

			told := e.Read(t, "cloudpw/creds/"+role)
			warning := strings.Join(told.Warnings, "\n")
			_, command, found := strings.Cut(warning, ": vault ")
			if !found || !strings.Contains(warning, shows) || !strings.Contains(command, "cloudpw/reread/"+accountPath(first)) {
				t.Fatalf("a reader is warned with %q", warning)
			}
			if account := e.Read(t, "cloudpw/accounts/"+accountPath(first)).Data; account["rebuilt_time"] == nil {
				t.Errorf("the account does not say so: %v", account)
			}
			words := strings.Fields(command)
			if out, err := e.Shell(t, t.TempDir(), "vault "+strings.Join(words[:3], " ")); err != nil || !strings.Contains(out, "changed") {
				t.Fatalf("vault %s: %v\n%s", strings.Join(words[:3], " "), err, out)
			}
			second := e.issue(t, role)
			if second.Version != 2 || second.Source != "initial" || second.Password == first.Password {
				t.Errorf("version %d of source %s; another password: %v", second.Version, second.Source, second.Password != first.Password)
			}
			if old := e.Read(t, "cloudpw/versions/"+accountPath(first)+"/1").Data; old["password"] != first.Password {
				t.Error("the version of before is not kept")
			}
			again := e.Write(t, "cloudpw/reread/"+accountPath(first), nil)
			if again.Data["changed"] != false {
				t.Errorf("the same password makes a version: %v", again.Data)
			}
			if account := e.Read(t, "cloudpw/accounts/"+accountPath(first)).Data; account["rebuilt_time"] != nil {
				t.Errorf("the account still says that the server was rebuilt: %v", account)
			}
		})
	}
}

// A password that was set is never replaced by one that the cloud shows: what helps there is another rotation.
func TestRereadReplacesNoPasswordThatWasSet(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.AWS)
	e.role(t, "app", model.AWS, "windows-1", map[string]any{"source": "initial", "mode": "leased"})
	first := e.first(t, "app")
	e.revoke(t, first.lease)
	e.awaitRotated(t, first)
	set := e.issue(t, "app")
	e.rebuilt(t, set)
	_, err := e.Client.Logical().Write("cloudpw/reread/"+accountPath(set), nil)
	if text := harness.Refused(t, err, http.StatusConflict); !strings.Contains(text, "its source is reset") {
		t.Errorf("an operator is told %q", text)
	}
	e.Write(t, "cloudpw/rotate-role/app", nil)
	e.awaitRotated(t, set)
	e.issue(t, "app")
}
