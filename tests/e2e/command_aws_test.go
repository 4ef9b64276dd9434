//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestAWSCommandsUnderLeases hands out the first-boot password of a Windows server, and the password that a command set on a
// Linux server, under leases whose ends rotate them.
func TestAWSCommandsUnderLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.AWS)
	for server, c := range map[string]struct {
		fields map[string]any
		source string
		resets int // for the first answer
		extra  int // commands that set nothing
	}{
		// Windows is asked for its key once.
		"windows-1": {map[string]any{"source": "initial", "mode": "leased", "key": keyOf(model.AWS)}, "initial", 0, 1},
		"linux-1":   {map[string]any{"source": "reset"}, "reset", 1, 0},
	} {
		t.Run(server, func(t *testing.T) {
			id := e.sim.ServerID(t, model.AWS, server)
			c.fields["connection"], c.fields["instance_ids"] = string(model.AWS), id
			e.Write(t, "cloudpw/roles/"+server, c.fields)
			if n := len(e.commands(t, id)); n != 0 {
				t.Fatalf("writing the role caused %d commands", n)
			}
			const leases = 3
			secret := e.first(t, server)
			if secret.Source != c.source || secret.Version != 1 || secret.lease == "" {
				t.Fatalf("version %d of source %s under lease %q, want version 1 of source %s under a lease", secret.Version, secret.Source,
					secret.lease, c.source)
			}
			values := []string{secret.Password}
			for range leases {
				e.revoke(t, secret.lease)
				e.awaitRotated(t, secret)
				before := e.sim.LastEntry(t)
				secret = e.issue(t, server)
				if calls := e.sim.Since(t, before); len(calls) != 0 {
					t.Fatalf("the read of a rotated account made %d cloud calls, the first %s", len(calls), calls[0].Action)
				}
				if secret.Source != "reset" || secret.lease == "" {
					t.Errorf("version %d of source %s under lease %q", secret.Version, secret.Source, secret.lease)
				}
				values = append(values, secret.Password)
			}
			history := e.commands(t, id)
			if want := leases + c.resets + c.extra; len(history) != want {
				t.Errorf("%d commands, want %d: one for each lease", len(history), want)
			}
			seen := fmt.Sprintf("%+v %+v", history, e.sim.Since(t, 0))
			for _, value := range values {
				if strings.Contains(seen, value) {
					t.Error("the requests or the history of commands hold a password")
				}
			}
		})
	}
}

// commands is the history of a server.
func (e *env) commands(t *testing.T, id string) []model.Invocation {
	t.Helper()
	history, err := e.sim.Commands(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return history
}

// A static role about initial passwords reads, and does no more unless it names a reset method.
func TestAWSReadingSetsNothing(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.AWS)
	id := e.role(t, "reading", model.AWS, "windows-1", nil)
	secret := e.issue(t, "reading")
	if secret.lease != "" || secret.Source != "initial" {
		t.Errorf("source %s under lease %q", secret.Source, secret.lease)
	}
	_, err := e.Client.Logical().WriteWithContext(t.Context(), "cloudpw/rotate-role/reading", nil)
	if text := harness.Refused(t, err, http.StatusConflict); !strings.Contains(text, "reset_method") {
		t.Errorf("an operator who rotates is told %q", text)
	}
	if n := len(e.commands(t, id)); n != 0 {
		t.Errorf("%d commands were sent", n)
	}
	e.Write(t, "cloudpw/roles/reading", map[string]any{"reset_method": "command", "skip_import_rotation": true})
	e.Write(t, "cloudpw/rotate-role/reading", map[string]any{"wait": "45s"})
	e.awaitRotated(t, secret)
	if next := e.issue(t, "reading"); next.lease != "" || next.Source != "reset" || next.Version != 2 {
		t.Errorf("version %d of source %s under lease %q", next.Version, next.Source, next.lease)
	}
}

// A server whose agent is away gets no command; the account says why, and rotates when the agent is back.
func TestAWSAgentComesBack(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.AWS)
	id := e.sim.ServerID(t, model.AWS, "linux-1")
	e.Write(t, "cloudpw/roles/web", map[string]any{"connection": string(model.AWS), "instance_ids": id, "source": "reset"})
	secret := e.first(t, "web")
	commands := len(e.commands(t, id))
	if err := e.sim.SetGuest(t.Context(), id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	e.revoke(t, secret.lease)
	harness.Eventually(t, rotatesWithin, "the reason in the account", func() error {
		if a := e.accountOf(t, secret); !strings.Contains(a.LastError, "is not online (ConnectionLost") {
			return fmt.Errorf("the account is %s, last error %q", a.State, a.LastError)
		}
		return nil
	})
	if n := len(e.commands(t, id)); n != commands {
		t.Errorf("%d commands were sent to an agent that is away", n-commands)
	}
	e.sim.Accepts(t, id, secret.Username, secret.Password)
	if err := e.sim.SetGuest(t.Context(), id, model.Guest{}); err != nil {
		t.Fatal(err)
	}
	e.awaitRotated(t, secret)
	e.issue(t, "web")
}
