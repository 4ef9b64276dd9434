package rotation

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// t0 is when the accounts of the transition tests have their moment.
var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// transitionCase is one event on one account.
type transitionCase struct {
	name string
	// from changes a leased account with version 1, undisclosed and at rest.
	from  func(*Account)
	event event
	// wants is the sentinel or kind that the event is refused with; nil: it is accepted.
	wants any
	// check looks at the record after an accepted event.
	check func(t *testing.T, a *Account)
}

// leasedAccount is a leased account at rest that nobody has read yet.
func leasedAccount() *Account {
	return &Account{Schema: schemaVersion, ID: ID{"conn", "i-1", "root"}, Provider: "sim", Role: "web", Settings: leasedSettings(),
		Versions:    []Version{{Number: 1, Password: "one", Source: FromReset, Created: t0.Add(-time.Hour), Verified: true}},
		LastVersion: 1, LastRotation: t0.Add(-time.Hour), LastReset: t0.Add(-time.Hour), InitialOverwritten: true}
}

// due makes an account due.
func due(reason Reason) func(*Account) {
	return func(a *Account) { a.Due = &Due{Since: t0, Reason: reason} }
}

// rotating gives an account a pending with these open attempts.
func rotating(attempts ...Attempt) func(*Account) {
	return func(a *Account) {
		due(DueRevoked)(a)
		a.Pending = &Pending{Password: "two", Created: t0, Attempts: attempts, Tried: len(attempts)}
	}
}

// both applies several changes to an account.
func both(changes ...func(*Account)) func(*Account) {
	return func(a *Account) {
		for _, change := range changes {
			change(a)
		}
	}
}

func sent(id string) Attempt { return Attempt{ID: id, Started: t0, SeenOperation: "before"} }

func acknowledged(id, request string) Attempt {
	return Attempt{ID: id, Started: t0, SeenOperation: "before", RequestID: request}
}

// runTransitions plays each case, and sees to it that no event touches the record that it is given.
func runTransitions(t *testing.T, cases []transitionCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			if c.from != nil {
				c.from(a)
			}
			before := encoded(t, a)
			next, err := transition(a, c.event)
			if after := encoded(t, a); after != before {
				t.Errorf("the event changed the record that it was given:\n%s\n%s", before, after)
			}
			if !wanted(err, c.wants) {
				t.Fatalf("got error %v, want %v", err, c.wants)
			}
			if c.check != nil {
				c.check(t, next)
			}
		})
	}
}

// wanted reports whether an error is the sentinel, or of the kind, that a case wants.
func wanted(err error, wants any) bool {
	switch wants := wants.(type) {
	case nil:
		return err == nil
	case error:
		return errors.Is(err, wants)
	case ErrorKind:
		var e *Error
		return errors.As(err, &e) && e.Kind == wants
	}
	return false
}

func encoded(t *testing.T, a *Account) string {
	t.Helper()
	raw, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// is fails unless got is want.
func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
