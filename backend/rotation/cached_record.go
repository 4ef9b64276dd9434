package rotation

import (
	"sync"
	"sync/atomic"
	"time"
)

// cachedRecord is an account's record as this process knows it. mu guards every read-change-write of the record, and all fields
// but those that are atomic. It is held over storage, never over a cloud call. Atomic fields are for who must not wait for mu.
type cachedRecord struct {
	mu     sync.Mutex
	rec    *Account // nil: no such account
	loaded bool
	// dropped is set for good when the account was forgotten: another entry may stand for its id then.
	dropped bool
	// leased is whether reading the account needs a write.
	leased atomic.Bool
	// ownNext is the next scheduled rotation, if this process has stored it.
	ownNext time.Time
	notifier

	snapshot atomic.Pointer[Account] // the last record that was cached
	// located is the snapshot of the connection whose place the record has noted.
	located atomic.Pointer[Connection]
}

// cache makes a record the cached one. The caller holds mu.
func (r *cachedRecord) cache(a *Account) {
	r.rec, r.loaded = a, true
	r.snapshot.Store(a)
	r.leased.Store(a != nil && a.Settings.Mode == Leased)
}

// unload has the record read again before anything else is done with it. The caller holds mu.
func (r *cachedRecord) unload() { r.rec, r.loaded = nil, false }

// notifier wakes who waits for a change of a record. The record's lock guards it.
type notifier struct {
	changed chan struct{} // closed and replaced at a change; nil: nobody waits
}

// nextChange returns a channel that is closed at the record's next change.
func (n *notifier) nextChange() <-chan struct{} {
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}

// notify wakes the goroutines that wait for a change.
func (n *notifier) notify() {
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}
