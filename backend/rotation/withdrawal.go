package rotation

import (
	"errors"
	"time"
)

// withdrawn takes a lease back whose answer nobody was given. If nobody was given its version at all, that is
// undisclosed again; else this is the end of a lease (rule 13).
type withdrawn struct {
	nonce string
	at    time.Time
}

func (e withdrawn) apply(a *Account) error {
	l, ok := a.Leases[e.nonce]
	if !ok {
		return errNoChange
	}
	delete(a.Leases, e.nonce)
	cur, p := a.current(), a.Pending
	if p != nil && l.Version == a.LastVersion+1 {
		a.undisclose(l, p.Known, &p.Disclosed, &p.Until)
		return nil
	}
	if cur == nil || l.Version != cur.Number {
		return nil
	}
	recorded := !cur.Created.Before(cur.Disclosed) // by an operator, who knows it
	if a.undisclose(l, cur.Known || recorded, &cur.Disclosed, &cur.Until) || a.leased(cur.Number) {
		return nil
	}
	if err := (madeDue{reason: DueRevoked, at: e.at}).apply(a); err != nil && !errors.Is(err, errNoChange) {
		return err
	}
	return nil
}

// undisclose takes back the disclosure that a withdrawn lease has begun, or has it begin with the next of
// its leases. It reports whether the version is undisclosed again.
func (a *Account) undisclose(l Lease, known bool, disclosed, until *time.Time) bool {
	if known || !disclosed.Equal(l.Issued) {
		return false
	}
	var first time.Time
	for _, other := range a.Leases {
		if other.Version == l.Version && (first.IsZero() || other.Issued.Before(first)) {
			first = other.Issued
		}
	}
	*disclosed = first
	if first.IsZero() {
		*until = time.Time{}
	}
	return first.IsZero()
}
