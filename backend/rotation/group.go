package rotation

// Shared passwords (rule 16). A group is the record of a role whose accounts have one password. It is
// an Account whose instance id is "*" and whose user name is the role: its versions are the batches
// that all members have agreed on, its pending is the batch that is being brought to them, and its
// due, leases and deadlines are those of the shared password, under the same transitions. It makes no
// attempts of its own: members do, each in its own record, and confirm one by one.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// groupInstance stands where an account has its instance id. No cloud has such an id.
const groupInstance = "*"

// GroupID names the group of a role.
func GroupID(connection, role string) ID { return ID{connection, groupInstance, role} }

func (id ID) isGroup() bool { return id.InstanceID == groupInstance }

// group returns the account's group, if it belongs to one.
func (a *Account) group() (ID, bool) {
	if a.isGroup() || !a.Settings.SharedPassword || a.Role == "" {
		return ID{}, false
	}
	return GroupID(a.Connection, a.Role), true
}

// grouped sets a group's members and settings.
type grouped struct {
	role     string
	settings Settings
	members  []ID
	at       time.Time
}

func (e grouped) apply(a *Account, _ rules) error {
	if a.Role == e.role && a.Settings == e.settings && slices.Equal(a.Members, e.members) {
		return errNoChange
	}
	if a.Settings.Schedule != e.settings.Schedule || a.Role == "" {
		a.NextRotation = firstRotation(a, e.settings, e.at)
	}
	a.Role, a.Settings, a.Members = e.role, e.settings, slices.Clone(e.members)
	return nil
}

// batched starts a batch: it is written here first, then copied to each account before it is sent. A
// batch is replaced only if a member's cloud has refused its value.
type batched struct {
	id       string
	password string
	replace  bool
	at       time.Time
}

func (e batched) apply(a *Account, _ rules) error {
	if a.Due == nil || a.Pending != nil && !e.replace || e.replace && a.Pending == nil {
		return errStale
	}
	a.Pending = &Pending{Password: e.password, Batch: e.id, Created: e.at, Tried: 1}
	a.LastReset = e.at
	return nil
}

// agreed promotes the batch: every member has confirmed it.
type agreed struct {
	batch string
	at    time.Time
}

func (e agreed) apply(a *Account, r rules) error {
	if a.Pending == nil || a.Pending.Batch != e.batch {
		return errStale
	}
	a.promote("", e.at, r)
	// It may have been handed out for an instance that had it early, and that lease may have ended.
	if cur := a.current(); a.Settings.Mode == Leased && !cur.Disclosed.IsZero() && !a.leased(cur.Number) {
		a.Due = &Due{Since: e.at, Reason: DueRevoked}
	}
	return nil
}

// joined gives a member the group's value: as a new pending, or as another attempt of the same one
// (rules 2, 3, 8, 9).
type joined struct {
	role            string
	password, batch string
	reason          Reason
	attempt         Attempt
}

func (e joined) apply(a *Account, r rules) error {
	if a.Role != e.role || !a.Settings.SharedPassword {
		return errStale // it has left meanwhile
	}
	if p := a.Pending; p != nil && p.Batch == e.batch && !p.Rejected {
		return retried{attempt: e.attempt}.apply(a, r)
	}
	if a.Due == nil {
		a.Due = &Due{Since: e.attempt.Started, Reason: e.reason}
	}
	return begun{password: e.password, batch: e.batch, attempt: e.attempt}.apply(a, r)
}

// superseded rejects a member's pending whose batch was replaced: the cloud has refused that value for
// another member (rule 8). What was sent of it is settled like that of any rejected pending.
type superseded struct{ batch string }

func (e superseded) apply(a *Account, _ rules) error {
	p := a.Pending
	if p == nil || p.Batch == e.batch || p.Rejected || p.polled() {
		return errNoChange
	}
	p.Rejected = true
	return nil
}

// left takes a member out of its group. It keeps the group's password, which clients know or will be
// given for the others, so it goes its own way and becomes due.
type left struct {
	role string
	at   time.Time
}

func (e left) apply(a *Account, r rules) error {
	if a.Role != e.role || !a.Settings.SharedPassword {
		return errNoChange
	}
	a.Role = ""
	a.Settings.SharedPassword = false
	if !a.Settings.CanReset || a.Pending == nil && a.current() == nil {
		return nil
	}
	if err := (madeDue{reason: DueLeaver, at: e.at}).apply(a, r); err != nil && !errors.Is(err, errNoChange) {
		return err
	}
	return nil
}

// handed is disclosed for one member of a group: the password that this very instance has, which
// during a rotation is the batch's or still the current one.
type handed struct {
	disclosed
	batch string
}

