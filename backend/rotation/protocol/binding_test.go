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
