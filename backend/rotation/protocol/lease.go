package protocol

// The leases of an account: how many there may be, and what lives (rules 12, 13).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// maxLeases bounds the live nonces of an account, so that its record stays far below the storage's
// entry limit (rule 12).
const maxLeases = 1000

// maxLeasesOfOwner bounds the live leases that one entity or token has of an account, so that one reader
// cannot use up what there is for all.
const maxLeasesOfOwner = 50

// CheckRoom is nil if another lease may be granted to an owner.
func (a *Account) CheckRoom(owner string, now time.Time) error {
	held, first := 0, time.Time{}
	for _, l := range a.Leases {
		if owner == "" || l.Owner != owner || !l.Expires.After(now) {
			continue
		}
		if held++; first.IsZero() || l.Expires.Before(first) {
			first = l.Expires
		}
	}
	if held >= maxLeasesOfOwner {
		return &Error{Kind: NotReadable, RetryAfter: max(first.Sub(now), time.Second), Message: hint.Textf(
			"this reader (its entity, or a token that has none) holds %d live leases of account %s, the most that one may hold; renew one of them "+
				"instead of reading again, revoke those that nobody uses (vault lease revoke LEASE_ID), or wait until the first ends, at %s",
			held, a.ID, first.UTC().Format(time.RFC3339))}
	}
	if len(a.Leases) >= maxLeases {
		return Errorf(NotReadable, "account %s has %d live leases, the most that one account may have; wait until some end, or revoke them: %s",
			a.ID, len(a.Leases), a.revokeHint())
	}
	return nil
}

// CheckServes is nil unless the account has left the role that it is read through.
func (a *Account) CheckServes(role string) error {
	if role == "" || a.Role == role {
		return nil
	}
	e := Errorf(Unbound, "account %s is not bound to role %s any more; read it through the role that it belongs to, or take it back: %s",
		a.ID, role, rebindHint(role))
	e.HolderRole = a.Role
	return e
}

// NoteKnown notes that a client knows a version, whose lease has ended.
func (a *Account) NoteKnown(version int) {
	if v := a.Version(version); v != nil {
		v.Known = true
	} else if a.Pending != nil && version == a.LastVersion+1 {
		a.Pending.Known = true
	}
}

// endOlderLeases ends the leases of versions before the current one. It is what an operator's rotation is
// for where Vault does not know a lease that the account counts.
func (a *Account) endOlderLeases() {
	for nonce, l := range a.Leases {
		if l.Version != a.Current().Number {
			delete(a.Leases, nonce)
		}
	}
}

// leased reports whether a lease of the version lives.
func (a *Account) leased(version int) bool {
	for _, l := range a.Leases {
		if l.Version == version {
			return true
		}
	}
	return false
}

// CheckNotCheckedOut is nil unless a lease of any version lives.
func (a *Account) CheckNotCheckedOut(now time.Time) error {
	var latest time.Time
	held := false
	for _, l := range a.Leases {
		held = true
		latest = Latest(latest, a.endsBy(l, now))
	}
	if !held {
		return nil
	}
	return Errorf(Conflict,
		"account %s is checked out exclusively, until %s at the latest; wait, or see who has it: %s; or revoke that lease: %s; if Vault has "+
			"no such lease any more, a rotation ends it: %s", a.ID, latest.Add(time.Second-1).UTC().Format(time.RFC3339), a.leasesHint(),
		a.revokeHint(), a.rotateHint())
}
