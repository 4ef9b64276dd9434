//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// commandRole writes a leased role that sets passwords by commands, and returns the server's id.
func (e *env) commandRole(t *testing.T, name, server string) string {
	t.Helper()
	id := e.sim.ServerID(t, model.TencentCloud, server)
	e.Write(t, "cloudpw/roles/"+name, map[string]any{
		"connection": string(model.TencentCloud), "instance_ids": id, "reset_method": "command", "min_reset_interval": 0,
	})
	return id
}

// TestCommandsSetPasswordsOfRunningServers lets leases end and looks at what the clouds have seen of it. On Linux the
// script is really run by sh; the Windows scripts are played by the simulator.
func TestCommandsSetPasswordsOfRunningServers(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	for server, commands := range map[string]int{"linux-1": 1, "windows-1": 2} { // Windows is asked for its key before
		t.Run(server, func(t *testing.T) {
			id := e.commandRole(t, server, server)
			secret := e.first(t, server)
			var values []string
			for range 2 {
				values = append(values, secret.Password)
				e.revoke(t, secret.lease)
				e.awaitRotated(t, secret)
				before := e.sim.LastEntry(t)
				secret = e.issue(t, server)
				if calls := e.sim.Since(t, before); len(calls) != 0 {
					t.Fatalf("the read of a rotated account made %d cloud calls, the first %s", len(calls), calls[0].Action)
				}
			}
			values = append(values, secret.Password)
			history, err := e.sim.Commands(t.Context(), id)
			if err != nil || len(history) != 3*commands {
				t.Errorf("%d commands for 3 passwords, want %d; %v", len(history), 3*commands, err)
			}
			for _, command := range history {
				for _, value := range values {
					if strings.Contains(command.Text, value) || strings.Contains(command.Output, value) {
						t.Error("the history of commands holds a password")
					}
				}
			}
			for _, entry := range e.sim.Since(t, 0) {
				if entry.Action == "ResetInstancesPassword" {
					t.Error("the reset API was called as well")
				}
			}
			if s, err := e.sim.Server(t.Context(), id); err != nil || s.State != model.StateRunning || s.Latest.Name != "" {
				t.Errorf("the server was not left alone: %s, %q, %v", s.State, s.Latest.Name, err)
			}
		})
	}
}

// TestCommandsGoOnAfterTroubleInTheGuest takes away what a command needs, and gives it back.
func TestCommandsGoOnAfterTroubleInTheGuest(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.TencentCloud)
	for server, trouble := range map[string]struct {
		guest  model.Guest
		reason string
	}{
		"linux-1":   {model.Guest{Conditions: guestos.Conditions{NoChpasswd: true}}, "has no chpasswd"},
		"ubuntu-1":  {model.Guest{Agent: model.AgentOffline}, "agent is offline"},
		"windows-1": {model.Guest{Conditions: guestos.Conditions{NotRoot: true}}, "rights of an administrator"},
	} {
		t.Run(server, func(t *testing.T) {
			id := e.commandRole(t, server, server)
			secret := e.first(t, server)
			if err := e.sim.SetGuest(t.Context(), id, trouble.guest); err != nil {
				t.Fatal(err)
			}
			if server == "windows-1" { // its disk is restored, too
				if err := e.sim.Do(t.Context(), http.MethodDelete, "/v1/servers/"+id+"/guest-key", nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			e.revoke(t, secret.lease)
			harness.Eventually(t, rotatesWithin, "the reason in the account", func() error {
				a := e.accountOf(t, secret)
				if !strings.Contains(a.LastError, trouble.reason) {
					return fmt.Errorf("last error %q, want %q", a.LastError, trouble.reason)
				}
				return nil
			})
			e.sim.Accepts(t, id, secret.Username, secret.Password)
			if err := e.sim.SetGuest(t.Context(), id, model.Guest{}); err != nil {
				t.Fatal(err)
			}
			e.awaitRotated(t, secret)
			e.issue(t, server)
		})
	}
}

// killedAfterAcceptance ends a lease of the role app and kills the plugin when the cloud has taken and carried out the command, an
// action of its, and nobody has the answer. It returns the password that is handed out after that, within a time.
func (e *env) killedAfterAcceptance(t *testing.T, cloud model.Cloud, action string, held issued, within time.Duration) issued {
	t.Helper()
	before := len(e.commands(t, held.InstanceID))
	e.sim.Fault(t, model.Fault{Cloud: cloud, Action: action, Kind: model.FaultHoldAfter, Count: 1})
	e.revoke(t, held.lease)
	e.sim.AwaitHeld(t, 1, rotatesWithin)
	harness.Eventually(t, rotatesWithin, "the end of the command", func() error {
		if history := e.commands(t, held.InstanceID); len(history) <= before || !history[len(history)-1].State.Final() {
			return errors.New("not carried out")
		}
		return nil
	})
	e.KillPlugin(t)
	killed := time.Now()
	if _, err := e.sim.ReleaseHolds(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := e.eventuallyIssue(t, "app", within)
	t.Logf("a password %s after the kill", time.Since(killed).Round(100*time.Millisecond))
	return next
}
