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

// has reports whether the member has confirmed a batch, and nothing else is under way.
func (a *Account) has(batch string) bool {
	cur := a.current()
	return cur != nil && cur.Batch == batch && a.Pending == nil
}

// pokeGroup asks for a look at a member's group, after the member's record changed.
func (c *Core) pokeGroup(a *Account) {
	if id, ok := a.group(); ok {
		e := c.entry(id)
		e.changes.Add(1)
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
	c.unhold(e)
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
	c.nextRoll(e, c.opts.Now().Add(rollInterval))
	value, batch, reason := "", "", DueManual
	switch {
	case g.Pending != nil:
		value, batch, reason = g.Pending.Password, g.Pending.Batch, g.Due.Reason
	case g.current() != nil:
		value, batch = g.current().Password, g.current().Batch
	}
	changes := e.changes.Load() // before the look, so that a change during it is not lost
	members, err := c.members(ctx, g)
	if err != nil {
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
				return err
			}
		case p != nil && p.Batch != batch && len(p.Attempts) > 0: // rule 9
		case len(m.OldUnresolved) > 0:
		case m.backsOff(now).After(now) || c.entry(m.ID).heldAt(now):
		case m.Backoff != nil:
			alone = append(alone, m)
		default:
			together = append(together, m)
		}
		waiting++
	}
	switch {
	case waiting == 0 && g.Pending == nil:
		e.agreed.Store(changes)
		return nil
	case waiting == 0 && len(members) > 0:
		c.unhold(e)
		return c.apply(ctx, e, agreed{batch: batch, at: now})
	case waiting == 0: // every instance is gone
		c.nextRoll(e, now.Add(time.Minute))
		return nil
	}
	if opens := g.Settings.opens(now); opens.After(now) && (g.Due == nil || !g.Due.Forced) {
		c.nextRoll(e, now.Add(min(opens.Sub(now), time.Minute))) // until then members only finish what has begun
		return nil
	}
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
		size := max(r.ResetTraits().BatchSize, 1)
		if prepares(r, next[0]) {
			size = 1
		}
		next = sameReset(next, size)
	}
	return c.sendBatch(ctx, next, joined{role: g.Role, password: value, batch: batch, reason: reason}, g.Settings.ResetMethod, n, live, r)
}

// nextRoll says when a group's members are looked at again.
func (c *Core) nextRoll(e *entry, at time.Time) {
	e.mu.Lock()
	e.pollAt = at
	e.mu.Unlock()
}

// heldAt reports whether the account is held back after a failure that left no trace in its record.
func (e *entry) heldAt(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.holdUntil.After(now)
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
func (c *Core) sendBatch(ctx context.Context, members []*Account, ev joined, method string, n *connection, live *Connection, r cloud.PasswordResetter) error {
	defer func() {
		for _, m := range members {
			c.flights.leave(c.entry(m.ID))
		}
	}()
	parts := make([]*part, len(members))
	for i, m := range members {
		parts[i] = &part{entry: c.entry(m.ID), rec: m}
	}
	ready, failed := c.sideBySide(ctx, parts, func(p *part) (ok bool, err error) {
		p.operation, p.prepared, ok, err = c.ready(ctx, p.entry, p.rec, n, live, r)
		return ok, err
	})
	parts, err := c.sideBySide(ctx, ready, func(p *part) (bool, error) { return c.join(ctx, p, ev, method, live) })
	if err != nil {
		failed = err
	}
	if len(parts) == 0 {
		return failed
	}
	reset := resetOf(parts[0].rec, ev.password, parts[0].prepared)
	reset.InstanceIDs = nil
	sendBy := parts[0].attempt.sendBy
	for _, p := range parts {
		reset.InstanceIDs = append(reset.InstanceIDs, p.rec.InstanceID)
		if p.attempt.sendBy.Before(sendBy) {
			sendBy = p.attempt.sendBy
		}
	}
	out := c.call(ctx, n, live, r, reset, sendBy)
	for _, p := range parts {
		if err := c.conclude(ctx, p.entry, p.rec, p.attempt.Attempt, out, len(parts) > 1, r); err != nil {
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
			ok, err := do(p)
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
func (c *Core) join(ctx context.Context, p *part, ev joined, method string, live *Connection) (ok bool, err error) {
	if p.attempt, err = c.newAttempt(method, p.operation, live); err != nil {
		return false, err
	}
	ev.attempt = p.attempt.Attempt
	rec, err := c.update(ctx, p.entry, ev)
	if errors.Is(err, errStale) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.rec = rec
	return true, nil
}
