//go:build e2e

package e2e

import (
	"maps"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// The password of the first boot is handed out under a lease, and Nova sets another when that ends.
func TestOpenStackRotatesLeasedPasswords(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.OpenStack)
	leased := map[string]any{"mode": "leased", "min_reset_interval": 0}
	for name, role := range map[string]map[string]any{
		"windows-1": {"source": "initial"},
		"linux-1":   {"source": "reset", "username": "root", "key": ""},
	} {
		t.Run(name, func(t *testing.T) {
			maps.Copy(role, leased)
			id := e.role(t, name, model.OpenStack, name, role)
			initial := len(e.sim.PasswordAttempts(t, id))
			secret := e.first(t, name)
			if want := role["source"]; any(secret.Source) != want || secret.lease == "" {
				t.Fatalf("the first password is of source %s under lease %q, want %v under a lease", secret.Source, secret.lease, want)
			}
			first := len(e.sim.PasswordAttempts(t, id)) - initial
			e.sim.Fault(t, model.Fault{Cloud: model.OpenStack, Action: "ChangePassword", Instance: id, Kind: model.FaultDropAfter, Count: 1})
			e.revoke(t, secret.lease)
			e.awaitRotated(t, secret)
			next := e.issue(t, name)
			if next.Version != secret.Version+1 || next.Password == secret.Password || next.Username != secret.Username {
				t.Errorf("after version %d of %s came version %d of %s", secret.Version, secret.Username, next.Version, next.Username)
			}
			// The answer to the first attempt was lost: the same password is sent again.
			attempts := e.sim.PasswordAttempts(t, id)[initial+first:]
			if len(attempts) != 2 || attempts[0].Password != attempts[1].Password || attempts[1].Password != next.Password {
				t.Errorf("%d attempts after the end of the lease", len(attempts))
			}
		})
	}
}

func TestOpenStackSaysWhosePasswordItSets(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.OpenStack)
	id := e.sim.ServerID(t, model.OpenStack, "linux-1")
	_, err := e.Client.Logical().WriteWithContext(t.Context(), "cloudpw/roles/wrong", map[string]any{
		"connection": string(model.OpenStack), "instance_ids": id, "source": "reset", "username": "admin",
	})
	if harness.Status(err) != 400 || !strings.Contains(err.Error(), "use username=root") {
		t.Errorf("got %v", err)
	}
	if n := len(e.sim.PasswordAttempts(t, id)); n != 0 {
		t.Errorf("%d passwords were sent", n)
	}
}
