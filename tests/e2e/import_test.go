//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// setLogin does what passwd does inside a server.
func (e *env) setLogin(t *testing.T, id, user, password string) {
	t.Helper()
	err := e.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+id+"/login", map[string]string{"user": user, "password": password}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.sim.Accepts(t, id, user, password)
}

// typed runs the command at the end of a message, as its reader does, in a folder with the password in the file that it names.
func (e *env) typed(t *testing.T, message, password string) {
	t.Helper()
	_, command, found := strings.Cut(message, ": vault ")
	if !found {
		t.Fatalf("no command in %q", message)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password.txt"), []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := e.Shell(t, dir, "vault "+command); err != nil {
		t.Fatalf("vault %s: %v\n%s", command, err, out)
	}
}

// handedOut holds that a role hands out a password without a lease, and that its server takes it.
func (e *env) handedOut(t *testing.T, role string, version int, password string) issued {
	t.Helper()
	secret := e.issue(t, role)
	if secret.Version != version || secret.Password != password || secret.lease != "" {
		t.Fatalf("version %d under lease %q, want version %d and no lease; the password is right: %v", secret.Version, secret.lease, version,
			secret.Password == password)
	}
	e.sim.Accepts(t, secret.InstanceID, secret.Username, password)
	return secret
}

// The life of a password that only people set, on a cloud that can do nothing for a Linux server: the refusal names the command
// that records it, and whatever is done the cloud is only ever asked.
func TestPeoplesPasswordOnOpenTelekomCloud(t *testing.T) {
	t.Parallel()
	const first, second = "By-Hand-First-1", "By-Hand-Second-2"
	e := start(t)
	e.Write(t, "cloudpw/config/prod", e.connection(model.OpenTelekomCloud))
	id := e.sim.ServerID(t, model.OpenTelekomCloud, "linux-1")
	if keys := e.List(t, "cloudpw/discover/prod"); !strings.Contains(fmt.Sprint(keys), id) {
		t.Errorf("discover/ lists %v", keys)
	}
	_, err := e.Client.Logical().Write("cloudpw/roles/appliance", map[string]any{"connection": "prod", "instance_ids": id})
	if text := harness.Refused(t, err, http.StatusBadRequest); !strings.Contains(text, "source=import") {
		t.Errorf("whoever writes no source is told %q", text)
	}
	e.Write(t, "cloudpw/roles/appliance", map[string]any{"connection": "prod", "instance_ids": id, "source": "import"})

	_, err = e.TryRead(t.Context(), "cloudpw/creds/appliance")
	refusal := harness.Refused(t, err, http.StatusServiceUnavailable)
	e.setLogin(t, id, "root", first)
	e.typed(t, refusal, first)
	secret := e.handedOut(t, "appliance", 1, first)

	e.setLogin(t, id, "root", second) // which nobody sees on this cloud
	e.sim.Refuses(t, id, "root", first)
	_, err = e.Client.Logical().Write("cloudpw/rotate-role/appliance", nil)
	refusal = harness.Refused(t, err, http.StatusConflict)
	e.typed(t, refusal, second)
	e.handedOut(t, "appliance", 2, second)

	e.setLogin(t, id, "root", first) // the disk of before
	e.Write(t, "cloudpw/versions/"+accountPath(secret)+"/1/restore", nil)
	e.handedOut(t, "appliance", 3, first)

	if a := e.accountOf(t, secret); a.State != "ready" || len(a.Versions) != 3 || a.DueReason != "" {
		t.Errorf("the account is %s, due %q, with %d versions", a.State, a.DueReason, len(a.Versions))
	}
	for _, entry := range e.sim.Since(t, 0) {
		if entry.Password != "" {
			t.Errorf("%s has sent a password to the cloud", entry.Action)
		}
	}
	if attempts := e.sim.PasswordAttempts(t, id); len(attempts) != 0 {
		t.Errorf("the cloud was asked %d times to set a password", len(attempts))
	}
}

// Where commands can look at a server, a change by hand is found, and the password that no longer fits is kept back until
// somebody records the new one.
func TestPeoplesPasswordIsChecked(t *testing.T) {
	t.Parallel()
	const first, second = "By-Hand-First-1", "By-Hand-Second-2"
	e := start(t)
	for _, cloud := range []model.Cloud{model.AWS, model.TencentCloud} {
		t.Run(string(cloud), func(t *testing.T) {
			t.Parallel()
			role := string(cloud)
			e.Write(t, "cloudpw/config/"+role, e.connection(cloud))
			id := e.sim.ServerID(t, cloud, "linux-1")
			e.Write(t, "cloudpw/roles/"+role, map[string]any{"connection": role, "instance_ids": id, "source": "import",
				"check_method": "command"})
			account := role + "/" + id + "/root"
			check := func() (found checked) {
				t.Helper()
				decode(t, e.Write(t, "cloudpw/verify/"+role+"/"+id, map[string]any{"wait": "45s"}).Data, &found)
				return found.found()
			}

			e.setLogin(t, id, "root", first)
			e.Write(t, "cloudpw/import/"+account, map[string]any{"password": first})
			e.handedOut(t, role, 1, first)
			e.setLogin(t, id, "root", second)
			if found := check(); found != (checked{Result: "differs", Drifted: true}) {
				t.Fatalf("the check has found %+v", found)
			}
			_, err := e.TryRead(t.Context(), "cloudpw/creds/"+role)
			refusal := harness.Refused(t, err, http.StatusServiceUnavailable)
			_, record, found := strings.Cut(refusal, "to record the one that it has")
			if !found {
				t.Fatalf("a read is refused with %q", refusal)
			}
			e.typed(t, record, second)
			e.handedOut(t, role, 2, second)
			for _, command := range e.commands(t, id) {
				if !strings.Contains(command.Text, "look whether the password of one account") {
					t.Errorf("a command ran that does not look: %s", command.CommandID)
				}
			}
			if attempts := e.sim.PasswordAttempts(t, id); len(attempts) != 0 {
				t.Errorf("the cloud was asked %d times to set a password", len(attempts))
			}
		})
	}
}
