package rotation

import (
	"context"
	"sort"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// View is everything about an account but its passwords.
type View struct {
	ID       ID
	Provider string
	Role     string
	LastRole string // of an account without a role
	MoveTo   string // the role that may have it on an operator's word
	Settings Settings
	Facts    Facts
	// Shown are the facts that may stand beside the current version: those of its place.
	Shown    Facts
	Versions []VersionView
	// Place is where the connection led when that was noted last, PlaceTrusted whether its word about existing servers
	// counts, and Places all of which the account has a password or trusts the word.
	Place        Place
	PlaceTrusted bool
	Places       []protocol.PlaceView
	// State is one of "ready", "due", "rotating", "braked", "settling", "gone" and "empty".
	State          string
	Due            *protocol.Due
	PendingSince   time.Time
	Attempts       int // all attempts of the pending
	OpenAttempts   int // those whose outcome is not known, of older values too
	Candidates     int
	OldUnresolved  bool
	MaybeSet       bool // the server may have a value that is no version
	Rejected       bool
	Leases         []LeaseView
	LastRotation   time.Time
	NextRotation   time.Time
	MissedRotation time.Time
	Failures       int
	LastError      hint.Text
	LastErrorTime  time.Time
	// NextTry and WaitingFor are when the rotation that is due goes on, at the earliest, and why not before.
	NextTry    time.Time
	WaitingFor protocol.Cause
	// Late is for how long the role's own limits have let the rotation go on.
	Late time.Duration
	// Unshown counts the attempts whose outcome the cloud did not show; ShownInstead is what it showed.
	Unshown      int
	ShownInstead hint.Text
	Gone         time.Time
	Forgotten    time.Time // when an account that is gone is forgotten; zero: as it is, never
	// Joining is set for a member of a group that waits for the first value that is made for it; LeftOut since
	// when, and LeftOutReason why, the others do not wait for it.
	Joining            bool
	LeftOut            time.Time
	LeftOutReason      hint.Text
	InitialCleared     time.Time
	InitialOverwritten bool
	// Check is what the last check of the server has shown, Drifted whether the server has another password.
	Check   protocol.Check
	Drifted bool
	// Rebuilt is when it was noticed that the server seems to have been rebuilt since the current version was recorded, and
	// WhyRebuilt what the cloud has shown, and what helps; zero: it was not.
	Rebuilt    time.Time
	WhyRebuilt hint.Text
}

// VersionView is a version without its password.
type VersionView struct {
	Number    int
	Source    Source
	Created   time.Time
	Disclosed time.Time
	Until     time.Time
	Ended     time.Time
	Confirmed bool
	Current   bool
	Place     Place
	Roles     []string // to whose readers it was given
	Given     Given
	Change    protocol.Change
}

// LeaseView is a lease without its nonce.
type LeaseView struct {
	Lease
	Client Client
}

// inspectPatience is how long Inspect waits for an account whose record is being written.
const inspectPatience = time.Second

// viewSnapshot makes the view of the record that was cached last, without what only a holder of e.mu may see.
func (c *Core) viewSnapshot(e *entry) *View {
	shown := e.asStored()
	if shown == nil {
		return nil
	}
	return c.view(shown)
}

// asStored is an entry of its own for the record as it was stored last, or nil; nobody else holds it.
func (e *entry) asStored() *entry {
	rec := e.snapshot.Load()
	if rec == nil {
		return nil
	}
	stored := &entry{id: e.id}
	if e.group != nil {
		stored.group = new(groupLook) // the other one has its own lock
	}
	stored.cache(rec)
	return stored
}

// hangs reports whether an account's record is held for longer than inspectPatience: storage hangs.
func (e *entry) hangs(ctx context.Context) bool {
	if e.mu.TryLock() {
		e.mu.Unlock()
		return false
	}
	patience := time.NewTimer(inspectPatience)
	defer patience.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if e.mu.TryLock() {
				e.mu.Unlock()
				return false
			}
		case <-patience.C:
			return true
		case <-ctx.Done():
			return true
		}
	}
}

// Inspect returns an account's view, or nil if there is no such account. It waits for no write to storage that
// hangs: it tells what was known before it.
func (c *Core) Inspect(ctx context.Context, id ID) (*View, error) {
	if known := c.inMemory(id); known != nil && known.hangs(ctx) {
		if view := c.viewSnapshot(known); view != nil {
			return view, nil
		}
	}
	if a, err := c.get(ctx, id); err != nil || a == nil {
		return nil, err
	}
	if _, err := c.connect(ctx, id.Connection); err != nil { // it leads nowhere else, then
		c.opts.Logger.Trace("an account is shown whose connection cannot be used", "account", id.String(), "error", err)
	}
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil || e.rec == nil {
		return nil, err
	}
	return c.view(e), nil
}

