package rotation

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Bind makes the account if there is none, or updates its settings and facts. An account that
// belongs to another role, or whose instance and user name another connection already serves, is a
// Conflict. It asks for no rotation.
func (c *Core) Bind(ctx context.Context, b Binding) (*View, error) {
	claim := locksutil.LockForKey(c.bindings, b.key())
	claim.Lock()
	defer claim.Unlock()
	overwritten, err := c.claim(ctx, b)
	if err != nil {
		return nil, err
	}
	e := c.entry(b.ID)
	if err := c.locate(ctx, e); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, err
	}
	now := c.opts.Now()
	b.Facts.Place = b.Place
	ev := protocol.RoleBound{Role: b.Role, Settings: b.Settings, Facts: b.Facts, At: now}
	base := e.rec
	if base == nil {
		base = &Account{ID: b.ID, Provider: b.Provider, InitialOverwritten: overwritten}
		if b.Place != "" {
			base.Place, base.Trusted = b.Place, []Place{b.Place}
		}
	}
	next, err := protocol.Transition(base, ev)
	switch {
	case errors.Is(err, protocol.ErrNoChange):
		return c.view(e), nil
	case err != nil:
		return nil, err
	}
	if err := c.put(ctx, e, next); err != nil {
		return nil, err
	}
	c.schedule(e)
	return c.view(e), nil
}

// CheckBinding reports the Conflict that Bind would meet, and changes nothing.
func (c *Core) CheckBinding(ctx context.Context, b Binding) error {
	if _, err := c.checkClaim(ctx, b); err != nil {
		return err
	}
	a, err := c.get(ctx, b.ID)
	if err != nil || a == nil {
		return err
	}
	_, err = protocol.Transition(a, protocol.RoleBound{Role: b.Role, Settings: b.Settings, Facts: b.Facts, At: c.opts.Now()})
	if errors.Is(err, protocol.ErrNoChange) {
		return nil
	}
	return err
}

// Move records an operator's word that an account may move to a role. The role that it has keeps it until
// that one is bound to it; the word for the role that it has, or had last, takes back an earlier one.
func (c *Core) Move(ctx context.Context, id ID, role string) (*View, error) {
	if a, err := c.get(ctx, id); err != nil {
		return nil, err
	} else if a == nil {
		return nil, noRecord(id)
	}
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := c.updateLocked(ctx, e, protocol.MoveAllowed{Role: role}); err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return nil, err
	}
	return c.view(e), nil
}

// Describe refreshes an account's facts, if there is such an account.
func (c *Core) Describe(ctx context.Context, id ID, facts Facts) error {
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return err
	}
	_, err := c.update(ctx, e, protocol.InstanceDescribed{Facts: facts, At: c.opts.Now()})
	if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
		return nil
	}
	return err
}

// Retire notes that an account's instance does not exist any more, as somebody has found who looked for
// it, if there is such an account.
// place is which one it asked: one that is not trusted retires nothing.
func (c *Core) Retire(ctx context.Context, id ID, place Place) error {
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return err
	}
	_, err := c.update(ctx, e, protocol.InstanceGone{At: c.opts.Now(), Place: place})
	if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
		return nil
	}
	return err
}

// Adjust gives an account other settings of the role that it is bound to. Unlike Bind it needs no look at the
// instance, makes no account and takes none from another role.
func (c *Core) Adjust(ctx context.Context, id ID, role string, settings Settings) (*View, error) {
	_, err := c.update(ctx, c.entry(id), protocol.SettingsChanged{Role: role, Settings: settings, At: c.opts.Now()})
	if err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return nil, err
	}
	return c.Inspect(ctx, id)
}
