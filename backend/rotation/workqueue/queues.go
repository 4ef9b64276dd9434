package workqueue

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
)

// Host is what the queues serve.
type Host[T any] interface {
	// Now is the time of day.
	Now() time.Time
	// RequestsPerSecond is the limit of a connection.
	RequestsPerSecond(connection string) float64
	// Held is for how long calls of a connection are held back; with 0 one may be made, and an item is given out for it.
	Held(connection string, now time.Time) time.Duration
	// Serve does what is to be done with an item, and puts it back. remote says that it may call the cloud. It calls done
	// once, before it puts the item back.
	Serve(connection string, item T, remote bool, done func())
	// Woken is called by a dispatcher that has just been woken, or starts.
	Woken(ctx context.Context, connection string)
}

// Queues are the queues of all connections. All methods are safe for concurrent use.
type Queues[T any] struct {
	host   Host[T]
	logger hclog.Logger
	// recovery is how long a dispatcher rests that has panicked.
	recovery time.Duration

	mu     sync.Mutex
	byName map[string]*queue[T]
	ctx    context.Context // of the dispatchers; nil: they do not run
	wg     sync.WaitGroup
}

// New makes queues that only hold what is put into them until Start.
func New[T any](host Host[T], logger hclog.Logger, recovery time.Duration) *Queues[T] {
	return &Queues[T]{host: host, logger: logger, recovery: recovery, byName: map[string]*queue[T]{}}
}

// Start begins handing out items, until ctx ends.
func (qs *Queues[T]) Start(ctx context.Context) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	qs.ctx = ctx
	for _, q := range qs.byName {
		qs.start(q)
	}
}

// Wait waits for all workers, after the context of Start has ended.
func (qs *Queues[T]) Wait() {
	qs.mu.Lock()
	qs.ctx = nil
	qs.mu.Unlock()
	qs.wg.Wait()
}

func (qs *Queues[T]) queue(name string) *queue[T] {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q := qs.byName[name]
	if q == nil {
		q = newQueue[T](name)
		qs.byName[name] = q
		qs.start(q)
	}
	return q
}

// start starts a queue's dispatcher if the queues run. The caller holds qs.mu.
func (qs *Queues[T]) start(q *queue[T]) {
	if qs.ctx == nil || q.started || qs.ctx.Err() != nil {
		return
	}
	q.started = true
	ctx := qs.ctx
	qs.wg.Go(func() { qs.dispatch(ctx, q) })
}

// Put puts an item into its connection's queue, or moves it there.
func (qs *Queues[T]) Put(connection string, s *Slot[T], item T, class Class, at time.Time) {
	q := qs.queue(connection)
	q.put(s, item, class, at, qs.host.Now())
}

// PutSpare puts a Spare item into its connection's queue, or moves it there. At a time, again, it is handed out as a Local item
// if its turn has not come by then; zero: it waits for its turn.
func (qs *Queues[T]) PutSpare(connection string, s *Slot[T], item T, at, again time.Time) {
	q := qs.queue(connection)
	q.put(s, item, Spare, at, qs.host.Now())
	if !again.IsZero() {
		q.again(s, again)
	}
}

// Remove takes an item out of its queue.
func (qs *Queues[T]) Remove(connection string, s *Slot[T]) { qs.queue(connection).remove(s) }

// Hurry moves an item whose time has come before the others of its connection.
func (qs *Queues[T]) Hurry(connection string, s *Slot[T]) {
	qs.queue(connection).hurry(s, qs.host.Now())
}

// Busy reports whether a worker has an item.
func (qs *Queues[T]) Busy(connection string, s *Slot[T]) bool {
	q := qs.queue(connection)
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.busy
}

// Counts is how many items of a connection wait, and how many workers may be calling its cloud.
func (qs *Queues[T]) Counts(connection string) (queued, calling int) {
	q := qs.queue(connection)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.heaps {
		queued += len(h)
	}
	return queued, q.calling
}

// dispatch hands a queue's items to workers when their time has come.
func (qs *Queues[T]) dispatch(ctx context.Context, q *queue[T]) {
	qs.host.Woken(ctx, q.name)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, remote, wait := qs.takeNext(ctx, q)
		if next != nil {
			qs.wg.Go(func() { qs.serve(q, next, remote) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
		}
		qs.host.Woken(ctx, q.name)
	}
}

// takeNext is take, whose panic costs a rest.
func (qs *Queues[T]) takeNext(ctx context.Context, q *queue[T]) (next *Slot[T], remote bool, wait time.Duration) {
	err := guard.Do(qs.logger, "the queue of connection "+q.name, func() error {
		limit := Callers(qs.host.RequestsPerSecond(q.name))
		now := qs.host.Now()
		next, remote, wait = q.take(ctx, now, limit, func() time.Duration { return qs.host.Held(q.name, now) })
		return nil
	})
	if err != nil {
		return nil, false, qs.recovery
	}
	return next, remote, wait
}

// serve has the host work on an item.
func (qs *Queues[T]) serve(q *queue[T], s *Slot[T], remote bool) {
	qs.host.Serve(q.name, s.item, remote, func() { q.done(s, remote) })
	q.poke()
}
