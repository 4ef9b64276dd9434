package protocol

import (
	"testing"
	"time"
)

func TestRule14Corrections(t *testing.T) {
	imported := PasswordRecorded{Password: "by hand", Source: FromImport, MakeDue: true, At: t0}
	runTransitions(t, []transitionCase{
		{"a new, disclosed version, and due", nil, imported, nil, func(t *testing.T, a *Account) {
			is(t, "version", *a.Current(), Version{Number: 2, Password: "by hand", Source: FromImport, Created: t0, Confirmed: true, Disclosed: t0,
				Until: t0.Add(10 * time.Minute), Roles: "web", Change: Change{Since: t0}})
			is(t, "due", *a.Due, Due{Since: t0, Reason: DueImport})
		}},
		{"not due on the operator's word", nil, PasswordRecorded{Password: "by hand", Source: FromImport, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due, nil) }},
		{"not while a pending exists", rotating(), imported, Conflict, nil},
		{"not while old_unresolved is set", func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }, imported, Conflict, nil},
		{"not while candidates exist", func(a *Account) { a.Candidates = []Candidate{{Password: "x"}} }, imported, Conflict, nil},
		{"an instance that was gone is back", func(a *Account) { a.Gone = t0 }, imported, nil,
			func(t *testing.T, a *Account) { is(t, "gone", a.Gone.IsZero(), true) }},
	})
}
