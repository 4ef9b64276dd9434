package rotation

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

var errSimStorage = errors.New("simulated storage failure")

// simDisk is what survives every crash.
type simDisk struct {
	mu sync.Mutex
	m  map[string][]byte
	// parsed are the records as the checker reads them; nobody changes these.
	parsed map[string]*Account
}

// simStorage is one node's view of the disk. A dead or deposed node cannot write.
type simStorage struct {
	n *simNode
}

var _ logical.Storage = simStorage{}

func (s simStorage) List(_ context.Context, prefix string) ([]string, error) {
	if s.n.dead() {
		return nil, errSimStorage
	}
	d := s.n.w.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[string]bool{}
	var out []string
	for k := range d.m {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			rest = rest[:i+1]
		}
		if !seen[rest] {
			seen[rest] = true
			out = append(out, rest)
		}
	}
	sort.Strings(out)
	return out, nil
}

func (s simStorage) Get(_ context.Context, key string) (*logical.StorageEntry, error) {
	if s.n.dead() || s.n.w.fault("storage get "+key, s.n.w.odds.storage) {
		return nil, errSimStorage
	}
	d := s.n.w.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.m[key]
	if !ok {
		return nil, nil
	}
	return &logical.StorageEntry{Key: key, Value: append([]byte(nil), v...)}, nil
}

func (s simStorage) Put(_ context.Context, e *logical.StorageEntry) error {
	return s.write("put "+e.Key, func(d *simDisk) { d.m[e.Key] = append([]byte(nil), e.Value...) })
}

func (s simStorage) Delete(_ context.Context, key string) error {
	return s.write("delete "+key, func(d *simDisk) { delete(d.m, key) })
}

// write is a crash point: before and after it took effect. A failing write may have landed too.
func (s simStorage) write(what string, change func(*simDisk)) error {
	w := s.n.w
	if s.n.dead() || s.n.deposed() {
		return errSimStorage
	}
	crash := w.point(s.n, what)
	if crash == crashBefore {
		s.n.die("before " + what)
		return errSimStorage
	}
	if w.fault("storage lost "+what, w.odds.storage) {
		w.tracef("node %d: %s fails", s.n.id, what)
		return errSimStorage
	}
	w.disk.mu.Lock()
	change(w.disk)
	clear(w.disk.parsed)
	w.disk.mu.Unlock()
	w.checkStored()
	if crash == crashAfter {
		s.n.die("after " + what)
		return errSimStorage
	}
	if w.fault("storage landed "+what, w.odds.storage) {
		w.tracef("node %d: %s fails although it landed", s.n.id, what)
		return errSimStorage
	}
	return nil
}
