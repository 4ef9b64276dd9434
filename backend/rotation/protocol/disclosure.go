package protocol

// The second half of the protocol's transitions: who may be given a version, and how that ends
// (rules 11 to 14).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// maxLeases bounds the live nonces of an account, so that its record stays far below the storage's
// entry limit (rule 12).
const maxLeases = 1000

// Slack is added to every deadline that this package keeps for a lease, because Vault counts the
// lease from a moment after the answer left: it is more than the longest request that Vault lets
// run by default (90 s, max_request_duration of the listener) plus the time to register the lease.
const Slack = 2 * time.Minute

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

// VersionDisclosed hands the current version out (rules 11, 12). In leased mode it needs a nonce; grant
// receives the lease.
type VersionDisclosed struct {
	Reader
	Nonce string
	At    time.Time
	Grant *Grant
}

// Reader is who reads, through which role, and what for a lease it asks for. The zero value may read any account.
type Reader struct {
	// Role is the one that the account must still belong to. Empty: any.
	Role string
	// Owner stands for the entity or token whose leases are counted together; empty: they are not.
	Owner string
	// TTL is the TTL that the client asked for, 0: none. It only shortens the lease.
	TTL time.Duration
}

func (e VersionDisclosed) apply(a *Account) error {
	if err := e.check(a); err != nil {
		return err
	}
	cur := a.Current()
	known := cur.Roles.With(a.Role)
	change := cur.Roles != known
	cur.Roles = known
	if a.Settings.Mode != Leased {
		change = change || cur.Disclosed.IsZero()
		if cur.Disclosed.IsZero() {
			cur.Disclosed = e.At
		}
		if a.wantsRotationOnRead(e.At) {
			change = RotationRequested{Reason: DueRead, At: e.At}.apply(a) == nil || change
		}
		if !change {
			return ErrNoChange
		}
		return nil
	}
	if cur.Disclosed.IsZero() {
		cur.Disclosed = e.At
	}
	if cur.Until.IsZero() {
		cur.Until = e.At.Add(a.Settings.MaxTTL)
	}
	return a.lease(e, cur.Number, cur.end(e.At))
}

// check is nil if the current version may be handed out now to readers of the role.
func (e VersionDisclosed) check(a *Account) error {
	if err := a.CheckServes(e.Role); err != nil {
		return err
	}
	if err := a.CheckReadable(e.At); err != nil {
		return err
	}
	return a.checkMoved()
}

// NothingNew reports whether the answer may leave without a change of the record, which is the common
// case of a static account.
func (e VersionDisclosed) NothingNew(a *Account) bool {
	cur := a.Current()
	return cur != nil && a.Settings.Mode != Leased && !cur.Disclosed.IsZero() && cur.Roles.has(a.Role) && !a.wantsRotationOnRead(e.At) &&
		e.check(a) == nil
}

// wantsRotationOnRead reports whether a read makes the account due, which it does at most once per
// cooldown.
func (a *Account) wantsRotationOnRead(now time.Time) bool {
	s := a.Settings
	return s.RotateOnRead && s.CanReset && a.Due == nil &&
		(a.LastReset.IsZero() || now.Before(a.LastReset) || now.Sub(a.LastReset) >= s.RotateOnReadCooldown)
}

// lease adds a nonce for a version whose disclosure ends at until.
func (a *Account) lease(e VersionDisclosed, version int, until time.Time) error {
	if e.Nonce == "" {
		return Errorf(Unavailable, "the role of account %s has changed meanwhile; read again", a.ID)
	}
	if a.Settings.Checkout == Exclusive {
		if err := a.CheckNotCheckedOut(e.At); err != nil {
			return err
		}
	}
	if err := a.CheckRoom(e.Owner, e.At); err != nil {
		return err
	}
	left := until.Sub(e.At)
	if left < max(time.Second, a.Settings.TTL/10) {
		return a.tooLate(version, until, e.At)
	}
	ttl := min(a.Settings.TTL, left)
	asked := time.Duration(0)
	if e.TTL > 0 && e.TTL < a.Settings.TTL {
		ttl, asked = min(ttl, e.TTL), e.TTL
	}
	*e.Grant = Grant{Nonce: e.Nonce, TTL: ttl, MaxTTL: left}
	if a.Leases == nil {
		a.Leases = map[string]Lease{}
	}
	a.Leases[e.Nonce] = Lease{Version: version, Issued: e.At, Expires: e.At.Add(ttl), TTL: asked, Owner: e.Owner}
	return nil
}

// retryInterval is when another try of a read makes sense while a rotation is under way.
const retryInterval = 10 * time.Second

