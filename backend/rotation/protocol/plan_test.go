package protocol

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestPlan(t *testing.T) {
	const window = 20 * time.Minute
	serial, overlapping := allMethods(cloud.ResetTraits{Serial: true}), allMethods(cloud.ResetTraits{})
	backoff := func(until time.Duration) func(*Account) {
		return func(a *Account) { a.Backoff = &Backoff{LastErrorTime: t0.Add(-time.Second), NotBefore: t0.Add(until)} }
	}
	overwritten := acknowledged("a", "op")
	overwritten.Overwritten = true
	for _, c := range []struct {
		name  string
		from  func(*Account)
		s     PlanInput // now, settles and NextPoll are filled in
		want  Step
		after time.Duration // from t0
	}{
		{name: "at rest", want: StepNone},
		{name: "a deadline", from: readAgo(0), want: StepExpire, after: 10*time.Minute + Slack},
		{name: "a schedule", from: func(a *Account) {
			a.Settings = staticSettings()
			a.Settings.Period, a.NextRotation = time.Hour, t0.Add(time.Hour)
		}, want: StepSchedule, after: time.Hour},
		{name: "a missed schedule", from: func(a *Account) {
			a.Settings = staticSettings()
			a.Settings.Period, a.NextRotation = time.Hour, t0.Add(-time.Hour)
		}, want: StepSchedule},
		{name: "a schedule that a clock far ahead has stored", from: func(a *Account) {
			a.Settings = staticSettings()
			a.Settings.Period, a.NextRotation = time.Hour, t0.Add(9*8766*time.Hour)
		}, want: StepSchedule},
		{name: "due", from: due(DueRevoked), want: StepBegin},
		{name: "due, after failures", from: both(due(DueRevoked), backoff(time.Minute)), want: StepBegin, after: time.Minute},
		{name: "due, after failures, and the clock was set back", from: both(due(DueRevoked), backoff(time.Hour),
			func(a *Account) { a.Backoff.LastErrorTime = t0.Add(59 * time.Minute) }), want: StepBegin},
		{name: "due, after the cloud asked for a long pause", from: both(due(DueRevoked), backoff(time.Hour)), want: StepBegin, after: time.Hour},
		{name: "due, held back without a record", from: due(DueRevoked), s: PlanInput{Held: Waiting{t0.Add(time.Second), ForBackoff}},
			want: StepBegin, after: time.Second},
		{name: "due, with a least time between resets",
			from: both(due(DueRevoked), func(a *Account) { a.Settings.MinResetInterval, a.LastReset = time.Hour, t0.Add(-time.Minute) }),
			want: StepBegin, after: 59 * time.Minute},
		{name: "due, with a least time between resets, and the clock was set back",
			from: both(due(DueRevoked), func(a *Account) { a.Settings.MinResetInterval, a.LastReset = time.Hour, t0.Add(9*time.Hour) }),
			want: StepBegin},
		{name: "due, where nothing can reset", from: both(due(DueRevoked), func(a *Account) { a.Settings.CanReset = false }), want: StepNone},
		{name: "due, gone", from: both(due(DueRevoked), func(a *Account) { a.Gone = t0 }), want: StepNone},
		{name: "gone, with a lease", from: both(due(DueRevoked), holding("n", 1, time.Minute), func(a *Account) { a.Gone = t0 }),
			want: StepExpire, after: time.Minute + Slack},
		{name: "due, old_unresolved", from: both(due(DueRevoked), func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }), want: StepSettle,
			after: window},
		{name: "an open attempt is tried again long before it settles", from: rotating(sent("a")), want: StepRetry},
		{name: "an accepted attempt is looked at", from: rotating(acknowledged("a", "op")),
			s: PlanInput{Traits: serial, NextPoll: t0.Add(3 * time.Second)}, want: StepPoll, after: 3 * time.Second},
		{name: "an overwritten attempt is tried again", from: rotating(overwritten), want: StepRetry},
		// A history of three faults and a change, which the random schedules do not find: a late request of a
		// replaced value is accepted unseen, the next value is refused for it and would then go the new way.
		{name: "after a change of the reset method an open attempt is not tried again",
			from: both(rotating(sent("a")),
				func(a *Account) { a.OldUnresolved = []Attempt{{ID: "b", IsFence: true, Started: t0.Add(-window / 2)}} }), want: StepSettle,
			after: window / 2},
		{name: "a rejected pending waits for its attempts", from: both(rotating(sent("a")), func(a *Account) { a.Pending.Rejected = true }),
			want: StepSettle, after: window},
		{name: "a rejected pending is replaced", from: both(rotating(), func(a *Account) { a.Pending.Rejected = true }), want: StepBegin},
		{name: "the cloud's initial password is cleared once stored",
			from: func(a *Account) { a.Settings.ClearInitial = true; a.Versions[0].Source = FromInitial }, want: StepClear},
		{name: "it is cleared once", from: func(a *Account) {
			a.Settings.ClearInitial = true
			a.Versions[0].Source, a.InitialCleared = FromInitial, t0
		}, want: StepNone},
		{name: "a deadline comes before what the cloud is needed for", from: both(due(DueManual), readAgo(time.Hour)), want: StepExpire},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			if c.from != nil {
				c.from(a)
			}
			c.s.Now = t0
			c.s.Settles = func(attempt Attempt) time.Time { return attempt.Started.Add(window) }
			if c.s.Traits == nil {
				c.s.Traits = overlapping
			}
			got, when := a.Plan(c.s)
			is(t, "step", got, c.want)
			if got != StepNone {
				is(t, "time", when, t0.Add(c.after))
			}
		})
	}
}

func TestStepsHaveNames(t *testing.T) {
	for s := StepNone; s <= StepClear; s++ {
		if s.String() == "" {
			t.Errorf("step %d has no name", s)
		}
		is(t, s.String()+" needs the cloud", s.CallsCloud(), s >= StepBegin)
	}
}

// TestSettling: which open attempts a settle window closes.
func TestSettling(t *testing.T) {
	a := leasedAccount()
	rotating(sent("sent"), acknowledged("accepted", "op"))(a)
	a.OldUnresolved = []Attempt{acknowledged("old", "op-0")}
	for serial, want := range map[bool]int{true: 2, false: 3} {
		if got := a.Settling(allMethods(cloud.ResetTraits{Serial: serial})); len(got) != want {
			t.Errorf("serial %v: %d attempts settle, want %d", serial, len(got), want)
		}
	}
}
