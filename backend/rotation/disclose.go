package rotation

// The second half of the protocol's transitions: who may be given a version, and how that ends
// (rules 11 to 14). Pure, like rules.go.

import (
	"fmt"
	"time"
)

// maxLeases bounds the live nonces of an account, so that its record stays far below the storage's
// entry limit (rule 12).
const maxLeases = 1000

// slack is added to every deadline that this package keeps for a lease, because Vault counts the
// lease from a moment after the answer left: it is more than the longest request that Vault lets
// run by default (90 s, max_request_duration of the listener) plus the time to register the lease.
const slack = 2 * time.Minute

// Grant is the lease of one answer.
type Grant struct {
	Nonce string
	// TTL and MaxTTL count from the answer. MaxTTL ends the disclosure of the version.
	TTL, MaxTTL time.Duration
}

// LeaseRef is what a lease carries: account, version, nonce (rule 12).
type LeaseRef struct {
	ID      ID
	Version int
	Nonce   string
}

// disclosed hands the current version out (rules 11, 12). In leased mode it needs a nonce; grant
// receives the lease.
type disclosed struct {
	nonce string
	// role, if it is set, is the one that the account must still belong to, owner whose lease it is.
	role, owner string
	at          time.Time
	// ttl is the TTL that the client asked for, 0: none. It only shortens the lease.
	ttl   time.Duration
	grant *Grant
}

func (e disclosed) apply(a *Account) error {
	if err := e.check(a); err != nil {
		return err
	}
	cur := a.current()
	known := cur.Roles.with(a.Role)
	change := cur.Roles != known
	cur.Roles = known
	if a.Settings.Mode != Leased {
		change = change || cur.Disclosed.IsZero()
		if cur.Disclosed.IsZero() {
			cur.Disclosed = e.at
		}
		if a.wantsRotationOnRead(e.at) {
			change = madeDue{reason: DueRead, at: e.at}.apply(a) == nil || change
		}
		if !change {
			return errNoChange
		}
		return nil
	}
	if cur.Disclosed.IsZero() {
		cur.Disclosed = e.at
	}
	if cur.Until.IsZero() {
		cur.Until = e.at.Add(a.Settings.MaxTTL)
	}
	return a.lease(e, cur.Number, cur.end(e.at))
}

// check is nil if the current version may be handed out now to readers of the role.
func (e disclosed) check(a *Account) error {
	if err := a.serves(e.role); err != nil {
		return err
	}
	if err := a.readable(e.at); err != nil {
		return err
	}
	return a.checkMoved()
}

// nothingNew reports whether the answer may leave without a change of the record, which is the common
// case of a static account.
func (e disclosed) nothingNew(a *Account) bool {
	cur := a.current()
	return cur != nil && a.Settings.Mode != Leased && !cur.Disclosed.IsZero() && cur.Roles.has(a.Role) && !a.wantsRotationOnRead(e.at) && e.check(a) == nil
}

// wantsRotationOnRead reports whether a read makes the account due, which it does at most once per
// cooldown.
func (a *Account) wantsRotationOnRead(now time.Time) bool {
	s := a.Settings
	return s.RotateOnRead && s.CanReset && a.Due == nil &&
		(a.LastReset.IsZero() || now.Before(a.LastReset) || now.Sub(a.LastReset) >= s.RotateOnReadCooldown)
}

// lease adds a nonce for a version whose disclosure ends at until.
func (a *Account) lease(e disclosed, version int, until time.Time) error {
	if e.nonce == "" {
		return errorf(Unavailable, "the role of account %s has changed meanwhile; read again", a.ID)
	}
	if a.Settings.Checkout == Exclusive {
		if err := a.checkedOut(e.at); err != nil {
			return err
		}
	}
	if err := a.roomFor(e.owner, e.at); err != nil {
		return err
	}
	left := until.Sub(e.at)
	if left < max(time.Second, a.Settings.TTL/10) {
		return a.tooLate(version, until, e.at)
	}
	ttl := min(a.Settings.TTL, left)
	asked := time.Duration(0)
	if e.ttl > 0 && e.ttl < a.Settings.TTL {
		ttl, asked = min(ttl, e.ttl), e.ttl
	}
	*e.grant = Grant{Nonce: e.nonce, TTL: ttl, MaxTTL: left}
	if a.Leases == nil {
		a.Leases = map[string]Lease{}
	}
	a.Leases[e.nonce] = Lease{Version: version, Issued: e.at, Expires: e.at.Add(ttl), TTL: asked, Owner: e.owner}
	return nil
}

