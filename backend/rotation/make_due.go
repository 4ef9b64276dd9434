package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Rotate makes an account due on an operator's word and returns its state, after waiting for the
// rotation's end for up to wait. An account that nothing can reset is a Conflict.
func (c *Core) Rotate(ctx context.Context, id ID, wait time.Duration) (*View, error) {
	return c.makeDue(ctx, id, protocol.DueManual, wait)
}

// RotateNew makes a static account due because its role was written: it has no version yet that
// Vault made.
func (c *Core) RotateNew(ctx context.Context, id ID) error {
	a, err := c.get(ctx, id)
	if err != nil {
		return err
	}
	reason := protocol.DueFirst
	if a != nil && a.Current() != nil {
		reason = protocol.DueImport
	}
	_, err = c.makeDue(ctx, id, reason, 0)
	return err
}

func (c *Core) makeDue(ctx context.Context, id ID, reason protocol.Reason, wait time.Duration) (*View, error) {
	a, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	} else if a == nil {
		return nil, noRecord(id)
	}
	if reason.IsWord() && id.IsGroup() {
		if err := c.forgive(ctx, id); err != nil {
			return nil, err
		}
	}
	e := c.entry(id)
	before, err := c.request(ctx, e, reason)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		c.hurry(e)
	}
	return c.awaitRotation(ctx, e, before, wait)
}

// request makes an account due, and returns the number of its last version before that.
func (c *Core) request(ctx context.Context, e *entry, reason protocol.Reason) (before int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return 0, err
	}
	return c.requestLocked(ctx, e, reason, mustFollow(e.rec, reason))
}

// mustFollow reports whether a value on its way has to be replaced as well: it may have been given to the same reader.
func mustFollow(a *Account, reason protocol.Reason) bool {
	return a != nil && reason == protocol.DueReader && a.Pending != nil && !a.Pending.Disclosed.IsZero()
}

// requestLocked is request for who holds e.mu and has loaded the record. again says that a value on its way is to be replaced
// as well.
func (c *Core) requestLocked(ctx context.Context, e *entry, reason protocol.Reason, again bool) (before int, err error) {
	switch {
	case e.rec == nil:
		return 0, noRecord(e.id)
	case reason.IsWord() && e.rec.Role != "" && e.rec.Settings.SharedPassword && !e.id.IsGroup():
		return 0, protocol.Errorf(Conflict, "account %s shares its password with the others of role %s; rotate the role as a whole", e.id,
			e.rec.Role)
	case !e.rec.Settings.CanReset:
		return 0, cannotReset(e.rec)
	}
	asked := reason.IsWord()
	if len(e.rec.Versions) == 0 {
		reason = protocol.DueFirst
	}
	if asked {
		e.delay.clear()
		c.liftBrake(e.rec)
	}
	rec, err := c.updateLocked(ctx, e, protocol.RotationRequested{Reason: reason, Forced: asked, By: requester(ctx), At: c.opts.Now(),
		Again: again})
	switch {
	case errors.Is(err, protocol.ErrNoChange):
		c.schedule(e) // it may have been held back
	case err != nil:
		return 0, err
	}
	return rec.LastVersion, nil
}

// cannotReset says that nothing can set a password of an account.
func cannotReset(a *Account) error {
	if a.Settings.Source == FromImport {
		return protocol.Errorf(Conflict, "account %s cannot be rotated: people set the passwords of role %s (source=%s); change it inside the "+
			"server, then record it: %s", a.ID, a.Role, FromImport, a.ImportHint())
	}
	return protocol.Errorf(Conflict, "account %s cannot be rotated: its role has no reset_method, or provider %s cannot reset "+
		"passwords; change it inside the server, then record it: %s", a.ID, a.Provider, a.ImportHint())
}

// awaitRotation returns an account's state once it has another version than before, is not due any more, or was waited for.
func (c *Core) awaitRotation(ctx context.Context, e *entry, before int, wait time.Duration) (*View, error) {
	for deadline := time.Now().Add(wait); ; {
		left := min(time.Until(deadline), until(ctx))
		goesOn := func(a *Account) bool {
			return a.LastVersion == before && a.Due != nil && left > 0 && ctx.Err() == nil
		}
		view, changed, err := c.viewUnless(ctx, e, goesOn)
		if changed == nil {
			return view, err
		}
		_ = awaitChange(ctx, changed, left) // an ended context is looked at above
		c.opts.turn(ctx, e.id)
	}
}

// viewUnless returns an account's state, unless that is to be waited for; then, what is closed at its next change.
func (c *Core) viewUnless(ctx context.Context, e *entry, goesOn func(*Account) bool) (*View, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, nil, err
	}
	switch {
	case e.rec == nil:
		return nil, nil, protocol.Errorf(NoRecord, "account %s was deleted meanwhile", e.id)
	case goesOn(e.rec):
		return nil, e.nextChange(), nil
	}
	return c.view(e), nil, nil
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
		if err := c.apply(ctx, e, protocol.MemberForgiven{At: c.opts.Now()}); err != nil && !isNoRecord(err) {
			return err
		}
	}
	return nil
}

// liftBrake lets the connection of a braked account begin rotations again, on an operator's word for that.
func (c *Core) liftBrake(a *Account) {
	if n := c.connection(a.Connection); a.Braked() && n.brake.lift() {
		c.resume(n)
	}
}
