//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// What may happen to a mount that has live leases, and to the Vault around it.

// interruptions take the plugin's process, or its Vault, away for a while.
var interruptions = map[string]func(e *env, t *testing.T){
	"reload":    func(e *env, t *testing.T) { e.ReloadPlugin(t) },
	"seal":      func(e *env, t *testing.T) { e.Seal(t); e.Unseal(t) },
	"step-down": func(e *env, t *testing.T) { e.StepDown(t) },
	"kill Vault": func(e *env, t *testing.T) {
		e.Kill()
		e.Restart(t)
	},
}

// A lease survives an interruption, and so does a rotation that is due: it goes on by itself, without any request.
func TestInterruptions(t *testing.T) {
	t.Parallel()
	for name, interrupt := range interruptions {
		t.Run(name, func(t *testing.T) {
			e := startRaft(t)
			e.connect(t, model.TencentCloud)
			e.role(t, "kept", model.TencentCloud, "ubuntu-1", nil)
			id := e.role(t, "ended", model.TencentCloud, "windows-1", nil)
			kept, ended := e.first(t, "kept"), e.first(t, "ended")
			e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultDropBefore})
			e.revoke(t, ended.lease)
			harness.Eventually(t, rotatesWithin, "a failed try", func() error {
				if a := e.accountOf(t, ended); a.LastError == "" {
					return errors.New("no error yet")
				}
				return nil
			})

			interrupt(e, t)
			if err := e.sim.ClearFaults(t.Context()); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, rotatesWithin, "the rotation without a request", func() error {
				attempts := e.sim.PasswordAttempts(t, id)
				if last := attempts[len(attempts)-1]; last.State != model.Succeeded {
					return fmt.Errorf("%d attempts, the last %q", len(attempts), last.State)
				}
				return nil
			})
			e.awaitRotated(t, ended)
			if values := e.passwords(t, id); len(values) != 2 {
				t.Errorf("%d values were sent to the cloud, want one for each version", len(values))
			}
			if again := e.issue(t, "kept"); again.Password != kept.Password || again.Version != kept.Version {
				t.Errorf("version %d of the other account, same password %v; want version %d still",
					again.Version, again.Password == kept.Password, kept.Version)
			}
			if _, err := e.Client.Sys().Renew(kept.lease, 0); err != nil {
				t.Errorf("renew the lease: %v", err)
			}
			e.CLI(t, "lease", "revoke", "-prefix", "cloudpw/creds/kept")
			e.awaitRotated(t, kept)
		})
	}
}

// The mount's own limit beats the role's, and the role's writer is told so.
func TestTunedMount(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"ttl": "1h", "max_ttl": "2h"})
	held := e.first(t, "web")
	if held.duration != time.Hour {
		t.Errorf("the lease lasts %s, want the role's ttl of 1h", held.duration)
	}
	e.CLI(t, "secrets", "tune", "-max-lease-ttl=5m", "-default-lease-ttl=1m", "-description=tuned", "cloudpw/")

	if secret := e.issue(t, "web"); secret.duration > 5*time.Minute || secret.duration < time.Minute || secret.Version != held.Version {
		t.Errorf("version %d for %s, want version %d for the mount's 5m", secret.Version, secret.duration, held.Version)
	}
	answer := e.Write(t, "cloudpw/roles/web", map[string]any{"custom_metadata": "owner=ops"})
	if answer == nil || !strings.Contains(strings.Join(answer.Warnings, "\n"), "max_lease_ttl") {
		t.Errorf("writing the role says %+v, want a warning of the mount's max_lease_ttl", answer)
	}
	e.CLI(t, "lease", "revoke", "-prefix", "cloudpw/creds")
	e.awaitRotated(t, held)
	if n := len(e.sim.PasswordAttempts(t, id)); n != 2 {
		t.Errorf("%d resets, want 2", n)
	}
}

// Disabling revokes every lease first. That must not wait for a cloud, least of all for one that is down.
func TestDisabledMountWithLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	for _, server := range servers {
		e.role(t, server, model.TencentCloud, server, nil)
		e.first(t, server)
	}
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Kind: model.FaultDropBefore})
	e.CLI(t, "secrets", "disable", "cloudpw/")
	mounts, err := e.Client.Sys().ListMounts()
	if err != nil {
		t.Fatal(err)
	}
	if _, there := mounts["cloudpw/"]; there {
		t.Error("the mount is still there")
	}
	if left := e.leases(t, "cloudpw/"); len(left) != 0 {
		t.Errorf("leases are left: %v", left)
	}
	e.MountAt(t, "cloudpw")
	if roles := e.List(t, "cloudpw/roles"); len(roles) != 0 {
		t.Errorf("a new mount at the same path knows the roles %v", roles)
	}
}

