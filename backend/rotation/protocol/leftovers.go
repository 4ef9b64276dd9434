package protocol

// What the cloud still keeps of attempts that have ended, and when that is removed (rule 21).

import (
	"slices"
	"time"
)

// maxLeftovers is how many records at the cloud an account remembers to remove. What it forgets stays at the cloud.
const maxLeftovers = 30

// cleanMargin is how much time there has to be before an account's next step at the cloud for a record to be removed first.
const cleanMargin = 30 * time.Second

// leave notes that the cloud's record of an attempt is of no more use, in the write that has the attempt's outcome.
func (a *Account) leave(t Attempt) {
	if !t.Cleans || t.RequestID == "" && t.Name == "" {
		return
	}
	a.Leftovers = append(a.Leftovers, Leftover{Method: t.Method, Place: t.Place, RequestID: t.RequestID, Name: t.Name, Sent: t.Started})
	if more := len(a.Leftovers) - maxLeftovers; more > 0 {
		a.Leftovers = slices.Delete(a.Leftovers, 0, more)
	}
}

// Leftover is the next record to remove where the connection leads now, the oldest first; false: there is none. passed is how many
// times one could not be removed yet, so that none holds up the others.
func (a *Account) Leftover(passed int) (Leftover, bool) {
	if !a.Gone.IsZero() {
		return Leftover{}, false
	}
	here := slices.DeleteFunc(slices.Clone(a.Leftovers), func(l Leftover) bool { return !l.Place.Same(a.Place) })
	if len(here) == 0 {
		return Leftover{}, false
	}
	return here[passed%len(here)], true
}

// AnyLeftover reports whether there is a record to remove where the connection leads now.
func (a *Account) AnyLeftover() bool {
	return a.Gone.IsZero() && slices.ContainsFunc(a.Leftovers, func(l Leftover) bool { return l.Place.Same(a.Place) })
}
