package backend

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// due has the background look for credentials whose period has passed.
func (m *rootMount) due(t *testing.T) {
	t.Helper()
	if err := m.rootRound(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// timeOf is a time that a read told.
func timeOf(t *testing.T, data map[string]any, field string) time.Time {
	t.Helper()
	text, _ := data[field].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	return at
}

// until lets time pass until a moment, and the rest of its second.
func (m *rootMount) until(at time.Time) {
	m.time.advance(at.Add(time.Second).Sub(m.time.clock().now()))
}

func TestRotationPeriod(t *testing.T) {
	m := newRootMount(t)
	const period = 240 * time.Hour
	if data := m.read(t, "config/prod"); data["rotation_period"] != int64(0) || data["next_root_rotation"] != nil {
		t.Errorf("without a period: %v", data)
	}
	begin := m.time.clock().now()
	m.write(t, "config/prod", map[string]any{"rotation_period": "240h"})
	for i, id := range []string{"AK-1", "AK-2"} {
		data := m.read(t, "config/prod")
		next := timeOf(t, data, "next_root_rotation")
		if early := begin.Add(period).Sub(next); early < -time.Second || early > maxEarlier {
			t.Fatalf("rotation %d comes %s before the end of the period", i, early)
		}
		m.time.advance(next.Sub(m.time.clock().now()) - time.Second)
		m.due(t)
		if ids := m.keys.ids(); slices.Contains(ids, id) {
			t.Fatalf("too early: credentials %v", ids)
		}
		m.restart(t) // the schedule is stored
		m.until(next)
		begin = m.time.clock().now()
		m.due(t)
		if ids := m.keys.ids(); !slices.Equal(ids, []string{id}) {
			t.Fatalf("credentials %v, want %s", ids, id)
		}
		data = m.read(t, "config/prod")
		if data["credential_id"] != id || data["root_rotation_error"] != nil || strings.Contains(fmt.Sprint(data), "s3cr3t") {
			t.Errorf("the connection reads %v", data)
		}
		if last := timeOf(t, data, "last_root_rotation"); last.Before(begin.Add(-time.Second)) {
			t.Errorf("last rotation at %s, want %s", last, begin)
		}
		state := m.statusDetails(t)["connections"].(map[string]any)["prod"].(map[string]any)
		if state["last_root_rotation"] != data["last_root_rotation"] || state["next_root_rotation"] != data["next_root_rotation"] ||
			strings.Contains(fmt.Sprint(state), id) {
			t.Errorf("status says %v", state)
		}
		m.due(t)
		m.checkSound(t, "after a rotation")
	}
	m.write(t, "config/prod", map[string]any{"rotation_period": 0})
	m.time.advance(10 * period)
	m.due(t)
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-2"}) {
		t.Errorf("without a period: credentials %v", ids)
	}
}

// maxEarlier is how much before its end a period of ten days or less may be over.
const maxEarlier = 12 * time.Hour

// What an operator does counts: a rotation by hand and other credentials begin a new period, another length does not.
func TestRotationPeriodBegins(t *testing.T) {
	m := newRootMount(t)
	next := func() time.Time { return timeOf(t, m.read(t, "config/prod"), "next_root_rotation") }
	m.time.advance(1000 * time.Hour) // the credential is older than the period
	m.write(t, "config/prod", map[string]any{"rotation_period": "100h"})
	first := next()
	if in := first.Sub(m.time.clock().now()); in < 89*time.Hour || in > 100*time.Hour {
		t.Errorf("the first rotation comes in %s", in)
	}
	m.time.advance(50 * time.Hour)
	m.write(t, "config/prod", map[string]any{"rotation_period": "200h"})
	if in := next().Sub(m.time.clock().now()); in < 129*time.Hour || in > 150*time.Hour {
		t.Errorf("with another period it comes in %s", in)
	}
	m.write(t, "rotate-root/prod", nil)
	if in := next().Sub(m.time.clock().now()); in < 179*time.Hour || in > 200*time.Hour {
		t.Errorf("after a rotation by hand it comes in %s", in)
	}
	m.time.advance(50 * time.Hour)
	m.keys.secrets["AK-own"] = "s3cr3t-own"
	m.write(t, "config/prod", map[string]any{"access_key": "AK-own", "secret_key": "s3cr3t-own"})
	if in := next().Sub(m.time.clock().now()); in < 179*time.Hour || in > 200*time.Hour {
		t.Errorf("after other credentials it comes in %s", in)
	}
}

// Connections that were written together are not rotated together, and one at a time.
func TestRotationPeriodsAreSpread(t *testing.T) {
	m := newRootMount(t)
	m.keys.limit = 100
	times := map[string]bool{}
	for i := range 10 {
		id := fmt.Sprintf("AK%d", i)
		m.keys.secrets[id] = "s3cr3t-own"
		name := fmt.Sprintf("c%d", i)
		m.write(t, "config/"+name, merged(connectionData(rootCloud), map[string]any{"access_key": id, "secret_key": "s3cr3t-own",
			"rotation_period": "720h"}))
		times[m.read(t, "config/"+name)["next_root_rotation"].(string)] = true
	}
	if len(times) < 5 {
		t.Errorf("10 connections are rotated at %d times", len(times))
	}
	m.time.advance(720 * time.Hour)
	for i := range 10 {
		m.due(t)
		if m.keys.made != i+1 {
			t.Fatalf("%d rounds made %d credentials", i+1, m.keys.made)
		}
	}
}

func TestUnattendedRotationThatFails(t *testing.T) {
	m := newRootMount(t)
	m.write(t, "config/prod", map[string]any{"rotation_period": "24h"})
	m.until(timeOf(t, m.read(t, "config/prod"), "next_root_rotation"))
	m.keys.denied["CreateCredential"] = cloud.Errorf(cloud.Denied, "lack the permission to create")
	for i, delay := range []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute} {
		m.due(t)
		data := m.read(t, "config/prod")
		if !strings.Contains(fmt.Sprint(data["root_rotation_error"]), "lack the permission to create") {
			t.Fatalf("try %d: the connection reads %v", i, data)
		}
		failed, next := timeOf(t, data, "root_rotation_error_time"), timeOf(t, data, "next_root_rotation")
		if next.Sub(failed) != delay {
			t.Fatalf("try %d: the next comes %s later, want %s", i, next.Sub(failed), delay)
		}
		status := m.read(t, "status")
		state := m.statusDetails(t)["connections"].(map[string]any)["prod"].(map[string]any)
		warnings := fmt.Sprint(status["warnings"])
		if state["root_rotation_error"] != data["root_rotation_error"] || !strings.Contains(warnings, "connection prod") ||
			!strings.Contains(warnings, "lack the permission") || strings.Contains(warnings, "s3cr3t") {
			t.Fatalf("status says %v, %v", state, warnings)
		}
		if i == 1 {
			m.restart(t) // which is no reason to try again
		}
		m.time.advance(delay - 2*time.Second)
		m.due(t)
		if again := m.read(t, "config/prod")["root_rotation_error_time"]; again != data["root_rotation_error_time"] {
			t.Fatalf("try %d: it was tried again at %v", i, again)
		}
		m.until(next)
	}
	m.checkSound(t, "after refusals")
	delete(m.keys.denied, "CreateCredential")
	m.due(t)
	data, status := m.read(t, "config/prod"), m.read(t, "status")
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-1"}) || data["root_rotation_error"] != nil ||
		len(status["warnings"].([]string)) != 0 {
		t.Errorf("credentials %v, the connection reads %v, warnings %v", ids, data, status["warnings"])
	}
}

