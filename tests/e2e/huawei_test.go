//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// The simulator's name of the request that has a script run, and the parameter with the password's hash.
const (
	huaweiExecute = "ExecuteScript"
	huaweiHash    = "parameter cloudpw_hash"
)

// huaweiRole writes the connection and a leased role for the Linux server, and returns the server's id.
func (e *env) huaweiRole(t *testing.T, name string, more map[string]any) string {
	t.Helper()
	e.Write(t, "cloudpw/config/huaweicloud", e.connection(model.HuaweiCloud))
	id := e.sim.ServerID(t, model.HuaweiCloud, "linux-1")
	fields := map[string]any{"connection": "huaweicloud", "instance_ids": id, "source": "reset"}
	maps.Copy(fields, more)
	e.Write(t, "cloudpw/roles/"+name, fields)
	return id
}

// sentHashes are the hashes that were sent to COC since an entry, as they were sent, in base64; oldest first, repeats included.
func (e *env) sentHashes(t *testing.T, since int) (sent []string) {
	t.Helper()
	for _, entry := range e.sim.Since(t, since) {
		if hash := entry.Params[huaweiHash]; entry.Cloud == model.HuaweiCloud && entry.Action == huaweiExecute && hash != "" {
			sent = append(sent, hash)
		}
	}
	return sent
}

// orderOf is the order number in a hash that was sent: the first ten digits of its salt.
func orderOf(t *testing.T, sent string) string {
	t.Helper()
	const digits = 10
	hash, err := base64.StdEncoding.DecodeString(sent)
	fields := strings.Split(string(hash), "$")
	if err != nil || len(fields) != 5 || fields[1] != "6" || len(fields[3]) < digits {
		t.Fatalf("a hash was sent in a form that is not known (%v)", err)
	}
	return fields[3][:digits]
}

// sentOrders are the order numbers of the values that were sent, each once.
func (e *env) sentOrders(t *testing.T, since int) []string {
	t.Helper()
	var orders []string
	for _, sent := range e.sentHashes(t, since) {
		orders = append(orders, orderOf(t, sent))
	}
	return slices.Compact(orders)
}