// retryInterval is when another try of a read makes sense while a rotation is under way.
const retryInterval = 10 * time.Second

// readable is rule 11: nil if the current version may be handed out now.
func (a *Account) readable(now time.Time) error {
	cur := a.current()
	switch {
	case !a.Gone.IsZero():
		return errorf(NotFound, "instance %s does not exist at the cloud any more (seen %s); its last passwords stay recorded. "+
			"If it exists, have it looked for again: %s", a.InstanceID, a.Gone.UTC().Format(time.RFC3339), a.rotateCommand())
	case a.Pending != nil:
		return a.unreadable(a.waits(situation{now: now}), now)
	case a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.unreadable(a.waits(situation{now: now}), now)
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten && !a.believed():
		return a.notProven()
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten:
		return &Error{Kind: NotReadable, Message: fmt.Sprintf("the initial password of account %s has not been read yet", a.ID), RetryAfter: time.Minute}
	case cur == nil:
		return &Error{Kind: NotReadable, idle: true, Message: fmt.Sprintf(
			"account %s has no password yet: its first rotation was skipped. Make one: %s", a.ID, a.rotateCommand())}
	case a.unfit():
		return &Error{Kind: NotReadable, RetryAfter: retryInterval, Message: a.whyElsewhere()}
	}
	if until := cur.end(now); a.Settings.Mode == Leased && !until.IsZero() && until.Sub(now) < max(time.Second, a.Settings.TTL/10) {
		return a.tooLate(cur.Number, until, now)
	}
	return nil
}

// tooLate is the answer when too little of a version's max_ttl is left for a lease.
func (a *Account) tooLate(version int, until, now time.Time) error {
	wait := max(until.Add(slack).Sub(now), time.Second).Round(time.Second)
	return &Error{Kind: NotReadable, RetryAfter: wait, Message: fmt.Sprintf(
		"version %d of account %s has reached its max_ttl; the account rotates when its last lease ends, in %s at the latest", version, a.ID, wait)}
}

// checkedOut is nil unless a lease of any version lives.
func (a *Account) checkedOut(now time.Time) error {
	var latest time.Time
	held := false
	for _, l := range a.Leases {
		held = true
		latest = later(latest, a.endsBy(l, now))
	}
	if !held {
		return nil
	}
	return errorf(Conflict, "account %s is checked out exclusively, until %s at the latest; wait, or revoke that lease: %s; if Vault has no such lease any more, "+
		"a rotation ends it: %s", a.ID, latest.Add(time.Second-1).UTC().Format(time.RFC3339), a.revokeCommand(), a.rotateCommand())
}

func (a *Account) lastError() string {
	if a.Backoff == nil || a.Backoff.LastError == "" {
		return ""
	}
	return "; last error: " + a.Backoff.LastError
}

// unreadable says that a password cannot be handed out before its rotation has ended, and what that waits for.
func (a *Account) unreadable(w waiting, now time.Time) *Error {
	e := &Error{Kind: NotReadable, rotation: true, RetryAfter: max(retryInterval, w.until.Sub(now))}
	switch {
	case a.braked() && !a.Pending.polled():
		e.Message = a.whyBraked(now)
	case a.Pending != nil:
		e.Message = fmt.Sprintf("account %s is being rotated since %s%s", a.ID, a.Pending.Created.UTC().Format(time.RFC3339), w.says(a, now))
	default:
		e.Message = fmt.Sprintf("account %s waits for its rotation (%s since %s)%s", a.ID, a.Due.Reason, a.Due.Since.UTC().Format(time.RFC3339), w.says(a, now))
	}
	return e
}

