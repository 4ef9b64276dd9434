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
	"slices"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// queuedEvent is one client's change that waits for the record.
type queuedEvent struct {
	ctx context.Context
	ev  protocol.Event

	// The rest belongs to whoever holds the record.

	done bool     // another caller's write has held the change
	rec  *Account // the record right after the change
	err  error    // of the write
}

// eventQueue are the clients that wait in line for one record. It has a lock of its own, which nobody waits under; results are
// guarded by the lock of the record.
type eventQueue struct {
	mu      sync.Mutex
	waiting []*queuedEvent
}

// enqueue registers a change, before the caller waits for the record. Having got that, the caller asks
// takeResult.
func (q *eventQueue) enqueue(ctx context.Context, ev protocol.Event) *queuedEvent {
	j := &queuedEvent{ctx: ctx, ev: ev}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, j)
	return j
}

// takeResult reports whether the change is written, or could not be, by another caller. If not, it leaves
// the line, and it is the caller's turn. The caller holds the record.
func (q *eventQueue) takeResult(j *queuedEvent) bool {
	if j.done {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(other *queuedEvent) bool { return other == j })
	return false
}

// coalesce makes the changes that wait in line to a record which is about to be written. A change that
// is refused, or needs no write, stays in line: its caller handles it. The caller holds the record.
func (q *eventQueue) coalesce(rec *Account) (*Account, []*queuedEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var joined, left []*queuedEvent
	for _, j := range q.waiting {
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
	q.waiting = left
	return rec, joined
}

// finish tells what became of a joint write. The caller holds the record.
func finish(joined []*queuedEvent, err error) {
	for _, j := range joined {
		j.done, j.err = true, err
		if err != nil {
			j.rec = nil
		}
	}
}
