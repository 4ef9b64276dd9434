package rotation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
)

// forgetAfter is after what time a connection forgets the accounts of servers that are gone; 0: never, or not known.
func (c *Core) forgetAfter(ctx context.Context, connection string) time.Duration {
	if to, err := c.connect(ctx, connection); err == nil {
		return to.ForgetGoneAfter
	}
	return 0
}

// GoneLong lists, by connection, the accounts whose servers have been gone for so long that they may be forgotten, those
// first that went first, as far as they are in memory. A role that an account is bound to is not looked at: it may have
// left the account behind, which its owner knows. Nothing is waited for.
func (c *Core) GoneLong(ctx context.Context) map[string][]ID {
	clock := c.clock.read()
	gone := c.cached(func(a *Account) bool { return !a.Gone.IsZero() })
	slices.SortFunc(gone, func(a, b *Account) int {
		if d := a.Gone.Compare(b.Gone); d != 0 {
			return d
		}
		return strings.Compare(a.String(), b.String())
	})
	after, found := map[string]time.Duration{}, map[string][]ID{}
	for _, a := range gone {
		d, known := after[a.Connection]
		if !known {
			d = c.forgetAfter(ctx, a.Connection)
			after[a.Connection] = d
		}
		free := *a
		free.Role = ""
		if at := free.ForgottenAt(d); !at.IsZero() && clock.Passed(at) {
			found[a.Connection] = append(found[a.Connection], a.ID)
		}
	}
	return found
}

// Forget forgets an account whose server has been gone for the time that its connection says, as Delete does, unless
// anything stands against that by now. place is the one that was asked whether the server exists again, and said that it
// does not. It reports whether the account is forgotten.
func (c *Core) Forget(ctx context.Context, id ID, place Place) (bool, error) {
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return false, err
	}
	key := bindingKey(a.Provider, id)
	claim := locksutil.LockForKey(c.bindings, key)
	claim.Lock()
	defer claim.Unlock()
	if err := c.finishMoves(ctx, key, id); err != nil {
		return false, err
	}
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return false, err
	}
	after := c.forgetAfter(ctx, id.Connection)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil || e.rec == nil {
		return false, err
	}
	at := e.rec.ForgottenAt(after)
	if at.IsZero() || !c.clock.read().Passed(at) || !place.Same(e.rec.Place) || c.occupied(e) {
		return false, nil
	}
	if err := c.erase(ctx, e, true); err != nil {
		return false, err
	}
	c.drop(e)
	return true, nil
}

// occupied reports whether a worker or a reader is in the middle of something with the account. The caller holds e.mu.
func (c *Core) occupied(e *entry) bool {
	return c.queues.Busy(e.id.Connection, &e.slot) || e.turn.sending.Load() || e.fetching != nil
}
