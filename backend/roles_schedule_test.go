package backend

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func TestScheduleFieldsTogether(t *testing.T) {
	for name, c := range map[string]struct {
		on     string
		fields map[string]any
		says   []string // nothing: accepted
	}{
		"both schedules": {"static", map[string]any{"rotation_period": "1h", "rotation_schedule": "0 3 * * *"},
			[]string{"rotation_schedule", "rotation_period"}},
		"period with window": {"static", map[string]any{"rotation_period": "1h", "rotation_window": "10m"},
			[]string{"rotation_window", "rotation_schedule"}},
		"period with time zone": {"static", map[string]any{"rotation_period": "1h", "rotation_timezone": "UTC"},
			[]string{"rotation_timezone", "rotation_schedule"}},
		"a window that never closes": {"static", map[string]any{"rotation_schedule": "0 * * * *", "rotation_window": "1h"},
			[]string{"rotation_window", "1h apart"}},
		"a window of nearly an hour": {"static", map[string]any{"rotation_schedule": "0 * * * *", "rotation_window": "59m"}, nil},
		"clock changes are no mistake": {"static", map[string]any{"rotation_schedule": "30 2 * * *", "rotation_timezone": "Europe/Berlin",
			"min_reset_interval": "24h"}, nil},
		"leased without window": {"leased", map[string]any{"rotation_schedule": "0 3 * * *"},
			[]string{"rotation_schedule", "rotation_window"}},
		"leased with window only": {"leased", map[string]any{"rotation_window": "1h"}, []string{"rotation_window", "rotation_schedule"}},
		"leased with both": {"leased", map[string]any{"rotation_schedule": "0 3 * * *", "rotation_window": "2h",
			"rotation_timezone": "Asia/Shanghai"}, nil},
		"leased, frequent windows": {"leased", map[string]any{"rotation_schedule": "*/5 * * * *", "rotation_window": "2m"}, nil},
		"cool-down of nothing": {"static", map[string]any{"rotate_on_read": false, "rotate_on_read_cooldown": "1h"},
			[]string{"rotate_on_read_cooldown", "rotate_on_read=true"}},
		"no cool-down":    {"static", map[string]any{"rotate_on_read": true, "rotate_on_read_cooldown": 0}, nil},
		"zero means none": {"static", map[string]any{"rotation_period": 0, "rotation_window": "0"}, nil},
		"shared password": {"static", map[string]any{"rotation_schedule": "0 3 * * *", "shared_password": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := roleMount(t)
			data := merged(baseRoles[c.on], c.fields)
			if c.says != nil {
				h.refusedWrite(t, "roles/r", data, c.says...)
				h.absent(t, "roles/r")
				return
			}
			h.write(t, "roles/r", data)
		})
	}
}

func TestScheduleFieldsGoTogether(t *testing.T) {
	h := roleMount(t)
	h.write(t, "roles/r", merged(baseRoles["static"], map[string]any{"rotation_schedule": "0 3 * * *", "rotation_window": "2h",
		"rotation_timezone": "Asia/Tokyo"}))
	h.refusedWrite(t, "roles/r", map[string]any{"rotation_schedule": ""}, "rotation_timezone", "an empty value")
	h.refusedWrite(t, "roles/r", map[string]any{"rotation_period": "1h"}, "rotation_schedule", "an empty value")
	h.refusedWrite(t, "roles/r", map[string]any{"min_reset_interval": "25h"}, "min_reset_interval")
	h.write(t, "roles/r", map[string]any{"rotation_schedule": "", "rotation_timezone": "", "rotation_window": "", "rotation_period": "1h"})
	h.refusedWrite(t, "roles/r", map[string]any{"min_reset_interval": "61m"}, "rotation_period", "min_reset_interval")
	got := h.read(t, "roles/r")
	for field, want := range map[string]any{"rotation_period": int64(3600), "rotation_schedule": "", "rotation_timezone": "UTC",
		"rotation_window": int64(0)} {
		if got[field] != want {
			t.Errorf("%s = %v, want %v", field, got[field], want)
		}
	}
	h.write(t, "roles/leased", merged(baseRoles["leased"], map[string]any{"username": "other"}))
	for _, field := range []string{"rotation_period", "rotate_on_read", "rotate_on_read_cooldown", "disable_automated_rotation"} {
		if value, ok := h.read(t, "roles/leased")[field]; ok {
			t.Errorf("a leased role reads back %s = %v", field, value)
		}
	}
}