// viewMember is the part of view that tells of a membership. g is the group's record; nil: it is not known here.
func (c *Core) viewMember(v *View, a, g *Account) {
	v.Joining = a.Joining != "" && (g == nil || a.WaitsToJoin(g))
	if !a.LeftOut.IsZero() {
		v.LeftOut, v.LeftOutReason = a.LeftOut, a.WhyLeftOut()
	}
}

// view makes the view of a loaded account. It waits for no storage: of a connection that is not known yet it tells
// what the record has noted. The caller holds e.mu.
func (c *Core) view(e *entry) *View {
	v := new(View)
	a := c.outline(v, e)
	v.Provider, v.LastRole, v.MoveTo, v.Settings, v.Shown = a.Provider, a.LastRole, a.MoveTo, a.Settings, a.FactsFor(a.Current())
	v.Place, v.PlaceTrusted, v.Places = a.Place, a.TrustsHere(), a.PlaceViews()
	v.Candidates, v.OldUnresolved, v.OpenAttempts = len(a.Candidates), len(a.OldUnresolved) > 0, len(a.OldUnresolved)
	v.MaybeSet = a.MayHaveUnconfirmed()
	v.LastRotation, v.NextRotation, v.MissedRotation = a.LastRotation, a.NextRotation, a.MissedRotation
	v.InitialCleared, v.InitialOverwritten, v.Check = a.InitialCleared, a.InitialOverwritten, a.Checked()
	if a.Rebuilt != nil {
		v.WhyRebuilt = a.WhyRebuilt()
	}
	if live := c.connection(e.id.Connection).connected(); !a.Gone.IsZero() && live != nil {
		v.Forgotten = a.ForgottenAt(live.ForgetGoneAfter)
	}
	if a.Due != nil {
		d := *a.Due
		v.Due = &d
	}
	if p := a.Pending; p != nil {
		v.PendingSince, v.Attempts, v.Rejected = p.Created, p.Tried, p.Rejected
		v.OpenAttempts += len(p.Attempts)
		v.Unshown, v.ShownInstead = p.Brake.Unshown, p.Brake.Shown
	}
	for i, ver := range a.Versions {
		ver.Change.RequestID = text.Line(ver.Change.RequestID, maxID, ver.Password)
		v.Versions = append(v.Versions, VersionView{Number: ver.Number, Source: ver.Source, Created: ver.Created, Disclosed: ver.Disclosed,
			Until: ver.Until, Ended: ver.Ended, Confirmed: ver.Confirmed, Roles: ver.Roles.Names(),
			Current: i == len(a.Versions)-1, Place: ver.Place, Change: ver.Change,
			Given: e.reads.givenOf(ver)})
	}
	for _, l := range a.Leases {
		v.Leases = append(v.Leases, LeaseView{l, a.ClientOf(l)})
	}
	sort.Slice(v.Leases, func(i, j int) bool { return v.Leases[i].Expires.Before(v.Leases[j].Expires) })
	return v
}

// outline fills the part of a view that is counted and summed up, which leaves nothing behind: a status makes it of every account. What
// it returns is the record that is shown. The caller holds e.mu.
func (c *Core) outline(v *View, e *entry) *Account {
	a := c.asLocated(e, c.connection(e.id.Connection).connected())
	*v = View{ID: a.ID, Role: a.Role, Facts: a.Facts, State: a.State(), Gone: a.Gone, Due: a.Due, Drifted: a.Drifted(),
		LastError: e.delay.cause, Failures: e.delay.failures}
	if a.Rebuilt != nil {
		v.Rebuilt = a.Rebuilt.Seen
	}
	if id, member := a.Group(); member {
		c.viewMember(v, a, c.entry(id).group.record.Load())
	}
	if b := a.Backoff; b != nil && e.delay.cause.IsZero() {
		v.Failures, v.LastError, v.LastErrorTime = b.Failures, b.LastError, b.LastErrorTime
	}
	if w := c.waits(e); w.Cause != ForNothing {
		now := c.opts.Now()
		v.WaitingFor, v.NextTry = w.Cause, protocol.Latest(w.Until, now)
		v.Late = now.Sub(a.AllowedSince(now))
	}
	return a
}
