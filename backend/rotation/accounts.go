package rotation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// accountStore has the records of accounts and groups: in storage, and those that were asked for in memory. One write holds one
// event, or the events of several clients. What follows from a record is for its planning to see to.
type accountStore struct {
	*env
	planning planning

	mu      sync.Mutex // of the fields below; nothing is waited for under it
	entries map[ID]*entry
	loading bool // not all records have been read since the start
}

// planning is told of records as they are read and written. All its methods wait for nothing, and are called while the entry is
// held.
type planning interface {
	// schedule has an account's next step planned by its record, which is loaded.
	schedule(e *entry)
	// scheduleAt plans a step by itself; StepNone only asks for a plan.
	scheduleAt(e *entry, st protocol.Step, at time.Time)
	unschedule(e *entry)
	// noted is told of a record that was read, written or deleted; before is the one that a write has replaced.
	noted(e *entry, before *Account)
	// offered is told of a group's record, noted then of an account's that was written.
	offered(e *entry, before, after *Account)
	memberChanged(a *Account)
	// isLocated reports whether the record has noted where the connection leads.
	isLocated(e *entry) bool
}

// entry returns the entry of an account, which exists once for an id.
func (s *accountStore) entry(id ID) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil {
		e = &entry{id: id}
		if id.IsGroup() {
			e.group = new(groupLook)
			e.group.changes.Store(1) // not looked at yet
		}
		s.entries[id] = e
	}
	return e
}

// inMemory returns an account that is in memory, or nil.
func (s *accountStore) inMemory(id ID) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[id]
}

// listed is what is in memory at this moment, in no order.
func (s *accountStore) listed() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.entries))
}

// cached are the records in memory that are wanted, in no order. Nothing is waited for.
func (s *accountStore) cached(wanted func(*Account) bool) []*Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*Account
	for _, e := range s.entries {
		if a := e.snapshot.Load(); a != nil && wanted(a) {
			found = append(found, a)
		}
	}
	return found
}

// setLoading notes whether records are still being read after a start.
func (s *accountStore) setLoading(loading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loading = loading
}

func (s *accountStore) isLoading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loading
}

// entriesOf is what is in memory of a connection's accounts, in no order.
func (s *accountStore) entriesOf(connection string) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []*entry
	for id, e := range s.entries {
		if id.Connection == connection {
			entries = append(entries, e)
		}
	}
	return entries
}

// drop frees the memory of an account that does not exist any more. Whoever still has the entry finds no account in it,
// for ever, and can write none: an account that is made of this id again has an entry of its own. The caller holds e.mu,
// and the binding's lock, without which nobody makes an account.
func (s *accountStore) drop(e *entry) {
	e.dropped = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.id] == e {
		delete(s.entries, e.id)
	}
}