// inBubble runs a test with time of its own, on a mount with a static role on one server, whose
// password was made when it began.
func inBubble(t *testing.T, changes map[string]any, test func(*testing.T, *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, merged(map[string]any{"mode": "static", "skip_import_rotation": false}, changes))
		h.pass(t, time.Minute)
		test(t, h)
	})
}

// pass lets time go by, and what is due happen.
func (h *harness) pass(t *testing.T, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
}

func (h *harness) resets() int { return h.cloud.count("StartReset") }

func TestScheduledAnswer(t *testing.T) {
	inBubble(t, map[string]any{"rotation_period": "1h"}, func(t *testing.T, h *harness) {
		start := time.Now()
		first := h.read(t, "creds/web")
		if got, want := first["ttl"], int64(3600-60); got != want {
			t.Errorf("ttl %v (%T), want %v", got, got, want)
		}
		if first["rotation_period"] != int64(3600) || first["next_vault_rotation"] != request.Timestamp(start.Add(59*time.Minute)) ||
			first["version"] != 1 {
			t.Errorf("the answer is %v", first)
		}
		if _, ok := first["rotation_schedule"]; ok {
			t.Error("a period is no rotation_schedule")
		}
		h.pass(t, 59*time.Minute-500*time.Millisecond)
		if got := h.read(t, "creds/web"); got["ttl"] != int64(1) || got["password"] != first["password"] {
			t.Errorf("just before the rotation: ttl %v", got["ttl"])
		}
		h.pass(t, time.Minute)
		second := h.read(t, "creds/web")
		if second["version"] != 2 || second["password"] == first["password"] || second["password"] != h.cloud.password("srv-1") ||
			h.resets() != 2 {
			t.Errorf("after the rotation: version %v, %d resets", second["version"], h.resets())
		}
		if second["next_vault_rotation"] != request.Timestamp(start.Add(119*time.Minute)) {
			t.Errorf("the next rotation is at %v", second["next_vault_rotation"])
		}
		account := h.account(t, "srv-1")
		if account["next_vault_rotation"] != second["next_vault_rotation"] || account["missed_vault_rotation"] != nil {
			t.Errorf("accounts/ shows next %v, missed %v", account["next_vault_rotation"], account["missed_vault_rotation"])
		}
	})
}

func TestCronAnswer(t *testing.T) {
	// synctest's clock begins at 2000-01-01 00:00 UTC, a Saturday.
	inBubble(t, map[string]any{"rotation_schedule": "30 4 * * MON,SAT", "rotation_timezone": "Europe/Berlin"}, func(t *testing.T, h *harness) {
		for _, want := range []struct {
			pass   time.Duration
			ttl    time.Duration
			period time.Duration
			next   string
		}{
			{0, 3*time.Hour + 29*time.Minute, 5 * 24 * time.Hour, "2000-01-01T03:30:00Z"},
			{4 * time.Hour, 2*24*time.Hour - 31*time.Minute, 2 * 24 * time.Hour, "2000-01-03T03:30:00Z"},
		} {
			h.pass(t, want.pass)
			for range 2 { // the second is answered from memory
				got := h.read(t, "creds/web")
				if got["ttl"] != request.Seconds(want.ttl) || got["rotation_period"] != request.Seconds(want.period) ||
					got["next_vault_rotation"] != want.next ||
					got["rotation_schedule"] != "30 4 * * MON,SAT" {
					t.Errorf("after %s the answer is %v", want.pass, got)
				}
			}
		}
		if h.resets() != 2 {
			t.Errorf("%d resets, want 2", h.resets())
		}
	})
}

func TestUnscheduledAnswerHasNoTTL(t *testing.T) {
	for name, changes := range map[string]map[string]any{
		"no schedule": nil,
		"on read":     {"rotate_on_read": true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, changes, func(t *testing.T, h *harness) {
				h.pass(t, 2*time.Hour)
				if h.resets() != 1 {
					t.Errorf("%d resets, want 1: something has rotated it", h.resets())
				}
				got := h.read(t, "creds/web")
				for _, field := range []string{"ttl", "rotation_period", "rotation_schedule", "next_vault_rotation"} {
					if value, ok := got[field]; ok {
						t.Errorf("%s = %v", field, value)
					}
				}
			})
		})
	}
}

func TestManualRotationDoesNotShiftTheSchedule(t *testing.T) {
	inBubble(t, map[string]any{"rotation_period": "1h"}, func(t *testing.T, h *harness) {
		before := h.read(t, "creds/web")["next_vault_rotation"]
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		if got := h.read(t, "creds/web"); got["version"] != 2 || got["next_vault_rotation"] != before {
			t.Errorf("version %v, next rotation %v, before %v", got["version"], got["next_vault_rotation"], before)
		}
	})
}