// renewed extends a lease (rule 12). The client's increment beats the TTL that a plugin returns, so
// the recorded end is the latest that Vault may grant.
type renewed struct {
	lease     LeaseRef
	issued    time.Time
	increment time.Duration
	at        time.Time
	// skew is how far Vault's clock is ahead of at, which Vault counts the lease's maximum by.
	skew  time.Duration
	grant *Grant
}

func (e renewed) apply(a *Account) error {
	l, ok := a.Leases[e.lease.Nonce]
	cur := a.current()
	switch {
	case a.Settings.Mode != Leased:
		return errorf(Invalid, "account %s is handed out without leases now, so its lease cannot be renewed; read a new password", a.ID)
	case !ok:
		return errorf(Invalid, "the lease is not known to account %s any more; read a new password", a.ID)
	case cur == nil || l.Version != cur.Number:
		return errorf(Invalid, "version %d of account %s is not its current one any more, so its lease cannot be renewed; read a new password", l.Version, a.ID)
	case a.Pending != nil || a.Due != nil && a.Due.Reason.ForbidsReading():
		return errorf(Invalid, "account %s is being rotated, so its lease cannot be renewed; read a new password", a.ID)
	}
	left := cur.end(e.at).Sub(e.at)
	maxTTL := left + e.at.Add(e.skew).Sub(e.issued)
	if maxTTL <= 0 && left > 0 && e.increment <= left {
		maxTTL = left // Vault has issued the lease by a clock that was ahead: its cap cannot bind, and need not
	}
	if left <= 0 || maxTTL <= 0 {
		return errorf(Invalid, "version %d of account %s has reached its max_ttl, so its lease cannot be renewed; read a new password", l.Version, a.ID)
	}
	ttl := min(a.Settings.TTL, left)
	if l.TTL > 0 {
		ttl = min(ttl, l.TTL)
	}
	*e.grant = Grant{Nonce: e.lease.Nonce, TTL: ttl, MaxTTL: maxTTL}
	expires := e.at.Add(min(max(ttl, e.increment), left))
	if !expires.After(l.Expires) {
		return errNoChange
	}
	l.Expires, l.Renewed = expires, e.at
	a.Leases[e.lease.Nonce] = l
	return nil
}

// revoked ends a lease (rule 13). An unknown nonce changes nothing.
type revoked struct {
	nonce string
	at    time.Time
}

func (e revoked) apply(a *Account) error {
	if !a.endLease(e.nonce, DueRevoked, e.at) {
		return errNoChange
	}
	return nil
}

// endLease removes a nonce, whatever its version; only the last nonce of the current version makes
// the account due, in the same write.
func (a *Account) endLease(nonce string, reason Reason, at time.Time) bool {
	l, ok := a.Leases[nonce]
	if !ok {
		return false
	}
	delete(a.Leases, nonce)
	a.known(l.Version)
	cur := a.current()
	if cur == nil || l.Version != cur.Number {
		return true
	}
	if a.leased(cur.Number) {
		return true
	}
	if err := (madeDue{reason: reason, at: at}).apply(a); err != nil {
		return true // already due for a reason that forbids reading
	}
	return true
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

// lapsed ends what Vault should have ended: leases past their expiry and slack, and a version past
// its deadline (rule 12). It covers leases that Vault lost.
type lapsed struct{ at time.Time }

func (e lapsed) apply(a *Account) error {
	changed := false
	for nonce, l := range a.Leases {
		if !e.at.Before(l.Expires.Add(slack)) {
			a.endLease(nonce, DueDeadline, e.at)
			changed = true
		}
	}
	if cur := a.current(); a.overdue(e.at) && !(a.Due != nil && a.Due.Reason.ForbidsReading()) && cur != nil {
		if (madeDue{reason: DueDeadline, at: e.at}).apply(a) == nil {
			changed = true
		}
	}
	if !changed {
		return errNoChange
	}
	return nil
}

// overdue reports whether the current version has been disclosed past its deadline.
func (a *Account) overdue(now time.Time) bool {
	cur := a.current()
	return cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !now.Before(cur.Until.Add(slack))
}

// nextLapse is when lapsed will have something to do; zero: never.
func (a *Account) nextLapse() time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, l := range a.Leases {
		earlier(l.Expires.Add(slack))
	}
	cur := a.current()
	if cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		earlier(cur.Until.Add(slack))
	}
	return at
}

