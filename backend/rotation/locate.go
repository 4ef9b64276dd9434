package rotation

import (
	"context"
	"errors"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"slices"
	"time"
)

// moved is what an account is to note of a connection.
func (v *Connection) moved(at time.Time) *protocol.PlaceChanged {
	return &protocol.PlaceChanged{Place: v.Place, Trusted: v.Trusted, Doubted: v.Doubted, At: at}
}

// locate notes in an account's record where its connection leads now, if that has changed. It asks no cloud. A
// connection that cannot be used leads nowhere, so that what was noted last holds. The caller does not hold e.mu.
func (c *Core) locate(ctx context.Context, e *entry) error {
	_, live, err := c.connect(ctx, e.id.Connection)
	if err != nil || e.located.Load() == live {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.noteLocked(ctx, e, live)
}

// isLocated reports whether the record has noted where the connection leads, as far as that is known.
func (c *Core) isLocated(e *entry) bool {
	live := c.connection(e.id.Connection).connected()
	return live == nil || live == e.located.Load()
}

// asLocated is the record as it will be once it has noted where the connection leads; live is nil where that is not
// known. The caller holds e.mu.
func (c *Core) asLocated(e *entry, live *Connection) *Account {
	if live == nil {
		return e.rec
	}
	next, err := protocol.Transition(e.rec, *live.moved(c.opts.Now()))
	if err != nil {
		return e.rec
	}
	return next
}

// noteLocked is locate for a caller who holds e.mu.
func (c *Core) noteLocked(ctx context.Context, e *entry, live *Connection) error {
	if err := c.load(ctx, e); err != nil || e.rec == nil {
		return err
	}
	m := live.moved(c.opts.Now())
	if m.Changes(e.rec) {
		if !m.Place.Same(e.rec.Place) {
			e.missedSince = time.Time{} // what another place did not know counts for nothing here
		}
		if _, err := c.updateLocked(ctx, e, *m); err != nil && !errors.Is(err, protocol.ErrNoChange) {
			return err
		}
	}
	e.located.Store(live)
	return nil
}

// relocate is the worker's locate.
func (c *Core) relocate(ctx context.Context, e *entry, m *protocol.PlaceChanged) error {
	e.mu.Lock()
	if e.rec != nil && !m.Place.Same(e.rec.Place) {
		e.missedSince = time.Time{}
		c.opts.Logger.Info("the account's connection leads to another place", "account", e.id.String(), "place", string(m.Place), "before",
			string(e.rec.Place))
	}
	e.mu.Unlock()
	return c.apply(ctx, e, *m)
}

// Connected returns a snapshot of a connection: its provider, whose calls wait for the connection's limiter like
// the core's own, and the place to which these go.
func (c *Core) Connected(ctx context.Context, name string) (*Connection, error) {
	_, live, err := c.connect(ctx, name)
	return live, err
}

// rollOutElsewhere sees to a group's value that was made for another place than the connection has now (rule 18): it
// is given up once no member has an open attempt of it, and who lacks it is not given it. done is set where there
// is nothing else to do.
func (c *Core) rollOutElsewhere(ctx context.Context, e *entry, g *Account, plan protocol.Rollout, to session) (done bool, err error) {
	now := c.opts.Now()
	switch {
	case plan.Agree:
		return false, nil
	case g.Pending == nil && g.CurrentElsewhere() && plan.Awaited > 0 && g.Due == nil:
		return true, c.apply(ctx, e, protocol.RotationRequested{Reason: protocol.DuePlace, At: now})
	case g.Pending == nil || !g.Misplaced():
		return false, nil
	}
	members, err := c.members(ctx, g)
	if err != nil {
		return true, err
	}
	for _, m := range members {
		if p := m.Pending; p != nil && p.Batch == g.Pending.Batch && len(p.Attempts) > 0 {
			return true, nil // the connection may come back before that is settled
		}
	}
	if opens := g.Timetable().NextAllowed(now); opens.After(now) && (g.Due == nil || !g.Due.Forced) {
		return true, nil
	}
	return true, c.beginBatch(ctx, e, g, to, true)
}

// Unproven counts the accounts of a connection that would not trust what a place says about existing servers.
func (c *Core) Unproven(ctx context.Context, connection string, place Place, trusted, doubted bool) (n int, err error) {
	m := protocol.PlaceChanged{Place: place, Trusted: trusted, Doubted: doubted}
	err = c.each(ctx, connection+"/", func(a *Account) {
		next, err := protocol.Transition(a, m)
		if err != nil { // it would change nothing
			next = a
		}
		if a.Place != "" && !next.TrustsHere() {
			n++
		}
	})
	return n, err
}

// PlaceUse says what the accounts of a connection remember of a place.
type PlaceUse struct {
	Place Place
	// Current is set for the place where the connection leads.
	Current bool
	// Accounts have a password of the place, Trusting trust its word about existing servers.
	Accounts, Trusting int
}

// Places lists the places that the accounts of a connection remember, that where it leads first.
func (c *Core) Places(ctx context.Context, connection string, here Place) ([]PlaceUse, error) {
	uses := []PlaceUse{{Place: here, Current: true}}
	err := c.each(ctx, connection+"/", func(a *Account) {
		has := a.Places()
		for _, v := range a.PlaceViews() {
			i := slices.IndexFunc(uses, func(u PlaceUse) bool { return u.Place.Same(v.Place) })
			if i < 0 {
				uses = append(uses, PlaceUse{Place: v.Place})
				i = len(uses) - 1
			}
			if slices.ContainsFunc(has, v.Place.Same) {
				uses[i].Accounts++
			}
			if a.Trusts(v.Place) {
				uses[i].Trusting++
			}
		}
	})
	return uses, err
}

// ForgetPlace has the accounts of a connection forget a place, on an operator's word that it does not exist any
// more, and returns how many did.
func (c *Core) ForgetPlace(ctx context.Context, connection string, place Place) (n int, err error) {
	forget := func(id ID) error {
		e := c.entry(id)
		if err := c.locate(ctx, e); err != nil {
			return err
		}
		_, err := c.update(ctx, e, protocol.PlaceForgotten{Place: place, At: c.opts.Now()})
		if errors.Is(err, protocol.ErrNoChange) || isNotFound(err) {
			return nil
		}
		if err == nil {
			n++
		}
		return err
	}
	if err := c.walk(ctx, connection+"/", forget); err != nil {
		return n, err
	}
	roles, err := c.opts.Storage.List(ctx, GroupPrefix+connection+"/")
	if err != nil {
		return n, &Error{Kind: Unavailable, Message: hint.Plain("storage failed while listing groups"), Err: err}
	}
	for _, role := range roles {
		if err := forget(GroupID(connection, role)); err != nil {
			return n, err
		}
	}
	return n, nil
}
