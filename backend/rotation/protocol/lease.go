package protocol

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

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
	return Errorf(Conflict, "account %s is not bound to role %s any more; read it through the role that it belongs to, or take it back: %s",
		a.ID, role, rebindHint(role))
}

// endsBy is when a lease ends at the latest: what may still be renewed lasts as long as its version.
func (a *Account) endsBy(l Lease, now time.Time) time.Time {
	ends := l.Expires
	if cur := a.Current(); cur != nil && l.Version == cur.Number && now.Before(l.Expires) && a.Pending == nil &&
		!(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		ends = Latest(ends, cur.end(now))
	} else if p := a.Pending; p != nil && l.Version == a.LastVersion+1 {
		ends = Latest(ends, end(p.Disclosed, p.Until, now))
	}
	return ends.Add(Slack)
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
