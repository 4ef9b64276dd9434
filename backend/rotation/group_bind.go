package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

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
	next, err := protocol.Transition(base, protocol.GroupBound{Role: role, Settings: s, Members: members, At: c.opts.Now()})
	switch {
	case errors.Is(err, protocol.ErrNoChange):
	case err != nil:
		return err
	default:
		if err := c.put(ctx, e, next); err != nil {
			return err
		}
	}
	e.group.changes.Add(1)
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
	return c.remove(ctx, e)
}
