package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// rereads is how often entries that keep changing under the reader are read again for one question.
const rereads = 10

// index has the entries in memory. It begins empty and reads single entries as they are asked for; the first question about all of
// them reads the whole inventory, and from then on only what Vault says that another node has changed. A read of storage that a
// write overtakes is not remembered.
type index struct {
	storage logical.Storage
	log     func() hclog.Logger
	// loading is held by the one that reads many entries. It is a channel so that waiting ends with the request.
	loading chan struct{}

	mu       sync.RWMutex
	complete bool
	known    map[string]*Record
	broken   map[string]error    // entries that are there and cannot be decoded
	stale    map[string]struct{} // those to be read again; kept from the begin of the first load on
	// touched are the entries that changed since the reads of a load began; nil while none runs.
	touched map[string]struct{}
	changes uint64
	names   map[string][]string // living hosts by connection, sorted; nil: to be made
}

func newIndex(storage logical.Storage, log func() hclog.Logger) *index {
	return &index{storage: storage, log: log, loading: make(chan struct{}, 1), known: map[string]*Record{}, broken: map[string]error{},
		stale: map[string]struct{}{}}
}

// get returns an entry; nil if there is none.
func (x *index) get(ctx context.Context, name string) (*Record, error) {
	if !request.IsName(name) { // nothing is stored under it, and storage fails on ".."
		return nil, nil
	}
	x.mu.RLock()
	r, known := x.known[name]
	_, stale := x.stale[name]
	err, broken := x.broken[name]
	complete, changes := x.complete, x.changes
	x.mu.RUnlock()
	switch {
	case stale:
	case known:
		return r, nil
	case broken:
		return nil, err
	case complete:
		return nil, nil
	}
	r, err = x.read(ctx, name)
	if err != nil && !store.IsUnreadable(err) {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changes == changes {
		x.set(name, r, err)
	}
	return r, err
}

// read reads an entry from storage; nil if there is none.
func (x *index) read(ctx context.Context, name string) (*Record, error) {
	entry, err := x.storage.Get(ctx, Prefix+name)
	if err != nil {
		return nil, request.StorageError("read", Prefix+name, err)
	}
	if entry == nil {
		return nil, nil
	}
	r, err := decode(entry.Value)
	if err != nil {
		return nil, store.Unreadable(Prefix+name, err)
	}
	return r, nil
}

// set remembers what storage holds. The caller holds mu.
func (x *index) set(name string, r *Record, broken error) {
	delete(x.stale, name)
	delete(x.broken, name)
	old := x.known[name]
	switch {
	case broken != nil:
		delete(x.known, name)
		if x.complete || x.touched != nil {
			x.broken[name] = broken
		}
	case r == nil:
		delete(x.known, name)
	default:
		x.known[name] = r
	}
	if !sameListing(old, x.known[name]) {
		x.names = nil
	}
}

// sameListing reports whether lists have two entries of one name alike.
func sameListing(a, b *Record) bool {
	return a.living() == b.living() && (!a.living() || a.Connection == b.Connection)
}

// touch notes that an entry changed. The caller holds mu.
func (x *index) touch(name string) {
	x.changes++
	if x.touched != nil {
		x.touched[name] = struct{}{}
	}
}

// forget drops an entry, so that it is read again.
func (x *index) forget(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.touch(name)
	x.set(name, nil, nil)
	if x.complete || x.touched != nil {
		x.stale[name] = struct{}{}
	}
}

// put writes an entry and remembers it.
func (x *index) put(ctx context.Context, name string, r *Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s%s: %w", Prefix, name, err)
	}
	return x.written(name, r, "write", x.storage.Put(ctx, &logical.StorageEntry{Key: Prefix + name, Value: raw}))
}

// remove deletes an entry.
func (x *index) remove(ctx context.Context, name string) error {
	return x.written(name, nil, "delete", x.storage.Delete(ctx, Prefix+name))
}

// written remembers what a write has made of an entry; nil: deleted. A write that failed may have landed, so that the entry is read again
// then.
func (x *index) written(name string, r *Record, verb string, err error) error {
	if err != nil {
		x.forget(name)
		return request.StorageError(verb, Prefix+name, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.touch(name)
	x.set(name, r, nil)
	return nil
}

// load has all entries in memory when it returns without an error.
func (x *index) load(ctx context.Context) error {
	if x.isLoaded() {
		return nil
	}
	select {
	case x.loading <- struct{}{}:
		defer func() { <-x.loading }()
	case <-ctx.Done():
		return request.Unavailablef("the hosts are being read from storage; try again in a moment")
	}
	for range rereads {
		if x.isLoaded() {
			return nil
		}
		if err := x.readMissing(ctx); err != nil {
			return err
		}
	}
	return request.Unavailablef("the hosts are being changed faster than they can be read; try again in a moment")
}

func (x *index) isLoaded() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.complete && len(x.stale) == 0
}

// readMissing reads all entries for the first load, and those that are stale after it. The caller holds loading.
func (x *index) readMissing(ctx context.Context) error {
	x.mu.Lock()
	x.touched = map[string]struct{}{}
	complete, names := x.complete, slices.Collect(maps.Keys(x.stale))
	x.mu.Unlock()
	found, err := x.readMany(ctx, complete, names)
	x.mu.Lock()
	defer x.mu.Unlock()
	touched := x.touched
	if err != nil {
		x.touched = nil
		return err
	}
	if !complete {
		for name := range x.known {
			if _, is := found[name]; !is { // it was read by itself before, and is gone
				found[name] = readEntry{}
			}
		}
	}
	for name, of := range found {
		if _, changed := touched[name]; !changed {
			x.set(name, of.record, of.broken)
		}
	}
	x.complete, x.touched = true, nil
	return nil
}

// readEntry is what storage holds under a name; nothing: no entry.
type readEntry struct {
	record *Record
	broken error
}

// readMany reads the named entries, or all that there are.
func (x *index) readMany(ctx context.Context, named bool, names []string) (map[string]readEntry, error) {
	if !named {
		var err error
		if names, err = store.ListNames(ctx, x.storage, Prefix); err != nil {
			return nil, err
		}
	}
	entries := make([]readEntry, len(names))
	err := request.InParallel(x.log(), len(names), func(i int) error {
		r, err := x.read(ctx, names[i])
		if err != nil && !store.IsUnreadable(err) {
			return err
		}
		entries[i] = readEntry{r, err}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := make(map[string]readEntry, len(names))
	for i, name := range names {
		found[name] = entries[i]
	}
	return found, nil
}

// of calls with the living hosts of a connection, or of all for "", while nothing changes. load was called before.
func (x *index) of(connection string, with func(names []string, known map[string]*Record, broken map[string]error)) {
	x.mu.Lock()
	if x.names == nil {
		x.names = x.sorted()
	}
	x.mu.Unlock()
	x.mu.RLock()
	defer x.mu.RUnlock()
	names := x.names
	if names == nil { // changed between the two locks
		names = x.sorted()
	}
	with(names[connection], x.known, x.broken)
}

// sorted are the names of the living hosts by connection, and of all under "". The caller holds mu.
func (x *index) sorted() map[string][]string {
	names := map[string][]string{"": nil}
	for name, r := range x.known {
		if r.living() {
			names[r.Connection] = append(names[r.Connection], name)
			names[""] = append(names[""], name)
		}
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}