// The delay after failures ends at a day, and a clock that was set back does not make it longer.
func TestDelayOfUnattendedRotations(t *testing.T) {
	m := newRootMount(t)
	m.write(t, "config/prod", map[string]any{"rotation_period": "24h"})
	m.keys.denied["CreateCredential"] = cloud.Errorf(cloud.Refused, "no")
	m.until(timeOf(t, m.read(t, "config/prod"), "next_root_rotation"))
	longest := time.Duration(0)
	for range 20 {
		m.due(t)
		data := m.read(t, "config/prod")
		next := timeOf(t, data, "next_root_rotation")
		longest = max(longest, next.Sub(timeOf(t, data, "root_rotation_error_time")))
		m.until(next)
	}
	if longest != 24*time.Hour {
		t.Errorf("the longest delay is %s", longest)
	}
	m.due(t)
	delete(m.keys.denied, "CreateCredential")
	m.time.advance(-time.Hour)
	m.due(t)
	if ids := m.keys.ids(); !slices.Equal(ids, []string{"AK-1"}) {
		t.Errorf("after the clock was set back: credentials %v", ids)
	}
}

func TestRotationPeriodRefused(t *testing.T) {
	m := newRootMount(t)
	period := map[string]any{"rotation_period": "48h"}
	m.refusedWrite(t, "config/prod", map[string]any{"rotation_period": "23h59m"}, "rotation_period: must be 24h to 87600h, or 0")
	m.connection(t, "other", resetCloud)
	m.refusedWrite(t, "config/other", period, "rotation_period: provider "+resetCloud+" cannot replace its credentials")
	m.keys.denied["CheckRotation"] = cloud.Errorf(cloud.Refused, "roles have no access keys")
	m.refusedWrite(t, "config/prod", period, "rotation_period", "roles have no access keys", "rotation_period=0")
	delete(m.keys.denied, "CheckRotation")
	m.connection(t, "region-2", rootCloud)
	m.refused(t, logical.UpdateOperation, "config/prod", period, http.StatusConflict, "other connections use the same credential", "region-2")
	m.delete(t, "config/region-2")
	m.write(t, "config/prod", period)
	// One that came later.
	m.connection(t, "region-2", rootCloud)
	m.time.advance(48 * time.Hour)
	m.due(t)
	if data := m.read(t, "config/prod"); m.keys.made != 0 || !strings.Contains(fmt.Sprint(data["root_rotation_error"]), "region-2") {
		t.Errorf("%d credentials made, the connection reads %v", m.keys.made, data)
	}
}

