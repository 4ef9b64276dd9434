package rotation

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// checkClaim returns the marker unless another account holds it.
func (c *Core) checkClaim(ctx context.Context, b Binding) (binding, error) {
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), b.ID)
	if err != nil {
		return m, err
	}
	for _, key := range slices.Sorted(maps.Keys(m.Claims)) {
		claimed := m.Claims[key]
		username, realm := userOf(key)
		if claimed.Account == nil || *claimed.Account == b.ID || realm != b.Place.Realm() {
			continue
		}
		// A marker is written before its account: one without an account is the trace of a crash.
		holder, err := c.get(ctx, *claimed.Account)
		if err != nil {
			return m, err
		}
		if holder == nil {
			continue
		}
		claimed.Linux = holder.Facts.Platform == cloud.Linux // it may have become known since
		if !claimed.sameUser(username, b) {
			continue
		}
		if !(b.Connection == claimed.Account.Connection || b.Place.MayTell(holder.Place)) {
			return m, protocol.Errorf(Conflict,
				"user %s of instance %s is already another connection's, of which it is not known whether it is the same account of the cloud; "+
					"if it is, write both connections with verify_connection=true, so that the cloud tells it: then the account can be moved with all "+
					"its passwords; if not, and the server is this connection's, somebody with sudo may take it over: %s", b.Username,
				b.InstanceID, b.ClaimHint())
		}
		of := "no role"
		if holder.Role != "" {
			of = "role " + holder.Role
		}
		held := protocol.Errorf(Conflict, "user %s of instance %s is already account %s of %s; one account belongs to one role", b.Username,
			b.InstanceID, claimed.Account, of)
		held.Holder, held.HolderRole = claimed.Account, holder.Role
		return m, held
	}
	return m, nil
}

// claim takes the marker for the account, and returns whether that knew the initial password to be overwritten. The
// caller holds the binding's lock.
func (c *Core) claim(ctx context.Context, b Binding) (overwritten bool, err error) {
	m, err := c.checkClaim(ctx, b)
	if err != nil {
		return false, err
	}
	overwritten = m.initialOverwritten(b)
	id := b.ID
	own := m.Claims[b.claimKey()]
	if own.Account != nil && *own.Account == id && own.Linux == b.linux() {
		return overwritten, nil
	}
	m.set(b.claimKey(), claim{Account: &id, Linux: b.linux(), InitialOverwritten: overwritten, Left: own.Left})
	return overwritten, saveBinding(ctx, c.opts.Storage, b.key(), id, m)
}

// bury leaves a tombstone in the place of an account that is about to be deleted. The caller holds the
// binding's lock.
func (c *Core) bury(ctx context.Context, a *Account) error {
	b := bindingOf(a)
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), a.ID)
	if err != nil {
		return err
	}
	var own []string
	for key, held := range m.Claims {
		if held.Account != nil && *held.Account == a.ID {
			own = append(own, key)
		}
	}
	if len(own) == 0 {
		if held := m.Claims[b.claimKey()]; held.Account != nil {
			return nil // another account's by now
		}
		own = []string{b.claimKey()}
	}
	for _, key := range own {
		left := m.Claims[key]
		left.leave(a)
		m.set(key, left)
	}
	return saveBinding(ctx, c.opts.Storage, b.key(), a.ID, m)
}

// TakeOver frees, on an operator's word, a user of an instance that another connection's account holds, so that a role
// of b's connection may be bound to it. It returns how many accounts have lost their role by that.
func (c *Core) TakeOver(ctx context.Context, b Binding) (n int, err error) {
	lock := locksutil.LockForKey(c.bindings, b.key())
	lock.Lock()
	defer lock.Unlock()
	if err := c.finishMoves(ctx, b.key(), b.ID); err != nil {
		return 0, err
	}
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), b.ID)
	if err != nil {
		return 0, err
	}
	for _, key := range slices.Sorted(maps.Keys(m.Claims)) {
		held := m.Claims[key]
		username, realm := userOf(key)
		if held.Account == nil || *held.Account == b.ID || realm != b.Place.Realm() || !held.sameUser(username, b) {
			continue
		}
		holder, err := c.get(ctx, *held.Account)
		if err != nil {
			return n, err
		}
		if err := c.loseRole(ctx, holder); err != nil {
			return n, err
		}
		if holder != nil {
			held.leave(holder)
		}
		held.Account = nil
		m.set(key, held)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, saveBinding(ctx, c.opts.Storage, b.key(), b.ID, m)
}

// loseRole takes an account out of its role, and out of its group.
func (c *Core) loseRole(ctx context.Context, a *Account) error {
	switch {
	case a == nil || a.Role == "":
		return nil
	case a.Settings.SharedPassword:
		return c.leave(ctx, a.Role, a.ID)
	}
	return c.Unbind(ctx, a.ID, a.Role)
}

// initialOverwritten reports whether the initial password of an account is known to be overwritten at the place that it has
// noted, whoever left that.
func (c *Core) initialOverwritten(ctx context.Context, a *Account) (bool, error) {
	b := bindingOf(a)
	m, err := loadBinding(ctx, c.opts.Storage, b.key(), a.ID)
	return m.initialOverwritten(b), err
}
