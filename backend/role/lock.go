package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// lockUnchanged locks a role for writing, and its connection for reading, if both are still as they were read: else
// ErrChanged.
func (s *Store) lockUnchanged(ctx context.Context, name string, r *Record, connection string, c *connection.Record) (unlock func(),
	err error) {
	unlockRole := s.Lock(name)
	unlockConnection := s.Connections.RLock(connection)
	unlock = func() {
		unlockConnection()
		unlockRole()
	}
	role, err := s.Get(ctx, name)
	if err != nil {
		unlock()
		return nil, err
	}
	conn, err := s.Connections.Get(ctx, connection)
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
