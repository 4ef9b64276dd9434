package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

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

// forgive tells the members of a group that an operator wants the role rotated.
func (c *Core) forgive(ctx context.Context, group ID) error {
	g, err := c.get(ctx, group)
	if err != nil || g == nil {
		return err
	}
	for _, id := range g.Members {
		e := c.entry(id)
		c.clearDelay(e)
		if m, err := c.get(ctx, id); err == nil && m != nil {
			c.liftBrake(m)
		}
		if err := c.apply(ctx, e, protocol.MemberForgiven{At: c.opts.Now()}); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// pokeMembers has a group's members planned again, and the group look at them, if it offers them another
// value now.
func (c *Core) pokeMembers(e *entry, before, after *Account) {
	if before != nil && before.Offers() == after.Offers() && slices.Equal(before.Members, after.Members) {
		return
	}
	e.changes.Add(1)
	now := c.opts.Now()
	for _, id := range after.Members {
		c.scheduleAt(c.entry(id), protocol.StepNone, now)
	}
}

// pokeGroup asks for a look at a member's group, after the member's record changed.
func (c *Core) pokeGroup(a *Account) {
	if id, ok := a.Group(); ok {
		e := c.entry(id)
		e.changes.Add(1)
		c.scheduleAt(e, protocol.StepNone, c.opts.Now())
	}
}

// beginBatch makes a group's new value, which every member's rules allow, and records it.
func (c *Core) beginBatch(ctx context.Context, e *entry, g *Account, to session, replace bool) error {
	members, err := c.members(ctx, g)
	if err != nil {
		return err
	}
	if g.NoRoomForValue() {
		c.delay(e, g.TooManyPlaces())
		return nil
	}
	if len(members) == 0 {
		c.delay(e, fmt.Errorf("role %s has no instance", g.Role))
		return nil
	}
	value, err := c.sharedPassword(ctx, members, to)
	if err != nil {
		c.delay(e, err)
		return nil
	}
	id, err := c.opts.NewID()
	if err != nil {
		return err
	}
	if err := c.invite(ctx, members, protocol.MemberInvited{Role: g.Role, Batch: id}); err != nil {
		return err
	}
	c.clearDelay(e)
	return c.apply(ctx, e, protocol.BatchStarted{ID: id, Password: value, Replace: replace, At: c.opts.Now(), Place: to.Place})
}

// invite tells the members for which a batch is about to be made that they may be sent it. The others of the
// role, and who joins or comes back later, wait for the next one.
func (c *Core) invite(ctx context.Context, members []*Account, ev protocol.MemberInvited) error {
	for some := range slices.Chunk(members, inviters) {
		errs := make([]error, len(some))
		var wg sync.WaitGroup
		for i, m := range some {
			if _, err := protocol.Transition(m, ev); err != nil {
				continue
			}
			wg.Go(func() {
				c.opts.turn(ctx, m.ID)
				errs[i] = guard.Do(c.opts.Logger, "inviting account "+m.String(), func() error { return c.apply(ctx, c.entry(m.ID), ev) })
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// inviters is how many members are written to at once.
const inviters = 16

// SharedTries is how many values are made for accounts that share a password before the rules of their servers are
// called contradictory.
const SharedTries = 50

// sharedPassword makes a value that every member's rules allow.
func (c *Core) sharedPassword(ctx context.Context, members []*Account, to session) (string, error) {
	users := make([]password.User, len(members))
	for i, m := range members {
		users[i] = password.User{Host: m.InstanceID, Name: m.Username, Rules: to.Provider.PasswordRules(m.Facts.Instance(m.InstanceID))}
	}
	value, err := password.Fit(SharedTries, func() (string, error) { return c.newPassword(ctx, members[0], to) }, users)
	if misfit := (*password.MisfitError)(nil); errors.As(err, &misfit) {
		return "", fmt.Errorf("no password fits the rules of all instances (%w); set a password_policy that does, or split the role", misfit)
	}
	return value, err
}

// rollout looks at a group's members and decides what its worker is to do.
func (c *Core) rollout(ctx context.Context, g *Account, r cloud.PasswordResetter) (protocol.Rollout, error) {
	members, err := c.members(ctx, g)
	if err != nil {
		return protocol.Rollout{}, err
	}
	known := make([]protocol.GroupMember, len(members))
	stop, o := c.connection(g.Connection).brake.holds(c.opts.Now()), g.Offers()
	for i, m := range members {
		e, together := c.entry(m.ID), joint(r, m)
		e.mu.Lock()
		known[i] = protocol.GroupMember{Account: m, Joint: together, Held: e.delays > 0, HeldUntil: e.delayed.Until}
		if begins := m.Pending == nil || m.Pending.Batch != o.Batch; begins && !o.Forced {
			known[i].HeldUntil = protocol.Latest(known[i].HeldUntil, stop.Until) // rule 25
		}
		e.mu.Unlock()
	}
	return protocol.PlanRollout(g, known, c.opts.Now()), nil
}

// rollOut does what needs no cloud on the way of a group's members to its value: the batch, or for those that
// lag behind the current version.
func (c *Core) rollOut(ctx context.Context, e *entry, g *Account) error {
	changes := e.changes.Load() // before the look, so that a change during it is not lost
	now := c.opts.Now()
	e.looking(now)
	to, err := c.session(ctx, e.id.Connection)
	if err != nil {
		c.delay(e, err)
		return nil
	}
	if m := to.moved(now); m.Changes(g) {
		return c.relocate(ctx, e, m)
	}
	if to, err = to.with(g.Settings.ResetMethod); err != nil {
		c.delay(e, err)
		return nil
	}
	plan, err := c.rollout(ctx, g, to.reset)
	if err != nil {
		return err
	}
	if done, err := c.rollOutElsewhere(ctx, e, g, plan, to); done || err != nil {
		e.looked(changes, protocol.Rollout{Next: now.Add(protocol.RolloutInterval), Awaited: 1})
		return err
	}
	batch := g.Offers().Batch
	for _, m := range plan.Supersede {
		if err := c.apply(ctx, c.entry(m.ID), protocol.BatchSuperseded{Batch: batch}); err != nil {
			return err
		}
	}
	for _, m := range plan.LeaveOut {
		if err := c.apply(ctx, c.entry(m.ID), protocol.MemberLeftOut{At: now}); err != nil {
			return err
		}
		c.opts.Logger.Warn("the other accounts of the role do not wait for this one any more", "account", m.String(), "role", g.Role,
			"reason", m.WhyLeftOut().String())
	}
	e.looked(changes, plan)
	switch {
	case plan.Replace:
		return c.beginBatch(ctx, e, g, to, true)
	case plan.Agree:
		c.clearDelay(e)
		return c.apply(ctx, e, protocol.BatchConfirmed{Batch: batch, At: now})
	case plan.Due && g.Due == nil:
		return c.apply(ctx, e, protocol.RotationRequested{Reason: protocol.DueJoiner, At: now})
	}
	return nil
}

// looking notes the beginning of a look at a group's members.
func (e *entry) looking(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lastLook = now
}

// looked notes the end of a look at a group's members, as they were at that count of changes.
func (e *entry) looked(changes uint64, plan protocol.Rollout) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seenChanges, e.pollAt, e.together = changes, plan.Next, len(plan.Together) > 0
	if e.rec != nil && e.rec.Pending == nil && plan.Awaited == 0 {
		e.agreed.Store(changes)
	}
}

// nextLook is when a group's members are to be looked at; zero: when one of them changes. The caller holds e.mu.
func (e *entry) nextLook() time.Time {
	if e.seenChanges != e.changes.Load() {
		return e.lastLook.Add(protocol.RolloutInterval)
	}
	return e.pollAt
}

// sendTogether sends a group's value in one joint request to as many members as that takes.
func (c *Core) sendTogether(ctx context.Context, e *entry, g *Account, to session) error {
	plan, err := c.rollout(ctx, g, to.reset)
	if err != nil {
		return err
	}
	next := plan.Together
	if len(next) > 0 {
		next = sameReset(next, to.reset.ResetTraits().BatchSize)
	}
	o := g.Offers()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.together = len(next) < len(plan.Together)
		e.pollAt = c.opts.Now().Add(protocol.RolloutInterval) // some may be held back, which changes no record
	}()
	join := protocol.MemberJoined{Role: o.Role, Password: o.Password, Batch: o.Batch, Reason: o.Reason, Place: o.Place}
	return c.sendBatch(ctx, next, join, to)
}

// sendMember sends its group's value to one member, which has come to its turn in the connection's queue.
func (c *Core) sendMember(ctx context.Context, e *entry, rec *Account, group ID, to session) error {
	if joint(to.reset, rec) && rec.Backoff == nil {
		return nil // the connection was not known when this was planned
	}
	defer c.leaveTurn(e)
	if rec.CandidatesFull() {
		c.delay(e, rec.TooManyCandidates())
		return nil
	}
	operation, prepared, ok, err := c.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	g, err := c.get(ctx, group)
	if err != nil || g == nil {
		return err
	}
	o := g.Offers()
	if o.Batch == "" || rec.Standing(o.Batch) != protocol.IsReady {
		return nil // it is another value by now
	}
	t, err := c.newAttempt(operation, to)
	if err != nil {
		return err
	}
	next, err := c.update(ctx, e, protocol.MemberJoined{Role: o.Role, Password: o.Password, Batch: o.Batch, Reason: o.Reason, Place: o.Place,
		Attempt: t.Attempt})
	if errors.Is(err, protocol.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.send(ctx, e, next, t, prepared, to)
}

// sameReset takes the accounts that fit into one request with the first: same user, same force_stop, same
// platform.
func sameReset(members []*Account, size int) []*Account {
	var out []*Account
	for _, m := range members {
		if m.Username == members[0].Username && m.Settings.ForceStop == members[0].Settings.ForceStop &&
			m.Facts.Platform == members[0].Facts.Platform && len(out) < size {
			out = append(out, m)
		}
	}
	return out
}

// part is one account's share of a batch request.
type part struct {
	entry     *entry
	rec       *Account
	operation string // that the cloud shows before the request
	// prepared is for one instance: methods that need it take one a request (see sameReset).
	prepared string
	attempt  draft
}

// sendBatch looks at each account's instance, then records the value and an attempt in each account, and
// only then sends one request for those that were recorded. What is known of the request then is
// recorded in each of them. All looks come before the first record, since an attempt may not wait long.
func (c *Core) sendBatch(ctx context.Context, members []*Account, ev protocol.MemberJoined, to session) error {
	defer func() {
		for _, m := range members {
			c.leaveTurn(c.entry(m.ID))
		}
	}()
	parts := make([]*part, len(members))
	for i, m := range members {
		parts[i] = &part{entry: c.entry(m.ID), rec: m}
	}
	ready, failed := c.sideBySide(ctx, parts, func(p *part) (ok bool, err error) {
		p.operation, p.prepared, ok, err = c.ready(ctx, p.entry, p.rec, to)
		return ok, err
	})
	parts, err := c.sideBySide(ctx, ready, func(p *part) (bool, error) { return c.join(ctx, p, ev, to) })
	if err != nil {
		failed = err
	}
	if len(parts) == 0 {
		return failed
	}
	reset := resetOf(parts[0].rec, ev.Password, parts[0].prepared)
	reset.InstanceIDs = nil
	sendBy := parts[0].attempt.sendBy
	for _, p := range parts {
		reset.InstanceIDs = append(reset.InstanceIDs, p.rec.InstanceID)
		if p.attempt.sendBy.Before(sendBy) {
			sendBy = p.attempt.sendBy
		}
	}
	out := c.call(ctx, to, reset, sendBy)
	for _, p := range parts {
		if err := c.conclude(ctx, p.entry, p.rec, p.attempt.Attempt, out, len(parts) > 1, to); err != nil {
			failed = err
		}
	}
	return failed
}

// sideBySide does something for each part and returns those for which it says so, in the order of their
// instance ids, with an error if there was any.
func (c *Core) sideBySide(ctx context.Context, parts []*part, do func(*part) (bool, error)) ([]*part, error) {
	var mu sync.Mutex
	var kept []*part
	var failed error
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Go(func() {
			c.opts.turn(ctx, p.entry.id)
			ok, err := guard.Get(c.opts.Logger, "a step of account "+p.entry.id.String(), func() (bool, error) { return do(p) })
			mu.Lock()
			defer mu.Unlock()
			if ok {
				kept = append(kept, p)
			}
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	slices.SortFunc(kept, func(a, b *part) int { return strings.Compare(a.rec.InstanceID, b.rec.InstanceID) })
	return kept, failed
}

// join records the value and an attempt in one account. It does not where that is not to be sent now, as
// while the role's reset method is being changed and the account does not have the group's yet.
func (c *Core) join(ctx context.Context, p *part, ev protocol.MemberJoined, to session) (ok bool, err error) {
	if p.attempt, err = c.newAttempt(p.operation, to); err != nil {
		return false, err
	}
	ev.Attempt = p.attempt.Attempt
	rec, err := c.update(ctx, p.entry, ev)
	if errors.Is(err, protocol.ErrStale) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.rec = rec
	return true, nil
}
