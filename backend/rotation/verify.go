package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// VerifyAll is Verify for all accounts of a connection that match; it waits for none. It returns how many are to be checked, and
// how many cannot be.
func (c *Core) VerifyAll(ctx context.Context, connection, role string, action protocol.DriftAction) (asked, not int, err error) {
	var ids []ID
	err = c.each(ctx, connection+"/", func(a *Account) {
		switch {
		case role != "" && a.Role != role, !a.Gone.IsZero():
		case a.NotCheckable() != nil:
			not++
		default:
			ids = append(ids, a.ID)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	slices.SortFunc(ids, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range ids {
		if _, err := c.Verify(ctx, id, action, 0); err != nil {
			if isNoRecord(err) {
				continue
			}
			return asked, not, err
		}
		asked++
	}
	return asked, not, nil
}