func TestScheduleChangeTakesEffectAtOnce(t *testing.T) {
	inBubble(t, map[string]any{"rotation_period": "100h"}, func(t *testing.T, h *harness) {
		h.pass(t, 2*time.Hour)
		h.write(t, "roles/web", map[string]any{"rotation_period": "3h"})
		if got := h.read(t, "creds/web"); got["ttl"] != request.Seconds(59*time.Minute) || got["rotation_period"] != int64(10800) {
			t.Errorf("after the change: ttl %v, rotation_period %v", got["ttl"], got["rotation_period"])
		}
		h.write(t, "roles/web", map[string]any{"rotation_period": "1h"}) // the last rotation is longer ago
		h.pass(t, time.Minute)
		if got := h.read(t, "creds/web"); got["version"] != 2 {
			t.Errorf("version %v after a change to a period that has passed", got["version"])
		}
		h.write(t, "roles/web", map[string]any{"disable_automated_rotation": true})
		h.pass(t, 10*time.Hour)
		if h.resets() != 2 {
			t.Errorf("%d resets although the schedule is disabled", h.resets()-2)
		}
		h.write(t, "roles/web", map[string]any{"disable_automated_rotation": ""})
		h.pass(t, time.Minute)
		if h.resets() != 3 {
			t.Errorf("%d resets, want 3: the schedule is enabled again and its time has passed", h.resets())
		}
	})
}

// A time whose window passed while the mount was down is missed, and accounts/ says so.
func TestMissedWindowIsShown(t *testing.T) {
	inBubble(t, map[string]any{"rotation_schedule": "0 3 * * *", "rotation_window": "1h", "skip_import_rotation": true},
		func(t *testing.T, h *harness) {
			h.write(t, "rotate-role/web", nil)
			h.pass(t, time.Minute)
			h.Cleanup(t.Context())
			h.pass(t, 6*time.Hour)
			again := newHarnessOn(t, h.storage, h.cloud)
			again.pass(t, 3*time.Minute) // nothing happens by the time right after a start
			account := again.account(t, "srv-1")
			if account["missed_vault_rotation"] != "2000-01-01T03:00:00Z" || account["next_vault_rotation"] != "2000-01-02T03:00:00Z" ||
				account["current_version"] != 1 {
				t.Errorf("missed %v, next %v, version %v", account["missed_vault_rotation"], account["next_vault_rotation"], account["current_version"])
			}
			again.pass(t, 21*time.Hour)
			if got := again.account(t, "srv-1"); got["current_version"] != 2 {
				t.Errorf("version %v after the next window", got["current_version"])
			}
		})
}

// A time that came while the mount was down is caught up, if its window is still open: soon, and once.
func TestMissedTimeIsCaughtUpInItsWindow(t *testing.T) {
	inBubble(t, map[string]any{"rotation_schedule": "0 3 * * *", "rotation_window": "1h", "skip_import_rotation": true},
		func(t *testing.T, h *harness) {
			h.write(t, "rotate-role/web", nil)
			h.pass(t, time.Minute)
			h.Cleanup(t.Context())
			h.pass(t, 3*time.Hour+30*time.Minute)
			again := newHarnessOn(t, h.storage, h.cloud)
			again.pass(t, 3*time.Minute)
			account := again.account(t, "srv-1")
			if account["current_version"] != 2 || account["missed_vault_rotation"] != nil ||
				account["next_vault_rotation"] != "2000-01-02T03:00:00Z" {
				t.Errorf("version %v, missed %v, next %v", account["current_version"], account["missed_vault_rotation"], account["next_vault_rotation"])
			}
			again.pass(t, 12*time.Hour)
			if got := again.account(t, "srv-1"); got["current_version"] != 2 {
				t.Errorf("version %v before the next time", got["current_version"])
			}
		})
}

// The next rotation is stored: a start in the middle of a period neither begins the period again nor rotates.
func TestStartKeepsTheNextRotation(t *testing.T) {
	inBubble(t, map[string]any{"rotation_period": "10h"}, func(t *testing.T, h *harness) {
		before := h.account(t, "srv-1")
		h.pass(t, 4*time.Hour)
		h.Cleanup(t.Context())
		h.pass(t, time.Hour)
		again := newHarnessOn(t, h.storage, h.cloud)
		again.pass(t, time.Minute)
		after := again.account(t, "srv-1")
		if before["next_vault_rotation"] == nil || after["next_vault_rotation"] != before["next_vault_rotation"] ||
			after["current_version"] != before["current_version"] {
			t.Errorf("next rotation %v and version %v, before the start %v and %v",
				after["next_vault_rotation"], after["current_version"], before["next_vault_rotation"], before["current_version"])
		}
	})
}

