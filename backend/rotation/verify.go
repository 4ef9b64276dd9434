package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Verify has the server of an account looked at, and returns the account's state after waiting for the check's end for up to
// wait. action is what to do if the server has another password; empty: what its role says.
func (c *Core) Verify(ctx context.Context, id ID, action protocol.DriftAction, wait time.Duration) (*View, error) {
	a, err := c.get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, noRecord(id)
	}
	if why := a.NotCheckable(); why != nil {
		return nil, why
	}
	if why := a.NotCheckableYet(c.clock.read().Earliest()); why != nil {
		return nil, why
	}
	e := c.entry(id)
	ev := protocol.CheckRequested{At: c.opts.Now(), Action: action, By: requester(ctx)}
	if _, err := c.update(ctx, e, ev); err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return nil, err
	}
	if wait > 0 {
		c.hurryOne(e)
	}
	deadline := time.Now().Add(wait)
	for {
		left := min(time.Until(deadline), until(ctx))
		goesOn := func(a *Account) bool { return !a.Checked().Asked.IsZero() && left > 0 && ctx.Err() == nil }
		view, changed, err := c.viewUnless(ctx, e, goesOn)
		if changed == nil {
			return view, err
		}
		_ = awaitChange(ctx, changed, left) // an ended context is looked at above
		c.opts.turn(ctx, e.id)
	}
}
