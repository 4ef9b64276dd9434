package backend

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// lockRole locks a role for writing, and its connection for reading, if both are still as they were read: else
// ErrChanged.
func (b *backend) lockRole(ctx context.Context, name string, r *role, connection string, c *connection.Record) (unlock func(), err error) {
	unlockRole := b.roleLocks.Lock(name)
	unlockConnection := b.connections.RLock(connection)
	unlock = func() {
		unlockConnection()
		unlockRole()
	}
	role, err := b.roles.Get(ctx, name)
	if err != nil {
		unlock()
		return nil, err
	}
	conn, err := b.connections.Get(ctx, connection)
	if err != nil {
		unlock()
		return nil, err
	}
	if !store.Same(role, r) || !store.Same(conn, c) {
		unlock()
		return nil, store.ErrChanged
	}
	return unlock, nil
}
