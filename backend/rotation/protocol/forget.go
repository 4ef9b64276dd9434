package protocol

// When the record of a server that is gone may go as well (rule 15).

import (
	"slices"
	"time"
)

// forgettable reports whether the record may go once its server has been gone for long enough: it has no role, no
// client has a lease, nothing is open that may still set a password, and all its passwords are for trusted places.
func (a *Account) forgettable() bool {
	return !a.IsGroup() && !a.Gone.IsZero() && a.Role == "" && a.Pending == nil &&
		len(a.Leases)+len(a.OldUnresolved)+len(a.Candidates) == 0 &&
		a.TrustsHere() && !slices.ContainsFunc(a.Places(), func(p Place) bool { return !a.Trusts(p) })
}

// ForgottenAt is when the account is forgotten, if its connection forgets those whose servers have been gone for that
// long; zero: as the account is now, never.
func (a *Account) ForgottenAt(after time.Duration) time.Time {
	if after <= 0 || !a.forgettable() {
		return time.Time{}
	}
	return a.Gone.Add(after)
}
