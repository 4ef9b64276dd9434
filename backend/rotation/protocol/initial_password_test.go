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
