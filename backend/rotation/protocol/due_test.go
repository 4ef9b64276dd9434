package protocol

import (
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	runTransitions(t, []transitionCase{
		{"an account becomes due", nil, RotationRequested{Reason: DueRevoked, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "due", *a.Due, Due{Since: t0, Reason: DueRevoked}) }},
		{"a reason that forbids reading takes over, the time stays", due(DueSchedule),
			RotationRequested{Reason: DueRevoked, At: t0.Add(time.Hour)}, nil, func(t *testing.T, a *Account) {
				is(t, "due", *a.Due, Due{Since: t0, Reason: DueRevoked})
			}},
		{"an operator who says it twice changes nothing", both(due(DueManual), func(a *Account) { a.Due.Forced = true }),
			RotationRequested{Reason: DueManual, At: t0}, ErrNoChange, nil},
		{"nor the second time after failures", both(due(DueManual), func(a *Account) {
			a.Due.Forced, a.Backoff = true, &Backoff{LastErrorTime: t0.Add(-time.Hour), NotBefore: t0}
		}), RotationRequested{Reason: DueManual, At: t0}, ErrNoChange, nil},
		{"it is never weakened", due(DueRevoked), RotationRequested{Reason: DueSchedule, At: t0.Add(time.Hour)}, ErrNoChange, nil},
		{"an operator's word keeps the reason, and hurries", both(due(DueRevoked), func(a *Account) {
			a.Backoff = &Backoff{NotBefore: t0.Add(time.Hour)}
			a.Gone = t0
		}), RotationRequested{Reason: DueManual, At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "reason", a.Due.Reason, DueRevoked)
			is(t, "forced", a.Due.Forced, true)
			is(t, "not before", a.Backoff.NotBefore, t0)
			is(t, "gone", a.Gone.IsZero(), true)
		}},
	})
	for reason, forbids := range map[Reason]bool{DueFirst: true, DueRevoked: true, DueDeadline: true, DueLeaver: true, DueSchedule: false,
		DueManual: false, DueImport: false, DueRead: false} {
		is(t, string(reason)+" forbids reading", reason.ForbidsReading(), forbids)
	}
}

func TestScheduledTimes(t *testing.T) {
	hourly := func(a *Account) {
		a.Settings = staticSettings()
		a.Settings.Period = time.Hour
		a.NextRotation = t0
	}
	runTransitions(t, []transitionCase{
		{"the stored time makes the account due and stores the next", hourly, RotationScheduled{t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", *a.Due, Due{Since: t0, Reason: DueSchedule})
			is(t, "next", a.NextRotation, t0.Add(time.Hour))
		}},
		{"not before", hourly, RotationScheduled{t0.Add(-time.Second)}, ErrNoChange, nil},
		{"missed times are one rotation, and the schedule does not shift", hourly, RotationScheduled{t0.Add(150 * time.Minute)}, nil,
			func(t *testing.T, a *Account) {
				is(t, "next", a.NextRotation, t0.Add(3*time.Hour))
			}},
		{"an account that is due already keeps its reason", both(hourly, due(DueManual)), RotationScheduled{t0}, nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueManual) }},
		{"no schedule, no rotation", nil, RotationScheduled{t0}, ErrNoChange, nil},
		{"a time that a clock far ahead has stored is stored again",
			both(hourly, func(a *Account) { a.NextRotation = t0.Add(9 * 8766 * time.Hour) }), RotationScheduled{t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "due", a.Due, nil)
				is(t, "next", a.NextRotation, t0.Add(time.Hour))
			}},
		{"a schedule that begins does not count from a rotation to come", func(a *Account) { a.LastRotation = t0.Add(time.Hour) },
			RoleBound{Role: "web", Settings: with(staticSettings(), func(s *Settings) { s.Period = time.Hour }), At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "next", a.NextRotation, t0.Add(time.Hour))
			}},
	})
}

// TestMissedWindow: a scheduled time whose window passed while nobody was there counts as missed, and
// the next one makes the account due.
func TestMissedWindow(t *testing.T) {
	a := &Account{Settings: Settings{Mode: Static, CanReset: true, Schedule: Schedule{Cron: "0 3 * * *", Window: time.Hour}},
		NextRotation: at(t, "2026-01-01T03:00:00Z")}
	a, err := Transition(a, RotationScheduled{At: at(t, "2026-01-01T09:00:00Z")})
	if err != nil || a.Due != nil || !a.MissedRotation.Equal(at(t, "2026-01-01T03:00:00Z")) ||
		!a.NextRotation.Equal(at(t, "2026-01-02T03:00:00Z")) {
		t.Fatalf("%v: due %v, missed %s, next %s", err, a.Due, a.MissedRotation, a.NextRotation)
	}
	a, err = Transition(a, RotationScheduled{At: at(t, "2026-01-02T03:30:00Z")})
	if err != nil || a.Due == nil || a.Due.Reason != DueSchedule || !a.NextRotation.Equal(at(t, "2026-01-03T03:00:00Z")) {
		t.Fatalf("%v: due %v, next %s", err, a.Due, a.NextRotation)
	}
}

// TestAGroupIsScheduledAndItsMembersAreNot: a group has the schedule, its members have none of their own.
func TestAGroupIsScheduledAndItsMembersAreNot(t *testing.T) {
	now := at(t, "2026-01-01T10:00:00Z")
	s := Settings{Mode: Static, CanReset: true, SharedPassword: true, Schedule: Schedule{Period: time.Hour}}
	member := &Account{ID: ID{"c", "i", "root"}}
	if got := firstRotation(member, s, now); !got.IsZero() {
		t.Errorf("the member's next rotation is %s", got)
	}
	group := &Account{ID: GroupID("c", "r")}
	if got := firstRotation(group, s, now); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("the group's next rotation is %s", got)
	}
}

// TestOperatorsWord: an operator who asks for the first rotation of an account overrides its window.
func TestOperatorsWord(t *testing.T) {
	now := at(t, "2026-01-01T10:00:00Z")
	settings := Settings{Mode: Static, CanReset: true, Schedule: Schedule{Cron: "0 3 * * *", Window: time.Hour}}
	for name, c := range map[string]struct {
		ev   RotationRequested
		want time.Time
	}{
		"asked":    {RotationRequested{Reason: DueFirst, Forced: true, At: now}, now},
		"manual":   {RotationRequested{Reason: DueManual, At: now}, now},
		"schedule": {RotationRequested{Reason: DueSchedule, At: now}, at(t, "2026-01-02T03:00:00Z")},
	} {
		a, err := Transition(&Account{Settings: settings}, c.ev)
		if err != nil {
			t.Fatal(err)
		}
		if step, when := a.Plan(PlanInput{Now: now}); step != StepBegin || !when.Equal(c.want) {
			t.Errorf("%s: %s at %s, want it to begin at %s", name, step, when, c.want)
		}
	}
}
