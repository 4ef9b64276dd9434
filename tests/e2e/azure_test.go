//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// Leases on Linux and Windows: the end of each rotates once, the old password is refused, and neither the requests nor the
// commands hold a password. At the end the cloud keeps none of the commands, those that asked Windows for its key and those
// of check/ included.
func TestAzureCommandsUnderLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	ids := map[string]string{}
	t.Run("servers", func(t *testing.T) {
		for server, keys := range map[string]int{"linux-1": 0, "windows-1": 1} { // Windows is asked for its key once
			ids[server] = e.sim.ServerID(t, model.Azure, server)
			t.Run(server, func(t *testing.T) {
				t.Parallel()
				e.azureLeases(t, server, ids[server], keys)
			})
		}
	})
	var check struct {
		Verdict string
		Missing []string
	}
	decode(t, e.Read(t, "cloudpw/check/azure").Data, &check)
	if check.Verdict == "denied" || len(check.Missing) != 0 {
		t.Errorf("the seeded application is said to lack %v: %s", check.Missing, check.Verdict)
	}
	e.atRest(t, ids["linux-1"], ids["windows-1"])
}

// azureLeases takes a lease on a server and another one after its end.
func (e *env) azureLeases(t *testing.T, server, id string, keys int) {
	e.azureRole(t, server, []string{id}, nil)
	secret := e.first(t, server)
	values := []string{secret.Password}
	e.revoke(t, secret.lease)
	e.awaitRotated(t, secret)
	values = append(values, e.issue(t, server).Password)
	history := e.commands(t, id)
	if want := len(values) + keys; len(history) != want {
		t.Fatalf("%d commands, want %d: one for each password", len(history), want)
	}
	if asks := strings.HasPrefix(history[0].CommandID, "cloudpw-look-"); asks != (keys > 0) {
		t.Errorf("the first command is %s; that it asks for the key: %v", history[0].CommandID, asks)
	}
	seen := fmt.Sprintf("%+v %+v", history, e.sim.Since(t, 0))
	for _, value := range values {
		if strings.Contains(seen, value) {
			t.Error("the requests or the commands hold a password")
		}
	}
	if s, err := e.sim.Server(t.Context(), id); err != nil || s.State != model.StateRunning {
		t.Errorf("the server was not left alone: %s, %v", s.State, err)
	}
}

// The worst moment to die: the cloud has taken the command, and nobody has its answer. The command is found by its name, so
// that the same password becomes the version without another attempt.
func TestAzurePluginKilledAfterAcceptance(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.azureConnects(t)
	id := e.sim.ServerID(t, model.Azure, "linux-1")
	e.azureRole(t, "app", []string{id}, nil)
	held := e.first(t, "app")
	before := len(e.commands(t, id))
	next := e.killedAfterAcceptance(t, model.Azure, azurePut, held, recoversWithin)
	if next.Version != held.Version+1 || next.Password == held.Password {
		t.Errorf("version %d, want %d with a password of its own", next.Version, held.Version+1)
	}
	if n := len(e.commands(t, id)) - before; n != 1 {
		t.Errorf("%d commands for one value", n)
	}
	e.sim.Refuses(t, id, held.Username, held.Password)
	e.atRest(t, id)
}

// Thirty virtual machines whose leases end at once are rotated once each, within the connection's limit of requests, in
// which PUT and DELETE count together, and within the cloud's.
func TestAzureThirtyServersAtOnce(t *testing.T) {
	t.Parallel()
	const servers, perSecond = 30, 8 // the default
	e := start(t)
	e.azureConnects(t)
	var ids []string
	for n := range servers {
		ids = append(ids, e.azureServer(t, fmt.Sprintf("fleet-%d", n), model.Linux, nil))
	}
	e.azureRole(t, "fleet", ids, nil)
	for _, id := range ids { // each starts the first reset of its server
		if _, err := e.TryRead(t.Context(), "cloudpw/creds/fleet/"+id); err != nil && harness.Status(err) != http.StatusServiceUnavailable {
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
	if n := len(e.azureCalls(t, before, "", azurePut)); n != servers {
		t.Errorf("%d commands for %d servers", n, servers)
	}
	e.atRest(t, ids...)
	// Requests are paced where they are sent. They may bunch up on their way, so that a second is too short a measure.
	for _, shared := range [][]string{{azurePut, azureDelete}, azureGets} {
		times := make([]time.Time, 0, 4*servers)
		for _, entry := range e.azureCalls(t, before, "", shared...) {
			times = append(times, entry.Time)
		}
		took := slices.MaxFunc(times, time.Time.Compare).Sub(slices.MinFunc(times, time.Time.Compare)) + time.Second/2
		if most := 1 + int(perSecond*took.Seconds()); len(times) > most {
			t.Errorf("%d requests of %s within %s, want at most %d", len(times), shared, took, most)
		}
		t.Logf("%d requests of %s within %s", len(times), shared, took.Round(100*time.Millisecond))
	}
}
