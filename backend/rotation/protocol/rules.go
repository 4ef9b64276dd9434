package protocol

// The protocol is a pure transition function from a record and an event to the next record. The events
// are in the files beside this one, each named after what it holds: bound.go, place.go, due.go, attempt.go,
// outcome.go, version.go, barrier.go, group.go and disclose.go. Nothing in them reads a clock, storage or
// a cloud. The numbers are those of the package's doc comment.

// Event is something that happened to an account. apply changes the given record, which nobody else
// sees, or returns ErrNoChange, ErrStale or an *Error.
type Event interface {
	apply(a *Account) error
}

// Transition is the protocol's one entry: the record after the event. The given record is not
// touched. Callers write the result in one storage write (rule 1) before they act on it.
func Transition(a *Account, ev Event) (*Account, error) {
	next := a.Clone()
	if err := ev.apply(next); err != nil {
		return nil, err
	}
	return next, nil
}
