package workqueue

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"
)

// queue holds the items of one connection. An item leaves it only for its one worker, and comes back when that is done,
// whatever came of it.
type queue[T any] struct {
	name string
	wake chan struct{}

	mu      sync.Mutex
	heaps   [classes]items[T]
	wakes   wakes[T]
	started bool // guarded by Queues.mu
	writing int  // workers on local steps
	calling int  // workers that may be calling the cloud
	spare   int  // those of them that have a Spare item
	passed  int  // begun items that passed since the last of Remote
}

func newQueue[T any](name string) *queue[T] {
	return &queue[T]{name: name, wake: make(chan struct{}, 1)}
}

// Callers is how many workers of a connection may call its cloud at once: enough to keep its limiter
// busy when each takes a few seconds, and so few that recorded attempts do not wait long for it.
func Callers(requestsPerSecond float64) int {
	return int(min(max(math.Ceil(4*requestsPerSecond), 4), 128))
}

// LocalWorkers is how many workers of a connection may be at local steps at once: enough to keep storage
// busy, and so few that a crowd whose deadlines have passed during an outage does not take all its memory.
const LocalWorkers = 64

// spareCallers is how many of a connection's callers may have a Spare item at once: others stay free for what comes meanwhile.
func spareCallers(limit int) int { return max(limit/2, 1) }

// maxBegun is how many begun items may pass before another one that waits: without it, operations that
// take so long that looking at them alone takes up the limit would keep others from being begun.
const maxBegun = 4

// idle is how long a dispatcher sleeps that has nothing to wait for but a wake-up.
const idle = time.Hour

func (q *queue[T]) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// put puts an item into a heap, or moves it there. One that a worker has is put back by that worker.
func (q *queue[T]) put(s *Slot[T], item T, class Class, at, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.at = at
	if s.busy {
		return // its worker reads the item, without the lock
	}
	s.item = item
	if at.After(now) {
		s.urgent = false // not due yet, so priority has no effect
	}
	if target := &q.heaps[class]; s.heap == target {
		heap.Fix(target, s.index)
	} else {
		s.leave()
		heap.Push(target, s)
	}
	q.poke()
}

// again has a Spare item looked at again at a time.
func (q *queue[T]) again(s *Slot[T], at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.heap == &q.heaps[Spare] {
		q.wakeAt(s, at)
		q.poke()
	}
}

func (q *queue[T]) remove(s *Slot[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.urgent = false
	s.leave()
}

// hurry moves an item whose time has come before the others.
func (q *queue[T]) hurry(s *Slot[T], now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.urgent || s.heap == nil || s.at.After(now) {
		return
	}
	s.urgent = true
	heap.Fix(s.heap, s.index)
	q.poke()
}

// take removes the first item whose time has come, or says how long there is none. limit is how many may be calling the
// cloud, and held for how long calls are held back; where it says that none is, one item is given out.
func (q *queue[T]) take(ctx context.Context, now time.Time, limit int, held func() time.Duration) (next *Slot[T], remote bool,
	wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = idle
	if ctx.Err() != nil {
		return nil, false, wait
	}
	wait = q.wakeUp(now)
	if local := &q.heaps[Local]; len(*local) > 0 && q.writing < LocalWorkers {
		if wait = min(wait, (*local)[0].at.Sub(now)); wait <= 0 {
			q.writing++
			return pop(local), false, 0
		}
	}
	if q.calling >= limit {
		return nil, false, wait
	}
	order := [...]Class{Begun, Remote, Spare}
	if q.passed >= maxBegun {
		order[0], order[1] = order[1], order[0]
	}
	for _, class := range order {
		h := &q.heaps[class]
		if len(*h) == 0 || class == Spare && q.spare >= spareCallers(limit) {
			continue
		}
		until := (*h)[0].at.Sub(now)
		if until <= 0 {
			until = held()
		}
		if until <= 0 {
			q.calling++
			q.passed++
			if class == Remote {
				q.passed = 0
			}
			s := pop(h)
			if s.spare = class == Spare; s.spare {
				q.spare++
			}
			return s, true, 0
		}
		wait = min(wait, until)
	}
	return nil, false, wait
}

func pop[T any](h *items[T]) *Slot[T] {
	s := heap.Pop(h).(*Slot[T])
	s.busy = true
	return s
}

// done ends the work of an item, which may be put back then.
func (q *queue[T]) done(s *Slot[T], remote bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.busy, s.urgent = false, false
	if s.spare {
		s.spare = false
		q.spare--
	}
	if remote {
		q.calling--
	} else {
		q.writing--
	}
}
