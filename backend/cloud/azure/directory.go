package azure

import (
	"strings"
	"sync"
	"time"
)

// relist is how long a listing of the virtual machines serves to say that there is none of an id.
const relist = time.Minute

// known is what is remembered of a virtual machine: ARM has no way to ask for one by its vmId.
type known struct {
	vm
	// address is its private one, or "".
	address string
}

// directory remembers where virtual machines are, by vmId.
type directory struct {
	turn chan struct{} // holds one element while a listing for a miss runs

	mu      sync.Mutex
	entries map[string]known
	// listed is when the listing began that the entries are of; zero: there was none.
	listed time.Time
	// deniedAt is when the cloud last refused the list of network interfaces.
	deniedAt time.Time
}

func newDirectory() *directory {
	return &directory{turn: make(chan struct{}, 1), entries: map[string]known{}}
}

// get is the entry of a vmId.
func (d *directory) get(id string) (known, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, ok := d.entries[id]
	return entry, ok
}

// listedSince reports whether the entries are of a listing that began at a moment or later.
func (d *directory) listedSince(moment time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.listed.IsZero() && !d.listed.Before(moment)
}

// put remembers one machine.
func (d *directory) put(entry known) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries[entry.id] = entry
}

// drop forgets a machine that is not where it was. One that has been found elsewhere meanwhile stays.
func (d *directory) drop(v vm) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if entry, ok := d.entries[v.id]; ok && strings.EqualFold(entry.path, v.path) {
		delete(d.entries, v.id)
	}
}

// replace takes a complete listing that began at a moment, unless there is one of a later moment.
func (d *directory) replace(entries map[string]known, began time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if began.Before(d.listed) {
		return
	}
	d.entries, d.listed = entries, began
}

// interfacesDenied notes that the cloud does not show network interfaces to these credentials.
func (d *directory) interfacesDenied(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deniedAt = now
}

// mayListInterfaces reports whether it is worth asking for network interfaces.
func (d *directory) mayListInterfaces(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.deniedAt.IsZero() || now.Sub(d.deniedAt) >= askDeniedAgain
}

// askDeniedAgain is how long a list that the cloud has refused is not asked for.
const askDeniedAgain = time.Hour
