package protocol

import (
	"testing"
)

// transitionCase is one event on one account.
type transitionCase struct {
	name string
	// from changes a leased account with version 1, undisclosed and at rest.
	from  func(*Account)
	event Event
	// wants is the sentinel or kind that the event is refused with; nil: it is accepted.
	wants any
	// check looks at the record after an accepted event.
	check func(t *testing.T, a *Account)
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
			next, err := Transition(a, c.event)
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
