package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reader is who reads, and through which role.
type Reader struct {
	// Role is the one that the read was made through: an account that has left it meanwhile is not handed
	// out. Empty: any.
	Role string
	// Owner stands for the entity or token whose leases are counted together; empty: they are not.
	Owner string
}

type readerKey struct{}

// WithReader returns a context for the reads of r.
func WithReader(ctx context.Context, r Reader) context.Context {
	return context.WithValue(ctx, readerKey{}, r)
}

func readerOf(ctx context.Context) Reader {
	r, _ := ctx.Value(readerKey{}).(Reader)
	return r
}

// maxLeasesOfOwner bounds the live leases that one entity or token has of an account, so that one reader
// cannot use up what there is for all.
const maxLeasesOfOwner = 50

// roomFor is nil if another lease may be granted to an owner.
func (a *Account) roomFor(owner string, now time.Time) error {
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
		return &Error{Kind: NotReadable, RetryAfter: max(first.Sub(now), time.Second), Message: fmt.Sprintf(
			"this reader (its entity, or a token that has none) holds %d live leases of account %s, the most that one may hold; renew one of them "+
				"instead of reading again, revoke those that nobody uses (vault lease revoke LEASE_ID), or wait until the first ends, at %s",
			held, a.ID, first.UTC().Format(time.RFC3339))}
	}
	if len(a.Leases) >= maxLeases {
		return errorf(NotReadable, "account %s has %d live leases, the most that one account may have; wait until some end, or revoke them: %s",
			a.ID, len(a.Leases), a.revokeCommand())
	}
	return nil
}

// serves is nil unless the account has left the role that it is read through.
func (a *Account) serves(role string) error {
	if role == "" || a.Role == role {
		return nil
	}
	return errorf(Conflict, "account %s is not bound to role %s any more; read it through the role that it belongs to, or take it back: "+
		"vault write -force %sroles/%s", a.ID, role, mount, role)
}

// endsBy is when a lease ends at the latest: what may still be renewed lasts as long as its version.
func (a *Account) endsBy(l Lease, now time.Time) time.Time {
	ends := l.Expires
	if cur := a.current(); cur != nil && l.Version == cur.Number && now.Before(l.Expires) && a.Pending == nil &&
		!(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		ends = later(ends, cur.end(now))
	} else if p := a.Pending; p != nil && l.Version == a.LastVersion+1 {
		ends = later(ends, end(p.Disclosed, p.Until, now))
	}
	return ends.Add(slack)
}

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

// known notes that a client knows a version, whose lease has ended.
func (a *Account) known(version int) {
	if v := a.version(version); v != nil {
		v.Known = true
	} else if a.Pending != nil && version == a.LastVersion+1 {
		a.Pending.Known = true
	}
}

// endOlderLeases ends the leases of versions before the current one. It is what an operator's rotation is
// for where Vault does not know a lease that the account counts.
func (a *Account) endOlderLeases() {
	for nonce, l := range a.Leases {
		if l.Version != a.current().Number {
			delete(a.Leases, nonce)
		}
	}
}

// withdrawTime bounds what a withdrawal may take of a request that nobody waits for any more.
const withdrawTime = 30 * time.Second

// withdraw takes back the lease of an answer that cannot be given, because its caller has gone.
func (c *Core) withdraw(ctx context.Context, e *entry, nonce string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	var err error
	for range 3 {
		err = c.updateJointly(ctx, e, withdrawn{nonce: nonce, at: c.opts.Now()})
		if err == nil || isNoChange(err) || isNotFound(err) {
			return
		}
	}
	c.opts.Logger.Warn("a lease that nobody was given could not be taken back; it ends by its time", "account", e.id.String(), "error", err)
}

// hungUp is nil unless the caller of a read has gone.
func hungUp(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Error{Kind: Unavailable, Message: "the request has ended before its answer; nothing was handed out", Err: err}
	}
	return nil
}
