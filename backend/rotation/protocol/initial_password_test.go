package protocol

import "testing"

func TestRule17InitialPassword(t *testing.T) {
	fresh := func(a *Account) { a.Versions, a.LastVersion, a.InitialOverwritten = nil, 0, false }
	runTransitions(t, []transitionCase{
		{"it becomes version 1, not confirmed", fresh, InitialPasswordRead{Password: "first", At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "version", *a.Current(), Version{Number: 1, Password: "first", Source: FromInitial, Created: t0})
		}},
		{"not over an existing version", nil, InitialPasswordRead{Password: "first", At: t0}, ErrStale, nil},
		{"not while a first reset is due", both(fresh, due(DueFirst)), InitialPasswordRead{Password: "first", At: t0}, ErrStale, nil},
		{"nobody is given what others know to be overwritten", fresh, InitialPasswordRead{Overwritten: true, At: t0}, nil,
			func(t *testing.T, a *Account) {
				if len(a.Versions) != 0 || !a.InitialOverwritten {
					t.Error("a version without a password is recorded")
				}
			}},
		{"not once it is known to be overwritten", both(fresh, func(a *Account) { a.InitialOverwritten = true }),
			InitialPasswordRead{Password: "first", At: t0}, ErrStale, nil},
		{"the cloud's copy is cleared", nil, InitialPasswordCleared{At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "cleared", a.InitialCleared, t0) }},
	})
}

// TestRule23InitialPasswords: of an initial password that another account has read too.
func TestRule23InitialPasswords(t *testing.T) {
	fresh := func(a *Account) {
		a.Versions, a.LastVersion, a.InitialOverwritten = nil, 0, false
		a.Settings.Source = FromInitial
	}
	static := func(a *Account) { a.Settings = with(staticSettings(), func(s *Settings) { s.Source = FromInitial }) }
	only := func(a *Account) { a.Settings.CanReset = false }
	read := func(given RoleSet, several bool) InitialPasswordRead {
		return InitialPasswordRead{Password: "first", Key: "k", Given: given, Several: several, At: t0}
	}
	wants := func(roles RoleSet, reason Reason) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) {
			t.Helper()
			is(t, "roles", a.Current().Roles, roles)
			is(t, "key", a.InitialKey, "k")
			if (a.Due != nil) != (reason != "") || a.Due != nil && a.Due.Reason != reason {
				t.Errorf("due %+v", a.Due)
			}
		}
	}
	runTransitions(t, []transitionCase{
		{"nobody else has read it", fresh, read("web", false), nil, wants("web", "")},
		{"readers of another role know it", fresh, read("db", true), nil, wants("db", DueMoved)},
		{"static too", both(fresh, static), read("db", true), nil, wants("db", DueMoved)},
		{"where nothing can be set", both(fresh, static, only), read("db", true), nil, wants("db", "")},
		{"another account's leases do not end with these", fresh, read("web", true), nil, wants("web", DueMoved)},
		{"a static role's servers may share it", both(fresh, static), read("web", true), nil, wants("web", "")},
	})
}
