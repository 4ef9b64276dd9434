package rotation

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestABindingBringsAnAccountBack: whoever binds an account has just looked at its instance, and its schedule begins
// anew where the role takes it up.
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
		{"the role that it has", gone, bound{role: "web", settings: leasedSettings(), at: at}, nil, back},
		{"the role that it has, with other settings", gone, bound{role: "web", settings: hourly, at: at}, nil, back},
		{"the role that it had", both(left(leasedSettings()), gone), bound{role: "web", settings: leasedSettings(), at: at}, nil, back},
		{"another one on an operator's word", both(gone, func(a *Account) { a.MoveTo = "db" }), bound{role: "db", settings: leasedSettings(), at: at}, nil, back},
		{"a due account stays due", both(due(DueRevoked), gone), bound{role: "web", settings: leasedSettings(), at: at}, nil, func(t *testing.T, a *Account) {
			back(t, a)
			is(t, "reason", a.Due.Reason, DueRevoked)
		}},
		{"a role written anew takes up its period, at once where that is over", left(hourly), bound{role: "web", settings: hourly, at: at}, nil, next(at)},
		{"and where it is not, counted from the last rotation", left(hourly), bound{role: "web", settings: hourly, at: t0.Add(-time.Minute)}, nil, next(t0)},
		{"and its times", left(weekly), bound{role: "web", settings: weekly, at: at}, nil, next(time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))},
		{"of an account that was never rotated", both(left(hourly), func(a *Account) { a.LastRotation = time.Time{} }), bound{role: "web", settings: hourly, at: at}, nil, next(at.Add(time.Hour))},
		{"another role of the same schedule too", both(left(hourly), func(a *Account) { a.LastRole = "" }), bound{role: "db", settings: hourly, at: at}, nil, next(at)},
		{"none for a member of a group", left(shared), bound{role: "web", settings: shared, at: at}, nil, next(time.Time{})},
		{"the same role again leaves the stored time alone", func(a *Account) { a.Settings, a.NextRotation = hourly, t0.Add(time.Minute) },
			bound{role: "web", settings: with(hourly, func(s *Settings) { s.MaxVersions = 3 }), at: at}, nil, next(t0.Add(time.Minute))},
	})
}

// TestARoleWrittenAnewIsScheduled: also through the deletion of the role and the core.
func TestARoleWrittenAnewIsScheduled(t *testing.T) {
	c := New(Options{Storage: &logical.InmemStorage{}, Now: func() time.Time { return t0 }})
	defer c.Stop()
	b := bindingOn("one", "Build", "")
	b.Settings.Period = time.Hour
	for _, again := range []bool{false, true} {
		view, err := c.Bind(t.Context(), b)
		if err != nil || !view.NextRotation.Equal(t0.Add(time.Hour)) {
			t.Fatalf("again %v: next rotation %s, %v", again, view.NextRotation, err)
		}
		if err := c.Unbind(t.Context(), b.ID, b.Role); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAClosedWindowMarksTheAccount: a window alone tells nothing of where an operation is that the cloud orders with
// later ones, so a change of the reset method waits for it, whatever became of the value.
func TestAClosedWindowMarksTheAccount(t *testing.T) {
	byAPI := with(leasedSettings(), func(s *Settings) { s.ResetMethod = "api" })
	byCommand := with(leasedSettings(), func(s *Settings) { s.ResetMethod = "command" })
	old := Attempt{ID: "old", Started: t0, Method: "api", Fence: time.Hour}
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
			a.OldUnresolved = []Attempt{{ID: "old", Started: t0, Method: "api", Fence: time.Hour, Place: lying}}
		}, false},
		{"of a barrier, which is no operation", func(a *Account) {
			a.OldUnresolved = []Attempt{{ID: "old", Started: t0, Method: "api", Fence: time.Hour, Barrier: true}}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			a.Settings = byAPI
			c.from(a)
			a, err := transition(a, settled{attempts: []string{"old"}, at: at})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "marked", a.Loose, c.loose)
			if c.loose {
				is(t, "its fence", a.LooseFence, time.Hour)
			}
			a, err = transition(a, bound{role: "web", settings: byCommand, at: at})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "the change waits", a.barred(), c.loose)
		})
	}
}

// TestTheFirstPasswordIsNotReadAgain: after a deletion and a new binding the cloud's first password counts only if
// nobody has set another one, or may have, and no client knows it whose time is over.
func TestTheFirstPasswordIsNotReadAgain(t *testing.T) {
	never := func(a *Account) {
		a.Versions, a.LastVersion, a.InitialOverwritten, a.LastReset, a.LastRotation = nil, 0, false, time.Time{}, time.Time{}
		a.Settings.Source = FromInitial
	}
	first := func(disclosed time.Time) func(*Account) {
		return func(a *Account) {
			never(a)
			a.Versions, a.LastVersion = []Version{{Number: 1, Password: "first", Source: FromInitial, Created: t0, Disclosed: disclosed}}, 1
		}
	}
	static := func(a *Account) { a.Settings.Mode = Static }
	for _, c := range []struct {
		name        string
		from        func(*Account)
		event       event // what happens before the deletion; nil: nothing
		overwritten bool
	}{
		{"never read, nothing sent", never, nil, false},
		{"a reset may have been sent", both(never, rotating(sent("a"))), nil, true},
		{"a reset was accepted", both(never, rotating(acknowledged("a", "r"))), nil, true},
		{"a value is kept of which no attempt is open", both(never, rotating(), func(a *Account) { a.Pending.Uncertain = true }), nil, true},
		{"the server may have a replaced value", both(never, func(a *Account) { a.Candidates = []Candidate{{Password: "two"}} }), nil, true},
		{"an old attempt may still arrive", both(never, func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }), nil, true},
		{"a password was recorded", never, recorded{password: "by hand", source: FromImport, at: t0}, true},
		{"over the first one", both(first(t0), static), recorded{password: "by hand", source: FromImport, at: t0}, true},
		{"an older version was restored", both(first(t0), static), recorded{password: "first", source: FromInitial, at: t0}, true},
		{"a leased reader has it", first(t0), nil, true},
		{"a static reader has it", both(first(t0), static), nil, false},
		{"nobody was given it", first(time.Time{}), nil, false},
		{"it was reset", nil, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &logical.InmemStorage{}
			core := New(Options{Storage: s, Now: func() time.Time { return t0 }})
			defer core.Stop()
			a := leasedAccount()
			if c.from != nil {
				c.from(a)
			}
			if c.event != nil {
				next, err := transition(a, c.event)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "overwritten at once", next.InitialOverwritten, c.overwritten)
				a = next
			}
			if err := saveAccount(t.Context(), s, a); err != nil {
				t.Fatal(err)
			}
			if err := core.Delete(t.Context(), a.ID, true); err != nil {
				t.Fatal(err)
			}
			view, err := core.Bind(t.Context(), Binding{ID: a.ID, Provider: a.Provider, Role: a.Role, Settings: a.Settings})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "overwritten for the new account", view.InitialOverwritten, c.overwritten)
			if again := core.entry(a.ID).rec; again.wantsInitial() == c.overwritten {
				t.Errorf("the first password is read: %v", again.wantsInitial())
			}
		})
	}
}
