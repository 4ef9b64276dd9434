package backend

import (
	"context"
	"errors"
	"reflect"
)

// A lock serves many names, and a cloud may take a minute to answer. So no lock is held while a cloud is asked:
// what is stored is read, the cloud is asked, and under the lock it is looked whether what is stored is the same.

// errMeanwhile is returned where it is not.
var errMeanwhile = errors.New("was changed by others while the cloud was asked")

// writeTries is how often a write asks the cloud anew where somebody else was faster.
const writeTries = 3

// same reports whether two entries hold the same; nil is no entry.
func same[T any](a, b *T) bool {
	return a == b || a != nil && b != nil && reflect.DeepEqual(a, b)
}

// lockRole locks a role for writing, and its connection for reading, if both are still as they were read: else
// errMeanwhile.
func (b *backend) lockRole(ctx context.Context, name string, r *role, connection string, c *connection) (unlock func(), err error) {
	unlockRole := lock(b.roleLocks, name)
	unlockConnection := readLock(b.connectionLocks, connection)
	unlock = func() {
		unlockConnection()
		unlockRole()
	}
	role, err := b.roles.get(ctx, name)
	if err != nil {
		unlock()
		return nil, err
	}
	conn, err := b.connections.get(ctx, connection)
	if err != nil {
		unlock()
		return nil, err
	}
	if !same(role, r) || !same(conn, c) {
		unlock()
		return nil, errMeanwhile
	}
	return unlock, nil
}
