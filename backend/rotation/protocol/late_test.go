package protocol

import (
	"testing"
	"time"
)

// TestAnImportWaitsForALateOperation: what a cloud that runs one operation at a time may go on with, though the window of its
// attempt is over, would overwrite what an operator sets by hand (rule 14).
func TestAnImportWaitsForALateOperation(t *testing.T) {
	lost := func(serial bool) Attempt {
		return Attempt{ID: "lost", Method: "api", Window: 2 * time.Minute, FenceWindow: time.Hour, Serial: serial}
	}
	old := func(serial bool) *Account {
		a := leasedAccount()
		a.OldUnresolved = []Attempt{lost(serial)}
		return a
	}
	settled := func(a *Account) *Account {
		t.Helper()
		next, err := Transition(a, AttemptsSettled{Attempts: []string{"lost"}, At: t0})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	record := func(a *Account, at time.Time) error {
		_, err := Transition(a, PasswordRecorded{Password: "by hand", Source: FromImport, At: at, Reason: DueImport})
		return err
	}
	const late = 58 * time.Minute // what the operation may take beyond the window
	if err := record(settled(old(false)), t0); err != nil {
		t.Errorf("an attempt whose window contains its end: %v", err)
	}
	if err := record(settled(old(true)), t0.Add(late-time.Second)); !wanted(err, Conflict) {
		t.Errorf("too early: %v", err)
	}
	if err := record(settled(old(true)), t0.Add(late)); err != nil {
		t.Errorf("when it has ended: %v", err)
	}

	gone := settled(old(true))
	gone.Gone = t0
	if err := gone.CheckDeletable(t0); err != nil {
		t.Errorf("deleted though its server is gone: %v", err)
	}
	if err := settled(old(true)).CheckDeletable(t0); !wanted(err, Conflict) {
		t.Errorf("deleted too early: %v", err)
	}

	// The next value that the cloud confirms comes after the late one; that a check has seen one says nothing.
	for name, c := range map[string]struct {
		promote func(a *Account)
		want    any
	}{
		"confirmed by the cloud": {func(a *Account) { a.promote("next", t0) }, nil},
		"seen by a check":        {func(a *Account) { a.promote("", t0) }, Conflict},
	} {
		a := settled(old(true))
		a.Pending = &Pending{Password: "next", Attempts: []Attempt{}}
		c.promote(a)
		if err := record(a, t0.Add(time.Minute)); !wanted(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// What is left of the time is left when a step of the clock is believed.
	step := BelievedStep{By: 3 * time.Hour, From: t0.Add(-time.Minute), To: t0.Add(5 * time.Minute)}
	next, err := Transition(settled(old(true)), TimesDelayed{Step: step})
	if err != nil || !next.LateUntil.Equal(t0.Add(late+3*time.Hour)) {
		t.Errorf("after a step it ends at %v, %v", next.LateUntil, err)
	}
}
