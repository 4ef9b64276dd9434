package protocol

import (
	"testing"
	"time"
)

// TestReplacedAt: who reads a password that is about to be replaced is told so, and not to come back
// at the schedule's next time.
func TestReplacedAt(t *testing.T) {
	now, next := at(t, "2026-01-01T10:00:00Z"), at(t, "2026-01-02T03:00:00Z")
	nightly := Settings{Mode: Static, CanReset: true, Schedule: Schedule{Cron: "0 3 * * *"}}
	held, windowed := nightly, nightly
	held.MinResetInterval = time.Hour
	windowed.Window = time.Hour
	for name, c := range map[string]struct {
		account Account
		want    time.Time
	}{
		"not due": {Account{Settings: nightly}, next},
		"due":     {Account{Settings: nightly, Due: &Due{Reason: DueSchedule}}, now.Add(retryInterval)},
		"due, held back by a limit": {Account{Settings: held, Due: &Due{Reason: DueManual, Forced: true}, LastReset: now.Add(-time.Minute)},
			now.Add(59 * time.Minute)},
		"due, and the clock is set back": {Account{Settings: held, Due: &Due{Reason: DueManual, Forced: true}, LastReset: now.Add(time.Minute)},
			now.Add(retryInterval)},
		"due, the window is shut":       {Account{Settings: windowed, Due: &Due{Reason: DueImport}}, next},
		"due, the window is overridden": {Account{Settings: windowed, Due: &Due{Reason: DueManual, Forced: true}}, now.Add(retryInterval)},
	} {
		c.account.NextRotation = next
		if got := c.account.ReplacedAt(c.account.WaitsFor(PlanInput{Now: now}), now); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := (&Account{Due: &Due{Reason: DueManual}}).ReplacedAt(Waiting{}, now); !got.IsZero() {
		t.Errorf("an account without a schedule is replaced at %s", got)
	}
}

// A reader of a shared password is told what it waits for in words, and not by the name of the group's record.
func TestUnreadableGroupTellsWhereItsAccountsAreSeen(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	g := &Account{ID: GroupID("prod", "fleet"), Role: "fleet", Pending: &Pending{Created: now}}
	got := g.Unreadable(Waiting{Until: now.Add(time.Minute), Cause: ForMembers}, now.Add(time.Second)).Message.String()
	want := "the shared password of role fleet is being rotated since 2026-03-01T09:00:00Z; it waits for accounts of the role; " +
		"which of them fail, and why: read status"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
