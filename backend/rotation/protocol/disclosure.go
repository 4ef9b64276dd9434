package protocol

// Handing out the current version, and renewing its leases (rules 11, 12).

import "time"

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

// VersionDisclosed hands the current version out (rules 11, 12). In leased mode it needs a nonce; Grant
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
	// Client is who is given the password.
	Client Client
}

func (e VersionDisclosed) apply(a *Account) error {
	if err := e.check(a); err != nil {
		return err
	}
	cur := a.Current()
	known := cur.Roles.With(a.Role)
	change := cur.Roles != known
	cur.Roles = known
	change = cur.Given.note(e.Client, e.At) || change
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
	return cur != nil && a.Settings.Mode != Leased && !cur.Disclosed.IsZero() && cur.Roles.has(a.Role) && cur.Given.Knows(e.Client) &&
		!a.wantsRotationOnRead(e.At) && e.check(a) == nil
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
	a.Leases[e.Nonce] = Lease{Version: version, Issued: e.At, Expires: e.At.Add(ttl), TTL: asked, Owner: e.Owner,
		Client: a.clientRef(e.Client)}
	return nil
}

// VersionShown notes that an operator is shown a version with its password.
type VersionShown struct {
	Version int
	Client  Client
	At      time.Time
}

func (e VersionShown) apply(a *Account) error {
	v := a.Version(e.Version)
	switch {
	case v == nil:
		return ErrStale
	case v.Given.Knows(e.Client):
		return ErrNoChange
	}
	unnamed := v.Given.More && len(v.Given.Readers) == 0
	v.Given.note(e.Client, e.At)
	a.forgetReaders() // an old version keeps none by name
	if unnamed && len(v.Given.Readers) == 0 {
		return ErrNoChange
	}
	return nil
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