// CheckReadable is rule 11: nil if the current version may be handed out now.
func (a *Account) CheckReadable(now time.Time) error {
	cur := a.Current()
	switch {
	case !a.Gone.IsZero():
		return Errorf(NotFound, "instance %s does not exist at the cloud any more (seen %s); its last passwords stay recorded. "+
			"If it exists, have it looked for again: %s", a.InstanceID, a.Gone.UTC().Format(time.RFC3339), a.rotateHint())
	case a.Pending != nil:
		return a.Unreadable(a.WaitsFor(PlanInput{Now: now}), now)
	case a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.Unreadable(a.WaitsFor(PlanInput{Now: now}), now)
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten && !a.TrustsHere():
		return a.NotProvenError()
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten:
		return &Error{Kind: NotReadable, Message: hint.Textf("the initial password of account %s has not been read yet", a.ID),
			RetryAfter: time.Minute}
	case cur == nil:
		return &Error{Kind: NotReadable, Idle: true, Message: hint.Textf(
			"account %s has no password yet: its first rotation was skipped. Make one: %s", a.ID, a.rotateHint())}
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
	wait := max(until.Add(Slack).Sub(now), time.Second).Round(time.Second)
	return &Error{Kind: NotReadable, RetryAfter: wait, Message: hint.Textf(
		"version %d of account %s has reached its max_ttl; the account rotates when its last lease ends, in %s at the latest", version, a.ID,
		wait)}
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
		"account %s is checked out exclusively, until %s at the latest; wait, or revoke that lease: %s; if Vault has no such lease any more, "+
			"a rotation ends it: %s", a.ID, latest.Add(time.Second-1).UTC().Format(time.RFC3339), a.revokeHint(), a.rotateHint())
}

func (a *Account) lastError() hint.Text {
	if a.Backoff == nil || a.Backoff.LastError.IsZero() {
		return hint.Text{}
	}
	return hint.Plain("; last error: ").Add(a.Backoff.LastError)
}

// Unreadable says that a password cannot be handed out before its rotation has ended, and what that waits for.
func (a *Account) Unreadable(w Waiting, now time.Time) *Error {
	e := &Error{Kind: NotReadable, Rotation: true, RetryAfter: max(retryInterval, w.Until.Sub(now))}
	switch {
	case a.Braked() && !a.Pending.AnyPolled():
		e.Message = a.whyBraked(now)
	case a.Pending != nil:
		e.Message = hint.Textf("account %s is being rotated since %s%s", a.ID, a.Pending.Created.UTC().Format(time.RFC3339), w.says(a, now))
	default:
		e.Message = hint.Textf("account %s waits for its rotation (%s since %s)%s", a.ID, a.Due.Reason, a.Due.Since.UTC().Format(time.RFC3339),
			w.says(a, now))
	}
	return e
}

// LeaseRenewed extends a lease (rule 12). The client's increment beats the TTL that a plugin returns, so
// the recorded end is the latest that Vault may grant.
type LeaseRenewed struct {
	Lease     LeaseRef
	Issued    time.Time
	Increment time.Duration
	At        time.Time
	// Skew is how far Vault's clock is ahead of at, which Vault counts the lease's maximum by.
	Skew  time.Duration
	Grant *Grant
}

func (e LeaseRenewed) apply(a *Account) error {
	l, ok := a.Leases[e.Lease.Nonce]
	cur := a.Current()
	switch {
	case a.Settings.Mode != Leased:
		return Errorf(Invalid, "account %s is handed out without leases now, so its lease cannot be renewed; read a new password", a.ID)
	case !ok:
		return Errorf(Invalid, "the lease is not known to account %s any more; read a new password", a.ID)
	case cur == nil || l.Version != cur.Number:
		return Errorf(Invalid, "version %d of account %s is not its current one any more, so its lease cannot be renewed; read a new password",
			l.Version, a.ID)
	case a.Pending != nil || a.Due != nil && a.Due.Reason.ForbidsReading():
		return Errorf(Invalid, "account %s is being rotated, so its lease cannot be renewed; read a new password", a.ID)
	}
	left := cur.end(e.At).Sub(e.At)
	maxTTL := left + e.At.Add(e.Skew).Sub(e.Issued)
	if maxTTL <= 0 && left > 0 && e.Increment <= left {
		maxTTL = left // Vault has issued the lease by a clock that was ahead: its cap cannot bind, and need not
	}
	if left <= 0 || maxTTL <= 0 {
		return Errorf(Invalid, "version %d of account %s has reached its max_ttl, so its lease cannot be renewed; read a new password", l.Version,
			a.ID)
	}
	ttl := min(a.Settings.TTL, left)
	if l.TTL > 0 {
		ttl = min(ttl, l.TTL)
	}
	*e.Grant = Grant{Nonce: e.Lease.Nonce, TTL: ttl, MaxTTL: maxTTL}
	expires := e.At.Add(min(max(ttl, e.Increment), left))
	if !expires.After(l.Expires) {
		return ErrNoChange
	}
	l.Expires, l.Renewed = expires, e.At
	a.Leases[e.Lease.Nonce] = l
	return nil
}

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
// the account due, in the same write.
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
	if a.leased(cur.Number) {
		return true
	}
	if err := (RotationRequested{Reason: reason, At: at}).apply(a); err != nil {
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

// overdue reports whether the current version has been disclosed past its deadline.
func (a *Account) overdue(now time.Time) bool {
	cur := a.Current()
	return cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !now.Before(cur.Until.Add(Slack))
}

// NextExpiry is when LeasesExpired will have something to do; zero: never.
func (a *Account) NextExpiry() time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, l := range a.Leases {
		earlier(l.Expires.Add(Slack))
	}
	cur := a.Current()
	if cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		earlier(cur.Until.Add(Slack))
	}
	return at
}

