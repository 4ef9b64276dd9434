//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// alibabaConnects writes the connection, which has no key: the cloud has no initial passwords.
func (e *env) alibabaConnects(t *testing.T) {
	t.Helper()
	e.Write(t, "cloudpw/config/alibabacloud", e.connection(model.AlibabaCloud))
}

// alibabaRole writes a leased role for a seeded server and returns the server's id.
func (e *env) alibabaRole(t *testing.T, name, server string, more map[string]any) string {
	t.Helper()
	id := e.sim.ServerID(t, model.AlibabaCloud, server)
	fields := map[string]any{"connection": "alibabacloud", "instance_ids": id}
	maps.Copy(fields, more)
	e.Write(t, "cloudpw/roles/"+name, fields)
	return id
}

// Leases on Linux and Windows: each end rotates once, the old password is refused, a rotated account is read without the
// cloud, and neither the requests nor the cloud's history hold a password.
func TestAlibabaCommandsUnderLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.alibabaConnects(t)
	for server, extra := range map[string]int{"linux-1": 0, "windows-1": 1} { // Windows is asked for its key once
		t.Run(server, func(t *testing.T) {
			id := e.alibabaRole(t, server, server, nil)
			secret := e.first(t, server)
			values := []string{secret.Password}
			const leases = 2
			for range leases {
				e.revoke(t, secret.lease)
				e.awaitRotated(t, secret)
				before := e.sim.LastEntry(t)
				secret = e.issue(t, server)
				if calls := e.sim.Since(t, before); len(calls) != 0 {
					t.Fatalf("the read of a rotated account made %d cloud calls, the first %s", len(calls), calls[0].Action)
				}
				values = append(values, secret.Password)
			}
			history := e.commands(t, id)
			if want := leases + 1 + extra; len(history) != want {
				t.Errorf("%d commands, want %d: one for each password", len(history), want)
			}
			seen := fmt.Sprintf("%+v %+v", history, e.sim.Since(t, 0))
			for _, value := range values {
				if strings.Contains(seen, value) {
					t.Error("the requests or the history of commands hold a password")
				}
			}
			if s, err := e.sim.Server(t.Context(), id); err != nil || s.State != model.StateRunning {
				t.Errorf("the server was not left alone: %s, %v", s.State, err)
			}
		})
	}
}

// The worst moment to die: the cloud has taken the command, and nobody has its answer. The command is found by its name, so
// that the same password becomes the version without another attempt.
func TestAlibabaPluginKilledAfterAcceptance(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.alibabaConnects(t)
	id := e.alibabaRole(t, "app", "linux-1", nil)
	held := e.first(t, "app")
	before := len(e.commands(t, id))
	next := e.killedAfterAcceptance(t, model.AlibabaCloud, "RunCommand", held, recoversWithin)
	if next.Version != held.Version+1 || next.Password == held.Password {
		t.Errorf("version %d, want %d with a password of its own", next.Version, held.Version+1)
	}
	if n := len(e.commands(t, id)) - before; n != 1 {
		t.Errorf("%d commands for one rotation", n)
	}
	e.sim.Refuses(t, id, held.Username, held.Password)
}

// Thirty servers whose leases end at once are rotated once each, within the connection's limit of requests.
func TestAlibabaThirtyServersAtOnce(t *testing.T) {
	t.Parallel()
	const servers, perSecond = 30, 20
	e := start(t)
	fields := e.connection(model.AlibabaCloud)
	fields["max_requests_per_second"] = perSecond
	e.Write(t, "cloudpw/config/alibabacloud", fields)
	account := e.sim.Info.Seeded[model.AlibabaCloud]
	var ids []string
	for n := range servers {
		server, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.AlibabaCloud, AccountID: account.AccountID,
			Region: account.Region, Platform: model.Linux, Name: fmt.Sprintf("fleet-%d", n)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, server.ID)
	}
	e.Write(t, "cloudpw/roles/fleet", map[string]any{"connection": "alibabacloud", "instance_ids": strings.Join(ids, ",")})
	for _, id := range ids { // each starts the first reset of its server
		if _, err := e.TryRead(t.Context(), "cloudpw/creds/fleet/"+id); err != nil && harness.Status(err) != 503 {
			t.Fatal(err)
		}
	}
	var secrets []issued
	for _, id := range ids {
		secrets = append(secrets, e.first(t, "fleet/"+id))
	}
	before := e.sim.LastEntry(t)
	for _, secret := range secrets {
		e.revoke(t, secret.lease)
	}
	for _, secret := range secrets {
		e.awaitRotated(t, secret)
	}
	times := map[string][]time.Time{}
	for _, entry := range e.sim.Since(t, before) {
		times[entry.Action] = append(times[entry.Action], entry.Time)
		if strings.HasPrefix(entry.Code, "Throttling") {
			t.Errorf("the cloud refused %s for its rate", entry.Action)
		}
	}
	if n := len(times["RunCommand"]); n != servers {
		t.Errorf("%d commands for %d servers", n, servers)
	}
	// Requests are paced where they are sent. They may bunch up on their way, so that a second is too short a measure.
	for action, at := range times {
		took := slices.MaxFunc(at, time.Time.Compare).Sub(slices.MinFunc(at, time.Time.Compare)) + time.Second/2
		if most := 1 + int(perSecond*took.Seconds()); len(at) > most {
			t.Errorf("%d requests of %s within %s, want at most %d", len(at), action, took, most)
		}
	}
}

// A server whose agent is away gets no command; the account says why, and rotates when the agent is back.
func TestAlibabaAgentComesBack(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.alibabaConnects(t)
	id := e.alibabaRole(t, "app", "linux-1", nil)
	secret := e.first(t, "app")
	commands := len(e.commands(t, id))
	if err := e.sim.SetGuest(t.Context(), id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	e.revoke(t, secret.lease)
	harness.Eventually(t, rotatesWithin, "the reason in the account", func() error {
		if a := e.accountOf(t, secret); !strings.Contains(a.LastError, "is not online") {
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
	e.issue(t, "app")
}
