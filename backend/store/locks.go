package store

import "github.com/hashicorp/vault/sdk/helper/locksutil"

// Locks have a lock for each name. A lock serves many names: who holds one may wait for no other without an
// order of both.
type Locks []*locksutil.LockEntry

// NewLocks makes locks that nobody holds.
func NewLocks() Locks { return locksutil.CreateLocks() }

// Lock locks the name for writing and returns what unlocks it.
func (l Locks) Lock(name string) (unlock func()) {
	entry := locksutil.LockForKey(l, name)
	entry.Lock()
	return entry.Unlock
}

// RLock locks the name for reading and returns what unlocks it.
func (l Locks) RLock(name string) (unlock func()) {
	entry := locksutil.LockForKey(l, name)
	entry.RLock()
	return entry.RUnlock
}

// TryLock is Lock where nobody holds the lock; else it returns nil.
func (l Locks) TryLock(name string) (unlock func()) {
	entry := locksutil.LockForKey(l, name)
	if !entry.TryLock() {
		return nil
	}
	return entry.Unlock
}

// Shared reports whether two names share a lock.
func (l Locks) Shared(a, b string) bool {
	return locksutil.LockForKey(l, a) == locksutil.LockForKey(l, b)
}
