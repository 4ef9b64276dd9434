package rotation

// Joint writes: what several clients want of one account at the same time goes into one write. An
// account's record is one storage entry, and it is held while it is written; so without this, sixteen
// readers of one account would wait for sixteen writes, and the end of its hundred leases for a hundred.
//
// Nothing of the protocol changes by it. Each client's change is made to the outcome of the one before
// it, as if they had been written one after the other, and each is answered only after the write that
// holds its change has succeeded (rules 11 and 13). If that write fails, or the node dies with it, all
// of them fail alike, whether it landed or not.

import (
	"context"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"slices"
	"sync"
)

// queuedEvent is one client's change that waits for the record.
type queuedEvent struct {
	ctx context.Context
	ev  protocol.Event

	// The rest belongs to whoever holds the entry.

	done bool     // another caller's write has held the change
	rec  *Account // the record right after the change
	err  error    // of the write
}

// eventQueue are the clients that wait in line for one record.
type eventQueue struct {
	mu      sync.Mutex
	waiting []*queuedEvent
}

// enqueue registers a change, before the caller waits for e.mu. Having got that, the caller asks
// included.
func (e *entry) enqueue(ctx context.Context, ev protocol.Event) *queuedEvent {
	j := &queuedEvent{ctx: ctx, ev: ev}
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	e.line.waiting = append(e.line.waiting, j)
	return j
}

// takeResult reports whether the change is written, or could not be, by another caller. If not, it leaves
// the line, and it is the caller's turn. The caller holds e.mu.
func (e *entry) takeResult(j *queuedEvent) bool {
	if j.done {
		return true
	}
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	e.line.waiting = slices.DeleteFunc(e.line.waiting, func(other *queuedEvent) bool { return other == j })
	return false
}

// updateCoalesced is update for a change that may share its write with those of other clients.
func (c *Core) updateCoalesced(ctx context.Context, e *entry, ev protocol.Event) error {
	j := e.enqueue(ctx, ev)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.takeResult(j) {
		return j.err
	}
	_, err := c.updateLocked(ctx, e, ev)
	return err
}

// coalesce makes the changes that wait in line to a record which is about to be written. A change that
// is refused, or needs no write, stays in line: its caller shall see to it. The caller holds e.mu.
func (c *Core) coalesce(e *entry, rec *Account) (*Account, []*queuedEvent) {
	if !c.isLocated(e) {
		return rec, nil // a reader has to see first whether the version fits the connection's place
	}
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	var joined, left []*queuedEvent
	for _, j := range e.line.waiting {
		if _, grants := j.ev.(protocol.VersionDisclosed); grants && j.ctx.Err() != nil {
			left = append(left, j) // nobody waits for the answer
			continue
		}
		next, err := protocol.Transition(rec, j.ev)
		if err != nil {
			left = append(left, j)
			continue
		}
		j.rec = next
		rec = next
		joined = append(joined, j)
	}
	e.line.waiting = left
	return rec, joined
}

// finish tells what became of a joint write. The caller holds e.mu.
func finish(joined []*queuedEvent, err error) {
	for _, j := range joined {
		j.done, j.err = true, err
		if err != nil {
			j.rec = nil
		}
	}
}