func TestRotateOnRead(t *testing.T) {
	inBubble(t, map[string]any{"rotate_on_read": true, "rotate_on_read_cooldown": "1h"}, func(t *testing.T, h *harness) {
		h.pass(t, time.Hour)
		first := h.read(t, "creds/web")
		if first["version"] != 1 {
			t.Fatalf("version %v: the read answers with what it rotates", first["version"])
		}
		h.pass(t, time.Minute)
		for range 3 {
			if got := h.read(t, "creds/web"); got["version"] != 2 {
				t.Fatalf("version %v, want 2: the first read rotates, the others are within the cool-down", got["version"])
			}
			h.pass(t, time.Minute)
		}
		h.pass(t, time.Hour)
		h.read(t, "creds/web")
		h.pass(t, time.Minute)
		if h.resets() != 3 {
			t.Errorf("%d resets, want 3", h.resets())
		}
	})
}

func TestLeasedRoleKeepsToItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, map[string]any{"rotation_schedule": "0 3 * * *", "rotation_window": "1h"})
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "2000-01-01T03:00:00Z", "rotate-role")
		h.pass(t, 3*time.Hour+time.Minute)
		lease := h.lease(t, "creds/web")
		for _, field := range []string{"ttl", "rotation_period", "rotation_schedule", "next_vault_rotation"} {
			if value, ok := lease.Data[field]; ok {
				t.Errorf("a leased answer has %s = %v", field, value)
			}
		}
		h.pass(t, 2*time.Hour)
		h.revoke(t, lease)
		h.pass(t, time.Hour)
		h.refused(t, logical.ReadOperation, "creds/web", nil, http.StatusServiceUnavailable, "2000-01-02T03:00:00Z")
		if h.resets() != 1 {
			t.Errorf("%d resets, want 1: the window is shut", h.resets())
		}
		h.write(t, "rotate-role/web", nil)
		h.pass(t, time.Minute)
		if got := h.lease(t, "creds/web").Data["version"]; got != 2 {
			t.Errorf("version %v: rotate-role overrides the window", got)
		}
	})
}

func TestSharedPasswordOnASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := sharedRole(t, map[string]any{"mode": "static", "skip_import_rotation": false, "rotation_period": "1h"})
		h.pass(t, time.Minute)
		// The write may end some milliseconds after the rotation that it begins.
		minuteLater := func(answer map[string]any) bool { return answer["ttl"] == int64(3540) || answer["ttl"] == int64(3539) }
		for _, path := range []string{"creds/web", "creds/web/srv-2"} {
			if got := h.read(t, path); !minuteLater(got) || got["version"] != 1 {
				t.Errorf("%s: ttl %v, version %v", path, got["ttl"], got["version"])
			}
		}
		resets := h.resets()
		h.pass(t, time.Hour)
		got := h.read(t, "creds/web")
		if got["version"] != 2 || !minuteLater(got) || h.resets() != 2*resets {
			t.Errorf("version %v, ttl %v after %d resets", got["version"], got["ttl"], h.resets())
		}
		// One that leaves has no schedule any more.
		h.write(t, "roles/web", map[string]any{"instance_ids": "srv-1,srv-2"})
		h.pass(t, time.Minute)
		before := h.account(t, "srv-3")
		h.pass(t, 3*time.Hour)
		if after := h.account(t, "srv-3"); after["current_version"] != before["current_version"] || after["next_vault_rotation"] != nil {
			t.Errorf("an account without a role went from version %v to %v, next %v", before["current_version"], after["current_version"],
				after["next_vault_rotation"])
		}
	})
}

func TestDistances(t *testing.T) {
	var d distances
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	weekly := rotation.Schedule{Cron: "0 3 * * SAT"}
	for range maxDistances + 10 {
		weekly.Window += time.Second
		if got := d.of(weekly, now); got != 7*24*time.Hour {
			t.Fatalf("weekly: %s", got)
		}
	}
	if len(d.known) > maxDistances {
		t.Errorf("%d schedules are remembered", len(d.known))
	}
	workdays := rotation.Schedule{Cron: "0 3 * * 1-5"}
	for at, want := range map[string]time.Duration{
		"2026-01-02T02:00:00Z": 24 * time.Hour, "2026-01-02T03:00:00Z": 72 * time.Hour, "2026-01-05T02:59:59Z": 72 * time.Hour,
		"2026-01-05T03:00:00Z": 24 * time.Hour,
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.of(workdays, moment); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
