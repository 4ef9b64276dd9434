package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/logical"
)

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
		event       protocol.Event // what happens before the deletion; nil: nothing
		overwritten bool
	}{
		{"never read, nothing sent", never, nil, false},
		{"a reset may have been sent", both(never, rotating(sent("a"))), nil, true},
		{"a reset was accepted", both(never, rotating(acknowledged("a", "r"))), nil, true},
		{"a value is kept of which no attempt is open", both(never, rotating(), func(a *Account) { a.Pending.Uncertain = true }), nil, true},
		{"the server may have a replaced value", both(never, func(a *Account) { a.Candidates = []Candidate{{Password: "two"}} }), nil, true},
		{"an old attempt may still arrive", both(never, func(a *Account) { a.OldUnresolved = []protocol.Attempt{sent("a")} }), nil, true},
		{"a password was recorded", never, protocol.PasswordRecorded{Password: "by hand", Source: FromImport, At: t0}, true},
		{"over the first one", both(first(t0), static), protocol.PasswordRecorded{Password: "by hand", Source: FromImport, At: t0}, true},
		{"an older version was restored", both(first(t0), static), protocol.PasswordRecorded{Password: "first", Source: FromInitial, At: t0},
			true},
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
				next, err := protocol.Transition(a, c.event)
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
			if again := core.entry(a.ID).rec; again.WantsInitial() == c.overwritten {
				t.Errorf("the first password is read: %v", again.WantsInitial())
			}
		})
	}
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
