package rotation

import (
	"context"
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Unbind takes an account from a role that was deleted or does not map to it any more. Its leases go
// on to their end, which still rotates it.
func (c *Core) Unbind(ctx context.Context, id ID, role string) error {
	_, err := c.update(ctx, c.entry(id), protocol.RoleUnbound{Role: role})
	if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
		return nil
	}
	return err
}

// leave takes one account out of its group.
func (c *Core) leave(ctx context.Context, role string, id ID) error {
	_, err := c.update(ctx, c.entry(id), protocol.MemberLeft{Role: role, At: c.opts.Now()})
	if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
		return nil
	}
	return err
}
