package rotation

import (
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// maxBraked is how many accounts of a connection may be braked before it begins no new rotation (rule 25).
// One server may have a peculiarity; several speak of the cloud, or of what we take it for.
const maxBraked = 3

// stopInterval is how often a rotation that the connection's brake holds back is looked at again.
const stopInterval = 5 * time.Minute

// connectionBrake knows a connection's braked accounts.
type connectionBrake struct {
	mu     sync.Mutex
	braked map[ID]time.Time // and until when each is
	// lifted is set by an operator, or by a braked account that ends well, until the next pause begins.
	lifted bool
}

// note takes an account's record when it is read or changed, and reports whether the brake went on or off.
func (b *connectionBrake) note(before, after *Account) (on, changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, was := after.ID, b.on()
	until, known := b.braked[id]
	switch {
	case after.Braked():
		if b.braked == nil {
			b.braked = map[ID]time.Time{}
		}
		if !known || after.Pending.Brake.NotBefore.After(until) {
			b.lifted = false
		}
		b.braked[id] = after.Pending.Brake.NotBefore
	case known:
		delete(b.braked, id)
		if before != nil && after.LastVersion > before.LastVersion {
			b.lifted = true // the cloud shows outcomes again
		}
	}
	return b.on(), b.on() != was
}

// forget takes an account out that does not exist any more.
func (b *connectionBrake) forget(id ID) (on, changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.on()
	delete(b.braked, id)
	return b.on(), b.on() != was
}

// lift is an operator's word.
func (b *connectionBrake) lift() (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = b.on()
	b.lifted = true
	return changed
}

// on reports whether the connection begins no new rotation. The caller holds b.mu.
func (b *connectionBrake) on() bool { return len(b.braked) >= maxBraked && !b.lifted }

// state is how many accounts are braked, and whether the connection begins no new rotation.
func (b *connectionBrake) state() (accounts int, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.braked), b.on()
}

// holds is the wait of a rotation that has not begun.
func (b *connectionBrake) holds(now time.Time) protocol.Waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on() {
		return protocol.Waiting{}
	}
	w := protocol.Waiting{Until: now.Add(stopInterval), Cause: protocol.ForConnectionBrake}
	for _, until := range b.braked { // the first of them to try again may end it
		if until.After(now) && until.Before(w.Until) {
			w.Until = until
		}
	}
	return w
}