// Only the active node rotates.
func TestRotationPeriodOnStandbys(t *testing.T) {
	m := newRootMount(t)
	m.write(t, "config/prod", map[string]any{"rotation_period": "24h"})
	m.time.advance(24 * time.Hour)
	for _, state := range []consts.ReplicationState{consts.ReplicationPerformanceStandby, consts.ReplicationPerformanceSecondary,
		consts.ReplicationDRSecondary} {
		m.system.ReplicationStateVal = state
		m.due(t)
		if m.keys.made != 0 {
			t.Fatalf("a node in state %d made a credential", state)
		}
	}
	m.system.ReplicationStateVal = consts.ReplicationUnknown
	m.due(t)
	if m.keys.made != 1 {
		t.Error("the active node made none")
	}
}

// An unattended rotation is struck at every step, and goes on by itself: nobody types anything.
func TestUnattendedRotationAtEveryStep(t *testing.T) {
	for _, crash := range []bool{true, false} {
		for n := 1; ; n++ {
			where := ""
			t.Run(fmt.Sprintf("crash=%t step %d", crash, n), func(t *testing.T) { where = strikeUnattended(t, n, crash) })
			if where == "" || t.Failed() {
				break
			}
		}
	}
}

func strikeUnattended(t *testing.T, n int, crash bool) (where string) {
	m := newRootMount(t)
	m.keys.limit = 10
	m.keys.slow = 1
	m.write(t, "config/prod", map[string]any{"rotation_period": "24h"})
	m.time.advance(24 * time.Hour)
	m.keys.mishap.arm(n, crash)
	if err := m.rootRound(t.Context()); err != nil && !crash && !strings.Contains(err.Error(), errStorage.Error()) {
		t.Errorf("the round fails: %v", err)
	}
	where = m.keys.mishap.end()
	m.checkSound(t, "after a mishap at "+where)
	if crash {
		m.restart(t)
	}
	for range 4 {
		m.time.advance(time.Hour)
		m.finish(t)
		m.due(t)
		m.checkSound(t, "after the background's work")
	}
	c := m.storedConnection(t)
	if c.Own["access_key"] == "AK" || c.RootRotation != nil || c.RootFailure != nil || c.LastRootRotation.IsZero() {
		t.Errorf("struck at %s: the connection uses %s, under way %v, failure %v", where, c.Own["access_key"], c.RootRotation, c.RootFailure)
	}
	m.removeLeftovers(t)
	if ids := m.keys.ids(); len(ids) != 1 {
		t.Errorf("struck at %s: credentials %v", where, ids)
	}
	return where
}