// Moving a mount revokes its leases while it is tainted: the accounts rotate, and everything else moves along.
func TestMovedMountWithLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	held := e.first(t, "web")

	e.CLI(t, "secrets", "move", "cloudpw/", "servers/")
	if e.leaseLives(t, held.lease) {
		t.Error("the lease outlives the move")
	}
	var next issued
	harness.Eventually(t, rotatesWithin, "a password from the new path", func() error {
		secret, err := e.TryRead(t.Context(), "servers/creds/web", "wait", "20s")
		if err == nil {
			next = asIssued(t, secret)
		}
		return err
	})
	if next.Version != held.Version+1 || !strings.HasPrefix(next.lease, "servers/") {
		t.Errorf("version %d under lease %s, want version %d under servers/", next.Version, next.lease, held.Version+1)
	}
	e.sim.Accepts(t, id, next.Username, next.Password)
	e.sim.Refuses(t, id, held.Username, held.Password)
	if roles := e.List(t, "servers/roles"); !slices.Equal(roles, []string{"web"}) {
		t.Errorf("the moved mount has the roles %v", roles)
	}
}

// A node that becomes active without the plugin (its file or its registration is missing) serves no request of the mount and
// gives its leases up as irrevocable. The way back is that of the page on operations: nothing is lost by it.
func TestMountWithoutItsPlugin(t *testing.T) {
	t.Parallel()
	e := startRaft(t)
	e.connect(t, model.TencentCloud)
	id := e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	held := e.first(t, "web")

	e.CLI(t, "plugin", "deregister", "-version="+e.RunningVersion(t), "secret", harness.PluginName)
	e.Seal(t)
	e.Unseal(t)
	if secret, err := e.TryRead(t.Context(), "cloudpw/creds/web"); err == nil && secret != nil {
		t.Fatal("a mount without its plugin hands passwords out")
	}
	e.CLI(t, "lease", "revoke", "-prefix", "cloudpw/creds")
	harness.Eventually(t, rotatesWithin, "a lease that Vault has given up", func() error {
		if n := e.IrrevocableLeases(t); n != 1 {
			return fmt.Errorf("%d irrevocable leases", n)
		}
		return nil
	})

	e.Register(t)
	e.Seal(t)
	e.Unseal(t)
	e.CLI(t, "lease", "revoke", "-sync", "-prefix", "cloudpw/creds")
	if n := e.IrrevocableLeases(t); n != 0 {
		t.Errorf("%d irrevocable leases are left", n)
	}
	e.awaitRotated(t, held)
	next := e.issue(t, "web")
	e.sim.Accepts(t, id, next.Username, next.Password)
	e.sim.Refuses(t, id, held.Username, held.Password)
}

// leases lists what Vault knows below a prefix.
func (e *env) leases(t *testing.T, prefix string) []string {
	t.Helper()
	var found []string
	for _, name := range e.List(t, "sys/leases/lookup/"+prefix) {
		if strings.HasSuffix(name, "/") {
			found = append(found, e.leases(t, prefix+name)...)
			continue
		}
		found = append(found, prefix+name)
	}
	return found
}

// Two mounts in one plugin process know nothing of each other.
func TestTwoMounts(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	held := e.first(t, "web")

	e.MountAt(t, "other")
	if names := e.List(t, "other/config"); len(names) != 0 {
		t.Errorf("the second mount has connections %v", names)
	}
	e.Write(t, "other/config/tencentcloud", e.connection(model.TencentCloud))
	e.Write(t, "other/roles/web", map[string]any{
		"connection": "tencentcloud", "instance_ids": e.sim.ServerID(t, model.TencentCloud, "windows-1"), "force_stop": true,
	})
	if err := e.Client.Sys().Unmount("other"); err != nil {
		t.Fatal(err)
	}
	if again := e.issue(t, "web"); again.Password != held.Password {
		t.Error("the end of one mount changed another")
	}
	if secret, err := e.TryRead(t.Context(), "other/roles/web"); harness.Status(err) != 404 {
		t.Errorf("the disabled mount answers %v, %v; want 404", secret, err)
	}
}
