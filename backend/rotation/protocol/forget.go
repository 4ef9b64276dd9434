package protocol

// When an account is forgotten whose server is gone (rule 15).

import (
	"slices"
	"time"
)

// forgettable reports whether the record may go once its server has been gone for long enough: it has no role, no
// client has a lease, nothing is open that may still set a password, and no password of it is another place's, whose
// word about the server is not trusted.
func (a *Account) forgettable() bool {
	return !a.IsGroup() && !a.Gone.IsZero() && a.Role == "" && a.Pending == nil &&
		len(a.Leases)+len(a.OldUnresolved)+len(a.Candidates) == 0 &&
		a.TrustsHere() && !slices.ContainsFunc(a.Places(), func(p Place) bool { return !a.Trusts(p) })
}

// ForgottenAt is when the account is forgotten whose server is gone, the connection forgetting those after a time; zero:
// as it is, it never is.
func (a *Account) ForgottenAt(after time.Duration) time.Time {
	if after <= 0 || !a.forgettable() {
		return time.Time{}
	}
	return a.Gone.Add(after)
}