// quiet is rule 14's condition for import, restore and delete.
func (a *Account) quiet() error {
	switch {
	case a.Pending != nil:
		return errorf(Conflict, "account %s is being rotated; wait until that has ended, see: %s", a.ID, a.inspectCommand())
	case len(a.OldUnresolved) > 0:
		return errorf(Conflict, "account %s has an earlier reset whose outcome is not settled yet; wait, see: %s", a.ID, a.inspectCommand())
	case a.candidatesHere() > 0:
		return errorf(Conflict, "account %s has passwords that the server may have from failed resets; wait for a successful rotation, see: %s", a.ID, a.inspectCommand())
	}
	return nil
}

// recorded is an operator's word that the server has this password now: an import, or the restore of
// an older version (rule 14). The new version counts as disclosed.
type recorded struct {
	password string
	source   Source
	makeDue  bool // unless the operator said otherwise, or nothing can reset
	at       time.Time
}

func (e recorded) apply(a *Account) error {
	if err := a.quiet(); err != nil {
		return err
	}
	v := Version{Password: e.password, Source: e.source, Created: e.at, Place: a.Place, Verified: true, Disclosed: e.at, Roles: roleSet(a.owner())}
	if a.Settings.Mode == Leased {
		v.Until = e.at.Add(a.Settings.MaxTTL)
	}
	a.add(v)
	a.InitialOverwritten = true
	a.Due = nil
	a.Gone = time.Time{}
	if e.makeDue {
		a.Due = &Due{Since: e.at, Reason: DueImport}
	}
	a.prune()
	return nil
}

// replacedAt is when the current version of a scheduled account is to be replaced: at the next scheduled
// time, or before that as soon as a rotation that is due already may go on. Who reads the password until then
// must know, or would take it for good until the time after. Unless it is the role that says until when
// nothing happens, that is a while at least: how long a cloud takes that does not answer is not known, and a
// consumer that asks at every short try would ask all the time.
func (a *Account) replacedAt(w waiting, now time.Time) time.Time {
	if a.Due == nil || a.NextRotation.IsZero() {
		return a.NextRotation
	}
	next := w.until
	if w.cause != ForWindow && w.cause != ForInterval {
		next = later(next, now.Add(retryInterval))
	}
	if next.After(a.NextRotation) {
		return a.NextRotation
	}
	return next
}

// wantsInitial reports whether version 1 is to be the cloud's initial password and is not there yet.
func (a *Account) wantsInitial() bool {
	return len(a.Versions) == 0 && a.Settings.Source == FromInitial && !a.InitialOverwritten &&
		a.Pending == nil && a.Due == nil && a.Gone.IsZero() && a.believed()
}

// wantsFirst reports whether a read is to start the account's first reset.
func (a *Account) wantsFirst() bool {
	return len(a.Versions) == 0 && a.Settings.Mode == Leased && a.Settings.CanReset && a.Due == nil &&
		a.Gone.IsZero() && !a.wantsInitial()
}

func (a *Account) checkDeletable() error {
	if err := a.quiet(); err != nil {
		return err
	}
	if n := len(a.Leases); n > 0 {
		return errorf(Conflict, "account %s has %d live leases; revoke them first: %s; those that Vault has lost end with a rotation: %s",
			a.ID, n, a.revokeCommand(), a.rotateCommand())
	}
	return nil
}
