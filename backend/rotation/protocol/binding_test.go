package protocol

import (
	"testing"
	"time"
)

// TestABindingBringsAnAccountBack: whoever binds an account has just looked at its instance, and its schedule begins
// again where the role takes it up.
func TestABindingBringsAnAccountBack(t *testing.T) {
	hourly := with(staticSettings(), func(s *Settings) { s.Period = time.Hour })
	weekly := with(staticSettings(), func(s *Settings) { s.Cron = "0 12 * * SAT" })
	shared := with(hourly, func(s *Settings) { s.SharedPassword = true })
	at := t0.Add(24 * time.Hour)
	left := func(s Settings) func(*Account) {
		return func(a *Account) { a.Role, a.LastRole, a.Settings, a.NextRotation = "", "web", s, time.Time{} }
	}
	gone := func(a *Account) { a.Gone = t0 }
	next := func(want time.Time) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) { is(t, "next rotation", a.NextRotation, want) }
	}
	back := func(t *testing.T, a *Account) { is(t, "gone", a.Gone.IsZero(), true) }
	runTransitions(t, []transitionCase{
		{"the role that it has", gone, RoleBound{Role: "web", Settings: leasedSettings(), At: at}, nil, back},
		{"the role that it has, with other settings", gone, RoleBound{Role: "web", Settings: hourly, At: at}, nil, back},
		{"the role that it had", both(left(leasedSettings()), gone), RoleBound{Role: "web", Settings: leasedSettings(), At: at}, nil, back},
		{"another one on an operator's word", both(gone, func(a *Account) { a.MoveTo = "db" }), RoleBound{Role: "db", Settings: leasedSettings(),
			At: at}, nil, back},
		{"a due account stays due", both(due(DueRevoked), gone), RoleBound{Role: "web", Settings: leasedSettings(), At: at}, nil,
			func(t *testing.T, a *Account) {
				back(t, a)
				is(t, "reason", a.Due.Reason, DueRevoked)
			}},
		{"a role written again takes up its period, at once where that is over", left(hourly), RoleBound{Role: "web", Settings: hourly, At: at},
			nil, next(at)},
		{"and where it is not, counted from the last rotation", left(hourly), RoleBound{Role: "web", Settings: hourly, At: t0.Add(-time.Minute)},
			nil, next(t0)},
		{"and its times", left(weekly), RoleBound{Role: "web", Settings: weekly, At: at}, nil,
			next(time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))},
		{"of an account that was never rotated", both(left(hourly), func(a *Account) { a.LastRotation = time.Time{} }),
			RoleBound{Role: "web", Settings: hourly, At: at}, nil, next(at.Add(time.Hour))},
		{"another role of the same schedule too", both(left(hourly), func(a *Account) { a.LastRole = "" }),
			RoleBound{Role: "db", Settings: hourly, At: at}, nil, next(at)},
		{"none for a member of a group", left(shared), RoleBound{Role: "web", Settings: shared, At: at}, nil, next(time.Time{})},
		{"the same role again leaves the stored time alone", func(a *Account) { a.Settings, a.NextRotation = hourly, t0.Add(time.Minute) },
			RoleBound{Role: "web", Settings: with(hourly, func(s *Settings) { s.MaxVersions = 3 }), At: at}, nil, next(t0.Add(time.Minute))},
	})
}

// TestAClosedWindowMarksTheAccount: a window alone tells nothing of where an operation is that the cloud orders with
// later ones, so a change of the reset method waits for it, whatever became of the value.
func TestAClosedWindowMarksTheAccount(t *testing.T) {
	byAPI := with(leasedSettings(), func(s *Settings) { s.ResetMethod = "api" })
	byCommand := with(leasedSettings(), func(s *Settings) { s.ResetMethod = "command" })
	old := Attempt{ID: "old", Started: t0, Method: "api", FenceWindow: time.Hour}
	at := t0.Add(24 * time.Hour)
	for _, c := range []struct {
		name  string
		from  func(*Account)
		loose bool
	}{
		{"of a promoted value", func(a *Account) { a.OldUnresolved = []Attempt{old} }, true},
		{"of a value under way", rotating(old), true},
		{"of both", both(rotating(sent("a")), func(a *Account) { a.OldUnresolved = []Attempt{old} }), true},
		{"of an earlier place, which is behind that place's barrier", func(a *Account) {
			a.OldUnresolved = []Attempt{{ID: "old", Started: t0, Method: "api", FenceWindow: time.Hour, Place: lying}}
		}, false},
		{"of a barrier, which is no operation", func(a *Account) {
			a.OldUnresolved = []Attempt{{ID: "old", Started: t0, Method: "api", FenceWindow: time.Hour, IsFence: true}}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			a.Settings = byAPI
			c.from(a)
			a, err := Transition(a, AttemptsSettled{Attempts: []string{"old"}, At: at})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "marked", a.ClosedByTimeout, c.loose)
			if c.loose {
				is(t, "its fence", a.TimeoutFence, time.Hour)
			}
			a, err = Transition(a, RoleBound{Role: "web", Settings: byCommand, At: at})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "the change waits", a.Fenced(), c.loose)
		})
	}
}

