//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const twoWeeks = 14 * 24 * time.Hour

// A command that the cloud took while its virtual machine was about to stop is carried out at the next start, two weeks
// later. It changes nothing then, and the account goes on with the same value.
func TestAzureCommandRunsAtAStartTwoWeeksLater(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	id := e.sim.ServerID(t, model.Azure, "linux-1")
	e.azureRole(t, "app", []string{id}, nil)
	held := e.first(t, "app")
	before := len(e.commands(t, id))
	e.sim.Fault(t, model.Fault{Cloud: model.Azure, Action: azurePut, Kind: model.FaultStopServer, Count: 1})
	// Nothing else reaches the server until the late command has been looked at.
	e.sim.Fault(t, model.Fault{Cloud: model.Azure, Action: azurePut, Kind: model.FaultThrottle, Skip: 1})
	e.revoke(t, held.lease)
	harness.Eventually(t, rotatesWithin, "a stopped server with a command", func() error {
		if history := e.commands(t, id); len(history) == before || history[before].State != model.CommandPending {
			return fmt.Errorf("%d commands", len(history)-before)
		}
		return nil
	})
	if err := e.sim.Advance(t.Context(), twoWeeks); err != nil {
		t.Fatal(err)
	}
	e.setState(t, id, model.StateRunning)
	harness.Eventually(t, rotatesWithin, "the end of the late command", func() error {
		if state := e.commands(t, id)[before].State; !state.Final() {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if late := e.commands(t, id)[before]; !late.Applied.IsZero() || !strings.Contains(late.Output, "too late") {
		t.Errorf("the late command has set a password: %v; it says %q", !late.Applied.IsZero(), late.Output)
	}
	e.sim.Accepts(t, id, held.Username, held.Password)
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.awaitRotated(t, held)
	e.issue(t, "app")
}

// Azure may run every command again that it still has a record of. Neither at once, which the order of values refuses, nor
// later, which the deadline does, is a password changed by that.
func TestAzureAllCommandsRunAgain(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	id := e.sim.ServerID(t, model.Azure, "linux-1")
	e.azureRole(t, "app", []string{id}, nil)
	// No record is removed.
	e.sim.Fault(t, model.Fault{Cloud: model.Azure, Action: azureDelete, Kind: model.FaultRefuse, Code: "ScopeLocked",
		Message: "The scope cannot perform the operation.", Status: http.StatusConflict})
	secret := e.first(t, "app")
	const leases = 2
	for range leases {
		e.revoke(t, secret.lease)
		e.awaitRotated(t, secret)
		secret = e.issue(t, "app")
	}
	if kept := e.records(t)[id]; len(kept) != leases+1 {
		t.Fatalf("the cloud keeps %v, want a record of each password", kept)
	}
	for n, newest := range []string{"password set", "too late"} { // at once it sets the value that the server has
		if again, err := e.sim.RunAgain(t.Context(), id); err != nil || again != leases+1 {
			t.Fatalf("%d commands were run again: %v", again, err)
		}
		history := e.commands(t, id)
		for i, command := range history {
			said := "too old"
			if i == len(history)-1 {
				said = newest
			}
			if run := command.Unreported; len(run) != n+1 || !strings.Contains(run[n].Output, said) || run[n].Applied != (said == "password set") {
				t.Errorf("command %d, run again for the time %d: %+v, want that it says %q", i, n+1, run, said)
			}
		}
		e.sim.Accepts(t, id, secret.Username, secret.Password)
		if err := e.sim.Advance(t.Context(), twoWeeks); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.revoke(t, secret.lease)
	e.awaitRotated(t, secret)
	e.atRest(t, id)
}

// setState puts a server into a state at once.
func (e *env) setState(t *testing.T, id string, state model.State) {
	t.Helper()
	if err := e.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+id+"/state", map[string]model.State{"state": state}, nil); err != nil {
		t.Fatal(err)
	}
}
