package protocol

// Leases whose answer reached nobody (rule 13).

import (
	"errors"
	"time"
)

// LeaseWithdrawn takes back a lease whose answer reached nobody. If nobody was given its version at all, the version
// is undisclosed again; else this is the end of a lease (rule 13).
type LeaseWithdrawn struct {
	Nonce string
	At    time.Time
}

func (e LeaseWithdrawn) apply(a *Account) error {
	l, ok := a.Leases[e.Nonce]
	if !ok {
		return ErrNoChange
	}
	delete(a.Leases, e.Nonce)
	cur, p := a.Current(), a.Pending
	if p != nil && l.Version == a.LastVersion+1 {
		if a.undisclose(l, p.Known, &p.Disclosed, &p.Until) {
			p.Given = Given{}
		}
		return nil
	}
	if cur == nil || l.Version != cur.Number {
		return nil
	}
	recorded := !cur.Created.Before(cur.Disclosed) // by an operator, who knows it
	if a.undisclose(l, cur.Known || recorded, &cur.Disclosed, &cur.Until) {
		cur.Given = Given{}
		return nil
	}
	if a.leased(cur.Number) {
		return nil
	}
	if err := (RotationRequested{Reason: DueRevoked, At: e.At}).apply(a); err != nil && !errors.Is(err, ErrNoChange) {
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
