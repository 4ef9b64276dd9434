package protocol

// The ends of leases and of disclosures (rules 12, 13).

import "time"

// LeaseRevoked ends a lease (rule 13). An unknown nonce changes nothing.
type LeaseRevoked struct {
	Nonce string
	At    time.Time
}

func (e LeaseRevoked) apply(a *Account) error {
	if !a.endLease(e.Nonce, DueRevoked, e.At) {
		return ErrNoChange
	}
	return nil
}

// endLease removes a nonce, whatever its version; only the last nonce of the current version makes
// the account due, or any nonce of it if the settings say so, in the same write.
func (a *Account) endLease(nonce string, reason Reason, at time.Time) bool {
	l, ok := a.Leases[nonce]
	if !ok {
		return false
	}
	delete(a.Leases, nonce)
	a.NoteKnown(l.Version)
	cur := a.Current()
	if cur == nil || l.Version != cur.Number {
		return true
	}
	if a.leased(cur.Number) && a.Settings.RotateOnRevoke != AnyLease {
		return true
	}
	if err := (RotationRequested{Reason: reason, At: at}).apply(a); err != nil {
		return true // already due for a reason that forbids reading
	}
	return true
}

// LeasesExpired ends what Vault should have ended: leases past their expiry and slack, and a version past
// its deadline (rule 12). It covers leases that Vault lost.
type LeasesExpired struct{ At time.Time }

func (e LeasesExpired) apply(a *Account) error {
	changed := false
	for nonce, l := range a.Leases {
		if !e.At.Before(l.Expires.Add(Slack)) {
			a.endLease(nonce, DueDeadline, e.At)
			changed = true
		}
	}
	if cur := a.Current(); a.overdue(e.At) && !(a.Due != nil && a.Due.Reason.ForbidsReading()) && cur != nil {
		if (RotationRequested{Reason: DueDeadline, At: e.At}).apply(a) == nil {
			changed = true
		}
	}
	if !changed {
		return ErrNoChange
	}
	return nil
}