// Leases on Linux: the end of each rotates once, the old password is refused, a rotated account is read without the cloud, and
// the server keeps running. COC keeps the hash of each password; it is nowhere else.
func TestHuaweiLinuxUnderLeases(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", nil)
	secret := e.first(t, "app")
	values := []string{secret.Password}
	const leases = 2
	for range leases {
		e.revoke(t, secret.lease)
		e.awaitRotated(t, secret)
		before := e.sim.LastEntry(t)
		secret = e.issue(t, "app")
		if calls := e.sim.Since(t, before); len(calls) != 0 {
			t.Fatalf("the read of a rotated account made %d cloud calls, the first %s", len(calls), calls[0].Action)
		}
		if secret.Source != "reset" || secret.lease == "" {
			t.Errorf("version %d of source %s under lease %q", secret.Version, secret.Source, secret.lease)
		}
		values = append(values, secret.Password)
	}
	hashes := e.sentHashes(t, 0)
	if n := len(e.commands(t, id)); n != len(values) || len(hashes) != n || len(e.sentOrders(t, 0)) != n {
		t.Errorf("%d scripts ran with %d hashes, want one for each of %d passwords", n, len(hashes), len(values))
	}
	made := 0
	for _, entry := range e.sim.Since(t, 0) {
		if entry.Action == "CreateScript" {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d scripts were stored, want one for all passwords", made)
	}
	seen := fmt.Sprintf("%+v %+v", e.commands(t, id), e.sim.Since(t, 0))
	for _, value := range values {
		if strings.Contains(seen, value) {
			t.Error("the requests or the orders hold a password")
		}
	}
	if s, err := e.sim.Server(t.Context(), id); err != nil || s.State != model.StateRunning {
		t.Errorf("the server was not left alone: %s, %v", s.State, err)
	}
	e.nowhere(t, hashes)
}

// nowhere holds that neither Vault nor the plugin has written a hash that was sent to COC, in any form.
func (e *env) nowhere(t *testing.T, hashes []string) {
	t.Helper()
	var secrets []harness.Secret
	for n, sent := range hashes {
		decoded, err := base64.StdEncoding.DecodeString(sent)
		if err != nil {
			t.Fatal(err)
		}
		hash := strings.TrimRight(string(decoded), ":")
		secrets = append(secrets, harness.Secret{Name: fmt.Sprintf("hash %d as it was sent", n), Value: sent},
			harness.Secret{Name: fmt.Sprintf("hash %d", n), Value: hash},
			harness.Secret{Name: fmt.Sprintf("hash %d without its setting", n), Value: hash[strings.LastIndexByte(hash, '$')+1:]})
	}
	for _, leak := range harness.FindLeaks(t, secrets, e.TraceLog, e.AuditLog, e.ErrorLog) {
		t.Error(leak)
	}
	t.Run("planted", func(t *testing.T) { findsPlanted(t, secrets) })
}

// A script that the agent runs late changes nothing: another password was set meanwhile. Nor do all scripts that COC has a
// record of, if they run again.
func TestHuaweiLinuxLateAndAgain(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", nil)
	secret := e.first(t, "app")
	before := len(e.commands(t, id))
	const late = 15 * time.Minute
	e.sim.Fault(t, model.Fault{Cloud: model.HuaweiCloud, Action: huaweiExecute, Kind: model.FaultLate, Count: 1, Delay: late})
	e.revoke(t, secret.lease)
	harness.Eventually(t, rotatesWithin, "an order that no agent has fetched", func() error {
		if n := len(e.commands(t, id)); n == before {
			return errors.New("none was made")
		}
		return nil
	})
	if err := e.sim.Advance(t.Context(), 2*time.Minute); err != nil { // COC gives up
		t.Fatal(err)
	}
	e.awaitRotated(t, secret)
	secret = e.issue(t, "app")
	e.revoke(t, secret.lease)
	e.awaitRotated(t, secret)
	secret = e.issue(t, "app")

	e.runsAgain(t, id, 1, "password set") // it is the password that the server has; and the late one has not run yet
	if err := e.sim.Advance(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	run := e.commands(t, id)[before].Unreported
	if len(run) != 1 || run[0].Applied || !strings.Contains(run[0].Output, "too old") {
		t.Errorf("the late script has done this: %+v", run)
	}
	e.sim.Accepts(t, id, secret.Username, secret.Password)
	e.runsAgain(t, id, 0, "too late")
	e.sim.Accepts(t, id, secret.Username, secret.Password)
	e.revoke(t, secret.lease)
	e.awaitRotated(t, secret)
}

// runsAgain lets all scripts run again that COC has a record of, but for those that have not run yet: the newest says what it is to
// say, the others that they are too old.
func (e *env) runsAgain(t *testing.T, id string, notYet int, newest string) {
	t.Helper()
	history := e.commands(t, id)
	if n, err := e.sim.RunAgain(t.Context(), id); err != nil || n != len(history)-notYet {
		t.Fatalf("%d of %d scripts were run again: %v", n, len(history), err)
	}
	for i, command := range e.commands(t, id) {
		said := "too old"
		if i == len(history)-1 {
			said = newest
		}
		if len(command.Unreported) == 0 {
			continue // it has not run yet
		}
		run := command.Unreported[len(command.Unreported)-1]
		if !strings.Contains(run.Output, said) || run.Applied != (said == "password set") {
			t.Errorf("script %d, run again: %+v, want that it says %q", i, run, said)
		}
	}
}

// An answer of COC that is lost costs no password and no time that matters: the same value is sent again.
func TestHuaweiLinuxLostAnswer(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", nil)
	held := e.first(t, "app")
	before, entry := len(e.commands(t, id)), e.sim.LastEntry(t)
	e.sim.Fault(t, model.Fault{Cloud: model.HuaweiCloud, Action: huaweiExecute, Kind: model.FaultDropAfter, Count: 1})
	e.revoke(t, held.lease)
	lost := time.Now()
	next := e.eventuallyIssue(t, "app", rotatesWithin)
	t.Logf("a password %s after the answer was lost", time.Since(lost).Round(100*time.Millisecond))
	e.oneValue(t, held, next, before, entry)
}

// The worst moment to die: COC has taken the order, and nobody has its answer. The plugin that comes after sends the same
// value again, and the server has it already.
func TestHuaweiPluginKilledAfterAcceptance(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", nil)
	held := e.first(t, "app")
	before, entry := len(e.commands(t, id)), e.sim.LastEntry(t)
	next := e.killedAfterAcceptance(t, model.HuaweiCloud, huaweiExecute, held, rotatesWithin)
	e.oneValue(t, held, next, before, entry)
}

// oneValue holds that the version after held was made of one value, though it was sent twice.
func (e *env) oneValue(t *testing.T, held, next issued, before, entry int) {
	t.Helper()
	if next.Version != held.Version+1 || next.Password == held.Password {
		t.Errorf("version %d, want %d with a password of its own", next.Version, held.Version+1)
	}
	if n := len(e.commands(t, held.InstanceID)) - before; n != 2 {
		t.Errorf("%d orders, want the lost one and another", n)
	}
	if orders := e.sentOrders(t, entry); len(orders) != 1 {
		t.Errorf("values of the orders %v were sent, want one value", orders)
	}
	e.sim.Refuses(t, held.InstanceID, held.Username, held.Password)
	e.nowhere(t, e.sentHashes(t, 0))
}

// A server whose agent is away: the account says so, nobody is handed the old password, and the same value is set when the
// agent is back.
func TestHuaweiAgentComesBack(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", nil)
	secret := e.first(t, "app")
	entry := e.sim.LastEntry(t)
	if err := e.sim.SetGuest(t.Context(), id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	e.revoke(t, secret.lease)
	harness.Eventually(t, rotatesWithin, "the reason in the account", func() error {
		if err := e.sim.Advance(t.Context(), time.Minute); err != nil { // COC gives up
			return err
		}
		if a := e.accountOf(t, secret); a.LastError == "" {
			return fmt.Errorf("the account is %s", a.State)
		}
		return nil
	})
	e.sim.Accepts(t, id, secret.Username, secret.Password)
	if _, err := e.TryRead(t.Context(), "cloudpw/creds/app"); harness.Status(err) != http.StatusServiceUnavailable {
		t.Errorf("the old password is handed out: %v", err)
	}
	if err := e.sim.SetGuest(t.Context(), id, model.Guest{}); err != nil {
		t.Fatal(err)
	}
	e.awaitRotated(t, secret)
	e.issue(t, "app")
	if orders := e.sentOrders(t, entry); len(orders) != 1 {
		t.Errorf("values of the orders %v were sent, want one value", orders)
	}
}

// Windows has its initial password, and no other way: what would set one is refused, with what to do instead.
func TestHuaweiWindowsIsOnlyRead(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.connect(t, model.HuaweiCloud)
	id := e.role(t, "reading", model.HuaweiCloud, "windows-1", nil)
	secret := e.issue(t, "reading")
	if secret.lease != "" || secret.Source != "initial" {
		t.Errorf("source %s under lease %q", secret.Source, secret.lease)
	}
	for name, fields := range map[string]map[string]any{
		"leased": {"source": "initial", "mode": "leased", "key": keyOf(model.HuaweiCloud)},
		"reset":  {"source": "reset"},
		"both":   {"source": "initial", "reset_method": "command", "key": keyOf(model.HuaweiCloud)},
	} {
		fields["connection"], fields["instance_ids"], fields["username"] = "huaweicloud", id, "other"
		_, err := e.Client.Logical().Write("cloudpw/roles/"+name, fields)
		text := harness.Refused(t, err, http.StatusBadRequest)
		for _, want := range []string{"Windows", "source=import"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: refused with %q, which lacks %q", name, text, want)
			}
		}
	}
	if n := len(e.commands(t, id)); n != 0 {
		t.Errorf("%d scripts were run", n)
	}
}

// A check finds a change by hand, and what it shows is neither the password nor its hash.
func TestHuaweiLinuxIsChecked(t *testing.T) {
	t.Parallel()
	e := start(t)
	id := e.huaweiRole(t, "app", map[string]any{"mode": "static", "check_method": "command", "min_reset_interval": 0})
	secret := e.first(t, "app")
	e.setLogin(t, id, secret.Username, setInside)
	before := len(e.commands(t, id))
	var found checked
	decode(t, e.Write(t, "cloudpw/verify/app/"+id, map[string]any{"wait": "45s"}).Data, &found)
	if want := (checked{Result: "differs", Drifted: true}); found.found() != want {
		t.Fatalf("the check has found %+v, want %+v", found, want)
	}
	looks := e.commands(t, id)[before:]
	if seen := fmt.Sprintf("%+v", looks); len(looks) != 1 || !strings.Contains(seen, "cloudpw: exit 0 checked") ||
		strings.Contains(seen, setInside) || strings.Contains(seen, secret.Password) {
		t.Errorf("%d scripts looked, or show a password", len(looks))
	}
}
