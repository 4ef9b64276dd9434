package rotation

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/logical"
)

var errSimStorage = errors.New("simulated storage failure")

// simDisk is what survives every crash. Values are never changed in place, neither by the core nor
// here, so they need not be copied.
type simDisk struct {
	mu   sync.Mutex
	m    map[string][]byte
	keys []string // sorted
	// parsed are the records that the checker has read; nobody changes these.
	parsed map[string]*Account
}

func newSimDisk() *simDisk {
	return &simDisk{m: map[string][]byte{}, parsed: map[string]*Account{}}
}

// raw returns a record as it is stored, or nil.
func (d *simDisk) raw(key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.m[key]
}

// set writes a record, or deletes it if value is nil.
func (d *simDisk) set(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, found := slices.BinarySearch(d.keys, key)
	if value != nil {
		d.m[key] = value
		delete(d.parsed, key)
		if !found {
			d.keys = slices.Insert(d.keys, i, key)
		}
		return
	}
	delete(d.m, key)
	delete(d.parsed, key)
	if found {
		d.keys = slices.Delete(d.keys, i, i+1)
	}
}

// list returns the names below a prefix, folders with a slash, as logical.Storage does.
func (d *simDisk) list(prefix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	i, _ := slices.BinarySearch(d.keys, prefix)
	for _, key := range d.keys[i:] {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			break
		}
		if i := strings.IndexByte(name, '/'); i >= 0 {
			name = name[:i+1]
		}
		if len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return out
}

// holds reports whether a record contains a password anywhere: as a version's, the pending's or a
// candidate's. It looks at the stored bytes, which is quick and trusts no decoder.
func (d *simDisk) holds(key, password string) bool {
	return bytes.Contains(d.raw(key), []byte(`"password":"`+password+`"`))
}

// record decodes an account's or a group's record; nil if there is none.
func (w *world) record(id ID) *Account {
	d, key := w.disk, accountKey(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.parsed[key]; a != nil {
		return a
	}
	raw := d.m[key]
	if raw == nil {
		return nil
	}
	a, err := protocol.DecodeAccount(raw)
	if err != nil {
		w.violation("I1", "record of %s: %v", id, err)
		return nil
	}
	d.parsed[key] = a
	return a
}

// simStorage is one node's view of the disk. A dead or deposed node cannot write.
type simStorage struct {
	n *simNode
}

var _ logical.Storage = simStorage{}

// List implements logical.Storage.
func (s simStorage) List(_ context.Context, prefix string) ([]string, error) {
	w := s.n.w
	if s.n.dead() || w.fault("storage list", prefix, w.odds().storage) {
		return nil, errSimStorage
	}
	return w.disk.list(prefix), nil
}

// Get implements logical.Storage.
func (s simStorage) Get(_ context.Context, key string) (*logical.StorageEntry, error) {
	w := s.n.w
	if s.n.dead() || w.fault("storage get", key, w.odds().storage) {
		return nil, errSimStorage
	}
	v := w.disk.raw(key)
	if v == nil {
		return nil, nil
	}
	return &logical.StorageEntry{Key: key, Value: v}, nil
}

// Put implements logical.Storage.
func (s simStorage) Put(_ context.Context, e *logical.StorageEntry) error {
	return s.write("put", e.Key, e.Value)
}

// Delete implements logical.Storage.
func (s simStorage) Delete(_ context.Context, key string) error {
	return s.write("delete", key, nil)
}

// write is a crash point: before and after it took effect. A failing write may have landed too.
func (s simStorage) write(what, key string, value []byte) error {
	w := s.n.w
	if s.n.dead() || s.n.deposed() {
		return errSimStorage
	}
	crash := w.point(what, key)
	if crash == crashBefore {
		s.n.die("before", what, key)
		return errSimStorage
	}
	if w.fault("storage lost", key, w.odds().storage) {
		w.tracef("node %d: %s %s fails", s.n.id, what, key)
		return errSimStorage
	}
	w.land(key, value)
	if crash == crashAfter {
		s.n.die("after", what, key)
		return errSimStorage
	}
	if w.fault("storage landed", key, w.odds().storage) {
		w.tracef("node %d: %s %s fails although it landed", s.n.id, what, key)
		return errSimStorage
	}
	return nil
}

// land changes the disk, and has the change checked.
func (w *world) land(key string, value []byte) {
	id, isAccount := idOfKey(key)
	var before *Account
	counted := isAccount && !w.faulty.Load()
	if isAccount {
		before = w.record(id)
	}
	w.disk.set(key, value)
	if isAccount {
		w.freesLanded(before, w.record(id))
		w.checkVerified(before, w.record(id))
		w.joinsLanded(id, w.record(id))
	}
	if !isAccount || id.IsGroup() {
		return
	}
	w.checkMoves(id, before, w.record(id))
	w.checkStored(id)
	if counted {
		w.countTicks(before, w.record(id))
		w.checkReread(before, w.record(id))
	}
}