// CheckSettled is rule 14's condition for import, restore and delete.
func (a *Account) CheckSettled() error {
	switch {
	case a.Pending != nil:
		return Errorf(Conflict, "account %s is being rotated; wait until that has ended, see: %s", a.ID, a.inspectHint())
	case len(a.OldUnresolved) > 0:
		return Errorf(Conflict, "account %s has an earlier reset whose outcome is not settled yet; wait, see: %s", a.ID, a.inspectHint())
	case a.candidatesHere() > 0:
		return Errorf(Conflict, "account %s has passwords that the server may have from failed resets; wait for a successful rotation, see: %s",
			a.ID, a.inspectHint())
	}
	return nil
}

// PasswordRecorded is an operator's word that the server has this password now: an import, or the restore of
// an older version (rule 14). The new version counts as disclosed.
type PasswordRecorded struct {
	Password string
	Source   Source
	MakeDue  bool // unless the operator said otherwise, or nothing can reset
	At       time.Time
}

func (e PasswordRecorded) apply(a *Account) error {
	if err := a.CheckSettled(); err != nil {
		return err
	}
	v := Version{Password: e.Password, Source: e.Source, Created: e.At, Place: a.Place, Confirmed: true, Disclosed: e.At,
		Roles: RoleSet(a.Owner())}
	if a.Settings.Mode == Leased {
		v.Until = e.At.Add(a.Settings.MaxTTL)
	}
	a.Add(v)
	a.InitialOverwritten = true
	a.Due = nil
	a.Gone = time.Time{}
	if e.MakeDue {
		a.Due = &Due{Since: e.At, Reason: DueImport}
	}
	a.prune()
	return nil
}

// ReplacedAt is when the current version of a scheduled account is to be replaced: at the next scheduled
// time, or before that as soon as a rotation that is due already may go on. Who reads the password until then
// must know, or would take it for good until the time after. Unless it is the role that says until when
// nothing happens, that is a while at least: how long a cloud takes that does not answer is not known, and a
// consumer that asks at every short try would ask all the time.
func (a *Account) ReplacedAt(w Waiting, now time.Time) time.Time {
	if a.Due == nil || a.NextRotation.IsZero() {
		return a.NextRotation
	}
	next := w.Until
	if w.Cause != ForWindow && w.Cause != ForInterval {
		next = Latest(next, now.Add(retryInterval))
	}
	if next.After(a.NextRotation) {
		return a.NextRotation
	}
	return next
}

// WantsInitial reports whether version 1 is to be the cloud's initial password and is not there yet.
func (a *Account) WantsInitial() bool {
	return len(a.Versions) == 0 && a.Settings.Source == FromInitial && !a.InitialOverwritten &&
		a.Pending == nil && a.Due == nil && a.Gone.IsZero() && a.TrustsHere()
}

// WantsFirst reports whether a read is to start the account's first reset.
func (a *Account) WantsFirst() bool {
	return len(a.Versions) == 0 && a.Settings.Mode == Leased && a.Settings.CanReset && a.Due == nil &&
		a.Gone.IsZero() && !a.WantsInitial()
}

func (a *Account) CheckDeletable() error {
	if err := a.CheckSettled(); err != nil {
		return err
	}
	if n := len(a.Leases); n > 0 {
		return Errorf(Conflict, "account %s has %d live leases; revoke them first: %s; those that Vault has lost end with a rotation: %s",
			a.ID, n, a.revokeHint(), a.rotateHint())
	}
	return nil
}