func TestRule15Binding(t *testing.T) {
	s := leasedSettings()
	static := staticSettings()
	static.Period = time.Hour
	reading := with(staticSettings(), func(s *Settings) { s.Source, s.CanReset = FromInitial, false })
	byCommand := with(s, func(s *Settings) { s.ResetMethod = "command" })
	runTransitions(t, []transitionCase{
		{"the same role again changes nothing", nil, RoleBound{Role: "web", Settings: s, At: t0}, ErrNoChange, nil},
		{"another role is refused", nil, RoleBound{Role: "db", Settings: s, At: t0}, Conflict, nil},
		{"an unbound account may be taken", func(a *Account) { a.Role = "" }, RoleBound{Role: "db", Settings: s, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "role", a.Role, "db") }},
		{"a schedule counts from the last rotation", nil, RoleBound{Role: "web", Settings: static, At: t0.Add(-time.Minute)}, nil,
			func(t *testing.T, a *Account) {
				is(t, "next rotation", a.NextRotation, t0)
			}},
		{"a schedule is never in the past", nil, RoleBound{Role: "web", Settings: static, At: t0.Add(time.Hour)}, nil,
			func(t *testing.T, a *Account) {
				is(t, "next rotation", a.NextRotation, t0.Add(time.Hour))
			}},
		{"a change of the reset method waits for what the old one may still do",
			func(a *Account) { a.ClosedByTimeout, a.Settings.ResetMethod = true, "api" },
			RoleBound{Role: "web", Settings: byCommand, At: t0.Add(time.Hour)}, nil, func(t *testing.T, a *Account) {
				is(t, "barriers", len(a.OldUnresolved), 1)
				is(t, "its method", a.OldUnresolved[0].Method, "api")
				is(t, "is one", a.OldUnresolved[0].IsFence, true)
				is(t, "loose", a.ClosedByTimeout, false)
			}},
		{"and for what it has open", both(rotating(sent("a")), func(a *Account) { a.Settings.ResetMethod = "api" }),
			RoleBound{Role: "web", Settings: byCommand, At: t0}, nil, func(t *testing.T, a *Account) { is(t, "barriers", len(a.OldUnresolved), 1) }},
		{"a role that sets no passwords any more lets a rotation end",
			both(rotating(sent("a")), func(a *Account) { a.Settings.ResetMethod, a.Settings.ForceStop = "api", true }),
			RoleBound{Role: "web", Settings: reading, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "can reset", a.Settings.CanReset, true)
				is(t, "method", a.Settings.ResetMethod, "api")
				is(t, "force_stop", a.Settings.ForceStop, true)
				is(t, "source", a.Settings.Source, FromInitial)
				is(t, "barriers", len(a.OldUnresolved), 0)
			}},
		{"and one that is owed to a revoked lease", due(DueRevoked), RoleBound{Role: "web", Settings: reading, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "can reset", a.Settings.CanReset, true)
				is(t, "reason", a.Due.Reason, DueRevoked)
			}},
		{"and one that is owed at the end of a lease", both(readAgo(time.Minute), holding("n", 1, time.Minute)),
			RoleBound{Role: "web", Settings: reading, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "can reset", a.Settings.CanReset, true)
				a, err := Transition(a, LeaseRevoked{"n", t0})
				if err != nil {
					t.Fatal(err)
				}
				st, _ := a.Plan(PlanInput{Now: t0})
				is(t, "after the lease's end", st, StepBegin)
			}},
		{"but none for a lease of an older version", both(readAgo(time.Minute), holding("n", 1, time.Minute), second),
			RoleBound{Role: "web", Settings: reading, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "can reset", a.Settings.CanReset, false)
			}},
		{"but none that nobody needs", due(DueManual), RoleBound{Role: "web", Settings: reading, At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "can reset", a.Settings.CanReset, false)
			if a.Due != nil {
				t.Errorf("due: %+v", a.Due)
			}
		}},
		{"a retry waits as well", both(rotating(sent("a")), func(a *Account) { a.OldUnresolved = []Attempt{{ID: "b", IsFence: true}} }),
			AttemptRepeated{sent("c")}, ErrStale, nil},
		{"where the end of everything is known there is nothing to wait for", func(a *Account) {
			a.LastReset, a.Settings.ResetMethod = t0,
				"api"
		}, RoleBound{Role: "web", Settings: byCommand, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "barriers", len(a.OldUnresolved), 0) }},
		{"a role's end takes the schedule, and nothing else", func(a *Account) { a.NextRotation = t0 }, RoleUnbound{"web"}, nil,
			func(t *testing.T, a *Account) {
				is(t, "role", a.Role, "")
				is(t, "next rotation", a.NextRotation.IsZero(), true)
				is(t, "current", a.Current().Password, "one")
			}},
		{"another role's end changes nothing", nil, RoleUnbound{"db"}, ErrNoChange, nil},
		{"a role's end takes a first rotation that has not begun", both(due(DueFirst), func(a *Account) { a.Versions = nil }), RoleUnbound{"web"},
			nil, func(t *testing.T, a *Account) { is(t, "due", a.Due != nil, false) }},
		{"and a scheduled one", due(DueSchedule), RoleUnbound{"web"}, nil, func(t *testing.T, a *Account) { is(t, "due", a.Due != nil, false) }},
		{"but not what somebody asked for", both(due(DueSchedule), func(a *Account) { a.Due.Forced = true }), RoleUnbound{"web"}, nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due != nil, true) }},
		{"nor what is owed to a revoked lease", due(DueRevoked), RoleUnbound{"web"}, nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueRevoked) }},
		{"nor what has begun", both(rotating(sent("a")), func(a *Account) { a.Versions, a.Due.Reason = nil, DueFirst }), RoleUnbound{"web"}, nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueFirst) }},
		{"an instance that is gone retires the account, due is kept", due(DueRevoked), InstanceGone{At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "gone", a.Gone, t0)
			is(t, "reason", a.Due.Reason, DueRevoked)
		}},
		{"it is gone once", func(a *Account) { a.Gone = t0 }, InstanceGone{At: t0.Add(time.Hour)}, ErrNoChange, nil},
		{"an instance that is described is back", func(a *Account) { a.Gone = t0 }, InstanceDescribed{}, nil,
			func(t *testing.T, a *Account) { is(t, "gone", a.Gone.IsZero(), true) }},
	})
}