func (e handed) apply(a *Account, r rules) error {
	switch cur := a.current(); {
	case a.Pending != nil && a.Pending.Batch == e.batch:
		p := a.Pending
		if p.Disclosed.IsZero() {
			p.Disclosed = e.at
			if a.Settings.Mode == Leased {
				p.Until = e.at.Add(a.Settings.MaxTTL)
			}
		}
		if a.Settings.Mode != Leased {
			return nil
		}
		return a.lease(e.disclosed, a.LastVersion+1, p.Until, r)
	case cur == nil || cur.Batch != e.batch || a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.notAgreed()
	}
	pending := a.Pending
	a.Pending = nil // the instance has not been given it yet
	err := e.disclosed.apply(a, r)
	a.Pending = pending
	return err
}

func (a *Account) notAgreed() error {
	return &Error{Kind: NotReadable, RetryAfter: 10 * time.Second, poll: rollInterval, Message: fmt.Sprintf(
		"the accounts of role %s are being brought to one password; try again, or pass wait=45s", a.Role)}
}

// BindGroup makes or updates the group of a role whose accounts share their password. The accounts
// are bound already. Accounts that are no members any more leave the group.
func (c *Core) BindGroup(ctx context.Context, connection, provider, role string, s Settings, members []ID) error {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
	e := c.entry(GroupID(connection, role))
	base, err := c.get(ctx, e.id)
	if err != nil {
		return err
	}
	if base != nil {
		// Before the group forgets them, so that a failure can be repeated.
		for _, id := range base.Members {
			if slices.Contains(members, id) {
				continue
			}
			if err := c.leave(ctx, role, id); err != nil {
				return err
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return err
	}
	if base = e.rec; base == nil {
		base = &Account{ID: e.id, Provider: provider}
	}
	next, err := transition(base, grouped{role: role, settings: s, members: members, at: c.opts.Now()}, c.opts.rules)
	switch {
	case errors.Is(err, errNoChange):
	case err != nil:
		return err
	default:
		if err := c.put(ctx, e, next); err != nil {
			return err
		}
	}
	e.disagree.Store(true)
	c.schedule(e)
	return nil
}

// UnbindGroup ends a group: its members go their own ways. Its leases end with it.
func (c *Core) UnbindGroup(ctx context.Context, connection, role string) error {
	e := c.entry(GroupID(connection, role))
	rec, err := c.get(ctx, e.id)
	if err != nil || rec == nil {
		return err
	}
	for _, id := range rec.Members {
		if err := c.leave(ctx, role, id); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.opts.Storage.Delete(ctx, accountKey(e.id)); err != nil {
		e.rec, e.loaded = nil, false
		return storageError("deleting", e.id, err)
	}
	e.rec, e.loaded = nil, true
	c.unschedule(e)
	return nil
}

// leave takes one account out of its group.
func (c *Core) leave(ctx context.Context, role string, id ID) error {
	_, err := c.update(ctx, c.entry(id), left{role: role, at: c.opts.Now()})
	if errors.Is(err, errNoChange) || isNotFound(err) {
		return nil
	}
	return err
}

// ReadGroup is Read for the shared password of a role: it answers once all accounts agree.
func (c *Core) ReadGroup(ctx context.Context, connection, role string, wait time.Duration) (*Answer, error) {
	id := GroupID(connection, role)
	return c.waitFor(ctx, c.entry(id), wait, func(e *entry) (*Answer, <-chan struct{}, error) {
		if e.disagree.Load() {
			if err := c.agreeNow(ctx, e); err != nil {
				e.mu.Lock()
				defer e.mu.Unlock()
				return nil, e.watch(), err
			}
		}
		return c.tryRead(ctx, e)
	})
}

// agreeNow is nil if all members of a group have its current password.
func (c *Core) agreeNow(ctx context.Context, e *entry) error {
	g, err := c.get(ctx, e.id)
	if err != nil {
		return err
	}
	if g == nil || g.Pending != nil || g.current() == nil {
		return nil // tryRead knows what to say
	}
	members, err := c.members(ctx, g)
	if err != nil {
		return err
	}
	for _, m := range members {
		if !m.has(g.current().Batch) {
			return g.notAgreed()
		}
	}
	return nil
}

// ReadMember is Read for one account of a group: the password that this very instance has, under a
// lease of the group.
func (c *Core) ReadMember(ctx context.Context, id ID, wait time.Duration) (*Answer, error) {
	member, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if member == nil {
		return nil, errorf(NotFound, "there is no account %s", id)
	}
	groupID, ok := member.group()
	if !ok {
		return nil, errorf(Conflict, "account %s does not share its password", id)
	}
	return c.waitFor(ctx, c.entry(groupID), wait, func(e *entry) (*Answer, <-chan struct{}, error) {
		return c.tryReadMember(ctx, e, id)
	})
}

func (c *Core) tryReadMember(ctx context.Context, e *entry, id ID) (*Answer, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, nil, err
	}
	if e.rec == nil {
		return nil, nil, errorf(NotFound, "role %s has no shared password yet; write the role again", e.id.Username)
	}
	if err := c.startFirst(ctx, e); err != nil {
		return nil, nil, err
	}
	// The member cannot begin to rotate meanwhile: that needs a batch in the group's record, which is
	// held, or the group's present value.
	member, err := c.get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if member == nil {
		return nil, nil, errorf(NotFound, "there is no account %s", id)
	}
	if member.current() == nil || member.current().Batch == "" || member.Pending != nil {
		if err := member.readable(c.opts.Now()); err != nil {
			return nil, e.watch(), err
		}
		return nil, e.watch(), e.rec.notAgreed()
	}
	var grant Grant
	ev := handed{batch: member.current().Batch, disclosed: disclosed{at: c.opts.Now(), grant: &grant}}
	leased := e.rec.Settings.Mode == Leased
	if leased {
		if ev.nonce, err = c.opts.NewID(); err != nil {
			return nil, nil, err
		}
	}
	if _, err := c.updateLocked(ctx, e, ev); err != nil && !errors.Is(err, errNoChange) {
		return nil, e.watch(), err
	}
	answer := member.answer(leased, grant, ev.at)
	answer.Settings, answer.NextRotation = e.rec.Settings, e.rec.replacedAt(ev.at)
	answer.Group = e.id
	answer.Version.Number = e.rec.numberOf(member.current().Batch)
	return answer, nil, nil
}

// numberOf is the number that a batch has or will have among the group's versions.
func (g *Account) numberOf(batch string) int {
	for _, v := range g.Versions {
		if v.Batch == batch {
			return v.Number
		}
	}
	return g.LastVersion + 1
}

// members returns the records of a group's accounts that still exist at their cloud.
func (c *Core) members(ctx context.Context, g *Account) ([]*Account, error) {
	var out []*Account
	for _, id := range g.Members {
		m, err := c.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Gone.IsZero() && m.Role == g.Role && m.Settings.SharedPassword {
			out = append(out, m)
		}
	}
	return out, nil
}

// has reports whether the member has confirmed a batch, and nothing else is under way.
func (a *Account) has(batch string) bool {
	cur := a.current()
	return cur != nil && cur.Batch == batch && a.Pending == nil
}

// pokeGroup asks for a look at a member's group, after the member's record changed.
func (c *Core) pokeGroup(a *Account) {
	if id, ok := a.group(); ok {
		e := c.entry(id)
		e.disagree.Store(true)
		c.scheduleAt(e, stepNone, c.opts.Now())
	}
}

// beginBatch makes a group's new value, which every member's rules allow, and records it.
func (c *Core) beginBatch(ctx context.Context, e *entry, g *Account, live *Connection, replace bool) error {
	members, err := c.members(ctx, g)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		c.hold(e, fmt.Errorf("role %s has no instance", g.Role))
		return nil
	}
	value, err := c.sharedPassword(ctx, members, live)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	id, err := c.opts.NewID()
	if err != nil {
		return err
	}
	return c.apply(ctx, e, batched{id: id, password: value, replace: replace, at: c.opts.Now()})
}

// sharedTries is how many values are made before the members' rules are called contradictory.
const sharedTries = 50

func (c *Core) sharedPassword(ctx context.Context, members []*Account, live *Connection) (string, error) {
	var broken error
	for range sharedTries {
		value, err := c.newPassword(ctx, members[0], live)
		if err != nil {
			return "", err
		}
		broken = nil
		for _, m := range members {
			rules := live.Provider.PasswordRules(m.Facts.Instance(m.InstanceID))
			if broken = rules.Check(value, m.Username); broken != nil {
				break
			}
		}
		if broken == nil {
			return value, nil
		}
	}
	return "", fmt.Errorf("no password fits the rules of all instances (%w); set a password_policy that does, or split the role", broken)
}

// rollInterval is the time between two looks at a group whose members do not agree yet.
const rollInterval = time.Second

// roll brings a group's members to its value: the batch, or for those who joined the current one.
func (c *Core) roll(ctx context.Context, e *entry, g *Account, n *connection, live *Connection, r cloud.PasswordResetter) error {
	e.mu.Lock()
	e.pollAt = c.opts.Now().Add(rollInterval)
	e.mu.Unlock()
	value, batch, reason := "", "", DueManual
	switch {
	case g.Pending != nil:
		value, batch, reason = g.Pending.Password, g.Pending.Batch, g.Due.Reason
	case g.current() != nil:
		value, batch = g.current().Password, g.current().Batch
	}
	// Cleared before the look, so that a change during it is not lost.
	e.disagree.Store(false)
	members, err := c.members(ctx, g)
	if err != nil {
		e.disagree.Store(true)
		return err
	}
	var together, alone []*Account
	waiting, refused := 0, false
	now := c.opts.Now()
	for _, m := range members {
		p := m.Pending
		switch {
		case m.has(batch):
			continue
		case p != nil && p.Batch == batch && p.Rejected:
			refused = true
		case p != nil && p.polled():
		case p != nil && p.Batch != batch && !p.Rejected:
			if err := c.apply(ctx, c.entry(m.ID), superseded{batch: batch}); err != nil {
				e.disagree.Store(true)
				return err
			}
		case p != nil && p.Batch != batch && len(p.Attempts) > 0: // rule 9
		case len(m.OldUnresolved) > 0:
		case m.Backoff != nil && m.Backoff.NotBefore.After(now):
		case m.Backoff != nil:
			alone = append(alone, m)
		default:
			together = append(together, m)
		}
		waiting++
	}
	if waiting == 0 {
		if g.Pending != nil && len(members) > 0 {
			return c.apply(ctx, e, agreed{batch: batch, at: c.opts.Now()})
		}
		return nil
	}
	e.disagree.Store(true)
	switch {
	case refused && g.Pending != nil:
		return c.beginBatch(ctx, e, g, live, true)
	case refused: // one who joined cannot have the current password: another one is needed
		return c.apply(ctx, e, madeDue{reason: DueManual, at: now})
	}
	if len(together) == 0 && len(alone) > 0 {
		together = alone[:1] // one whose last try failed must not take others with it
	}
	next := together
	if len(next) > 0 {
		next = sameReset(next, max(r.ResetTraits().BatchSize, 1))
	}
	return c.sendBatch(ctx, next, joined{role: g.Role, password: value, batch: batch, reason: reason}, n, live, r)
}

// sameReset takes the accounts that fit into one request with the first: same user, same force_stop.
func sameReset(members []*Account, size int) []*Account {
	var out []*Account
	for _, m := range members {
		if m.Username == members[0].Username && m.Settings.ForceStop == members[0].Settings.ForceStop && len(out) < size {
			out = append(out, m)
		}
	}
	return out
}

// part is one account's share of a batch request.
type part struct {
	entry   *entry
	rec     *Account
	attempt Attempt
}

// sendBatch records the value and an attempt in each account, and only then sends one request for
// those that were recorded. What is known of the request then is recorded in each of them.
func (c *Core) sendBatch(ctx context.Context, members []*Account, ev joined, n *connection, live *Connection, r cloud.PasswordResetter) error {
	var mu sync.Mutex
	var parts []part
	var failed error
	var wg sync.WaitGroup
	for _, m := range members {
		wg.Go(func() {
			p, err := c.prepare(ctx, m, ev, n, live, r)
			mu.Lock()
			defer mu.Unlock()
			if p != nil {
				parts = append(parts, *p)
			}
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if len(parts) == 0 {
		return failed
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.rec.InstanceID, b.rec.InstanceID) })
	reset := resetOf(parts[0].rec, ev.password)
	reset.InstanceIDs = nil
	for _, p := range parts {
		reset.InstanceIDs = append(reset.InstanceIDs, p.rec.InstanceID)
	}
	out := c.call(ctx, n, live, r, reset)
	for _, p := range parts {
		if err := c.conclude(ctx, p.entry, p.rec, p.attempt, out, len(parts) > 1, r); err != nil {
			failed = err
		}
	}
	return failed
}

// prepare records the value and an attempt in one account; nil if it is not to be sent now.
func (c *Core) prepare(ctx context.Context, m *Account, ev joined, n *connection, live *Connection, r cloud.PasswordResetter) (*part, error) {
	e := c.entry(m.ID)
	operation, ok, err := c.seenBefore(ctx, e, n, live, r)
	if !ok {
		return nil, err
	}
	if ev.attempt, err = c.newAttempt(operation); err != nil {
		return nil, err
	}
	rec, err := c.update(ctx, e, ev)
	if errors.Is(err, errStale) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &part{entry: e, rec: rec, attempt: ev.attempt}, nil
}
