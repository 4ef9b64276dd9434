package protocol

// Event is something that happened to an account. apply changes the given record, which nobody else
// sees, or returns ErrNoChange, ErrStale or an *Error.
type Event interface {
	apply(a *Account) error
}

// Transition is the protocol's one entry: the record after the event. The given record is not
// touched. Callers write the result in one storage write (rule 1) before they act on it.
func Transition(a *Account, ev Event) (*Account, error) {
	if a.Successor != nil { // rule 26
		return nil, Errorf(NoRecord, "account %s goes on at connection %s, as account %s", a.ID, a.Successor.Connection, a.Successor)
	}
	next := a.Clone()
	if err := ev.apply(next); err != nil {
		return nil, err
	}
	return next, nil
}
