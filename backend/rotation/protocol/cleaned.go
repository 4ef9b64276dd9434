package protocol

// A record at the cloud has been removed (rule 21).

import "slices"

// RecordCleaned notes that the cloud has no record of an attempt any more, or that none can be removed.
type RecordCleaned struct{ Of Leftover }

func (e RecordCleaned) apply(a *Account) error {
	i := slices.IndexFunc(a.Leftovers, func(l Leftover) bool {
		return l.Method == e.Of.Method && l.Place == e.Of.Place && l.RequestID == e.Of.RequestID && l.Name == e.Of.Name
	})
	if i < 0 {
		return ErrNoChange
	}
	a.Leftovers = slices.Delete(a.Leftovers, i, i+1)
	if len(a.Leftovers) == 0 {
		a.Leftovers = nil
	}
	return nil
}
