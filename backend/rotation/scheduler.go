package rotation

import (
	"container/heap"
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// slot is an account's place in its connection's queue.
type slot struct {
	at     time.Time
	step   protocol.Step
	heap   *items // the heap that it is in; nil: none
	index  int    // its place there
	busy   bool   // a worker has it
	urgent bool   // a client waits for it
}

// queue holds the accounts of one connection that have something to do, by time. An account leaves
// it only for its one worker, and comes back when that is done, whatever came of it.
type queue struct {
	name string
	wake chan struct{}

	mu sync.Mutex
	// local are accounts whose next step needs no cloud: deadlines are kept whatever the cloud does.
	// begun are those whose rotation goes on with a look at the cloud: they pass before remote, the
	// others, so that in a storm of rotations each ends soon after it began.
	local, begun, remote items
	started              bool
	writing              int // workers on local steps
	calling              int // workers that may be calling the cloud
	passed               int // begun accounts that passed since the last of remote
}

// items is a heap: urgent accounts first, then by time.
type items []*entry

func (h items) Len() int { return len(h) }
func (h items) Less(i, j int) bool {
	a, b := &h[i].slot, &h[j].slot
	if a.urgent != b.urgent {
		return a.urgent
	}
	return a.at.Before(b.at)
}
func (h items) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot.index, h[j].slot.index = i, j
}

// Push implements heap.Interface.
func (h *items) Push(x any) {
	e := x.(*entry)
	e.slot.heap, e.slot.index = h, len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *items) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.slot.heap = nil
	return e
}

// callers is how many workers of a connection may call its cloud at once: enough to keep its limiter
// busy when each takes a few seconds, and so few that recorded attempts do not wait long for it.
func callers(requestsPerSecond float64) int {
	return int(min(max(math.Ceil(4*requestsPerSecond), 4), 128))
}

// localWorkers is how many workers of a connection may be at local steps at once: enough to keep storage
// busy, and so few that a crowd whose deadlines have passed during an outage does not take all its memory.
const localWorkers = 64

// maxBegun is how many begun accounts may pass before another one that waits: without it, operations that
// take so long that looking at them alone takes up the limit would keep others from being begun.
const maxBegun = 4

func (c *Core) queue(name string) *queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[name]
	if q == nil {
		q = &queue{name: name, wake: make(chan struct{}, 1)}
		c.queues[name] = q
		c.startQueue(q)
	}
	return q
}

// startQueue starts a queue's dispatcher if the core runs. The caller holds c.mu.
func (c *Core) startQueue(q *queue) {
	if !c.running || q.started || c.ctx.Err() != nil {
		return
	}
	q.started = true
	c.wg.Add(1)
	go c.dispatch(q)
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// schedule puts an account where its plan wants it. The caller holds e.mu and its record is loaded.
func (c *Core) schedule(e *entry) {
	if e.rec == nil {
		c.unschedule(e)
		return
	}
	st, at := e.rec.Plan(c.planInput(e))
	if st == protocol.StepNone {
		c.unschedule(e)
		return
	}
	c.scheduleAt(e, st, at)
}

// scheduleAt puts an account into its queue, or moves it there. StepNone only asks for its plan.
func (c *Core) scheduleAt(e *entry, st protocol.Step, at time.Time) {
	q := c.queue(e.id.Connection)
	q.mu.Lock()
	defer q.mu.Unlock()
	e.slot.step, e.slot.at = st, at
	if e.slot.busy {
		return // its worker puts it back
	}
	if at.After(c.opts.Now()) {
		e.slot.urgent = false // nobody is served by hurrying
	}
	target := &q.local
	switch {
	case st == protocol.StepPoll || st == protocol.StepJoint:
		target = &q.begun
	case st.CallsCloud():
		target = &q.remote
	}
	if e.slot.heap == target {
		heap.Fix(target, e.slot.index)
	} else {
		e.slot.leave()
		heap.Push(target, e)
	}
	q.poke()
}

// leave takes an account out of its heap. The caller holds the queue.
func (s *slot) leave() {
	if s.heap != nil {
		heap.Remove(s.heap, s.index)
	}
}

func (c *Core) unschedule(e *entry) {
	q := c.queue(e.id.Connection)
	q.mu.Lock()
	defer q.mu.Unlock()
	e.slot.step, e.slot.urgent = protocol.StepNone, false
	e.slot.leave()
}

// hurry moves a due account before others of its connection, because a client waits for it; with a group its
// members.
func (c *Core) hurry(e *entry) {
	if g := e.known.Load(); g != nil {
		for _, id := range g.Members {
			c.hurryOne(c.entry(id))
		}
	}
	c.hurryOne(e)
}

func (c *Core) hurryOne(e *entry) {
	q := c.queue(e.id.Connection)
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.slot.urgent || e.slot.heap == nil || e.slot.at.After(c.opts.Now()) {
		return
	}
	e.slot.urgent = true
	heap.Fix(e.slot.heap, e.slot.index)
	q.poke()
}

// dispatch hands a queue's accounts to workers when their time has come.
func (c *Core) dispatch(q *queue) {
	defer c.wg.Done()
	c.opts.turn(c.ctx, ID{Connection: q.name})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, remote, wait := c.takeNext(q)
		if next != nil {
			c.wg.Add(1)
			go c.serve(q, next, remote)
			continue
		}
		timer.Reset(wait)
		select {
		case <-c.ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
		}
		c.opts.turn(c.ctx, ID{Connection: q.name})
	}
}

// idle is how long a dispatcher sleeps that has nothing to wait for but a wake-up.
const idle = time.Hour

// takeNext is take, whose panic costs a wait.
func (c *Core) takeNext(q *queue) (next *entry, remote bool, wait time.Duration) {
	err := guard.Do(c.opts.Logger, "the queue of connection "+q.name, func() error { next, remote, wait = c.take(q); return nil })
	if err != nil {
		return nil, false, protocol.MinBackoff
	}
	return next, remote, wait
}

// take removes the first account whose time has come, or says how long there is none.
func (c *Core) take(q *queue) (next *entry, remote bool, wait time.Duration) {
	n := c.connection(q.name)
	perSecond := n.requestsPerSecond()
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, false, idle
	}
	now, wait := c.opts.Now(), idle
	if len(q.local) > 0 && q.writing < localWorkers {
		if wait = min(wait, q.local[0].slot.at.Sub(now)); wait <= 0 {
			q.writing++
			return q.pop(&q.local), false, 0
		}
	}
	if q.calling >= callers(perSecond) {
		return nil, false, wait
	}
	order := [...]*items{&q.begun, &q.remote}
	if q.passed >= maxBegun {
		order[0], order[1] = order[1], order[0]
	}
	for _, h := range order {
		if len(*h) == 0 {
			continue
		}
		until := (*h)[0].slot.at.Sub(now)
		if until <= 0 {
			until = n.breaker.wait(now)
		}
		if until <= 0 {
			q.calling++
			q.passed++
			if h == &q.remote {
				q.passed = 0
			}
			return q.pop(h), true, 0
		}
		wait = min(wait, until)
	}
	return nil, false, wait
}

func (q *queue) pop(h *items) *entry {
	e := heap.Pop(h).(*entry)
	e.slot.busy = true
	return e
}

// serve runs one worker step and puts the account back into the queue.
func (c *Core) serve(q *queue, e *entry, remote bool) {
	defer c.wg.Done()
	c.opts.turn(c.ctx, e.id)
	err := guard.Do(c.opts.Logger, "a step of account "+e.id.String(), func() error { return c.work(c.ctx, e, remote) })
	if err = guard.Do(c.opts.Logger, "the plan of account "+e.id.String(),
		func() error { c.putBack(q, e, remote, err); return nil }); err != nil {
		c.delayPanicked(e, err)
	}
	q.poke()
}

// putBack puts an account back into its queue after a worker's step.
func (c *Core) putBack(q *queue, e *entry, remote bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q.mu.Lock()
	e.slot.busy, e.slot.urgent = false, false
	if remote {
		q.calling--
		c.connection(q.name).breaker.release()
	} else {
		q.writing--
	}
	q.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	if guard.Panicked(err) {
		c.delayPanickedLocked(e, err)
		return
	}
	if err != nil {
		c.opts.Logger.Error("a step of an account failed and will be tried again", "account", e.id.String(), "error", err)
		e.rec, e.loaded = nil, false
		c.scheduleAt(e, protocol.StepNone, c.opts.Now().Add(protocol.MinBackoff))
		return
	}
	if err := c.load(c.ctx, e); err != nil {
		c.scheduleAt(e, protocol.StepNone, c.opts.Now().Add(protocol.MinBackoff))
		return
	}
	c.schedule(e)
	e.panics = 0
}

// delayPanicked holds an account back whose step, or whose plan, has panicked: it would do that again. What was
// cached is read anew, since the panic may have come in the middle of a change.
func (c *Core) delayPanicked(e *entry, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.delayPanickedLocked(e, err)
}

// delayPanickedLocked is delayPanicked for who holds e.mu.
func (c *Core) delayPanickedLocked(e *entry, err error) {
	e.panics++
	e.rec, e.loaded = nil, false
	e.delayed = protocol.Waiting{Until: c.opts.Now().Add(protocol.BackoffDelay(e.panics, protocol.MaxBackoff, c.opts.Random())),
		Cause: protocol.ForBackoff}
	e.delayCause = hint.Of(err)
	c.scheduleAt(e, protocol.StepNone, e.delayed.Until)
}

// loadAll rebuilds the schedule from storage. It lists, so that reads and bindings that come
// meanwhile do not wait for it, and tries again until it has seen everything.
func (c *Core) loadAll() {
	defer c.wg.Done()
	c.opts.turn(c.ctx, ID{})
	for failures := 1; ; failures++ {
		err := guard.Do(c.opts.Logger, "rebuilding the schedule", func() error { return c.loadOnce(c.ctx) })
		if err == nil || c.ctx.Err() != nil {
			break
		}
		c.opts.Logger.Error("the schedule cannot be rebuilt from storage; trying again", "error", err)
		_ = cloud.Sleep(c.ctx, protocol.BackoffDelay(failures, protocol.MaxBackoff, c.opts.Random())) // a closing core tries once more, in vain
	}
	c.mu.Lock()
	c.loading = false
	c.loadedAt = c.opts.Now()
	c.mu.Unlock()
}

// loadReaders is how many records are read at once while the schedule is being rebuilt, so that storage which
// takes long to answer is not waited for a hundred thousand times in a row.
const loadReaders = 32

func (c *Core) loadOnce(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	free := make(chan struct{}, loadReaders)
	visit := func(id ID) error {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		readers.Go(func() {
			defer func() { <-free }()
			c.opts.turn(ctx, id)
			if err := guard.Do(c.opts.Logger, "the plan of account "+id.String(),
				func() error { c.loadAndSchedule(ctx, id); return nil }); err != nil {
				c.delayPanicked(c.entry(id), err)
			}
		})
		return nil
	}
	if err := c.walk(ctx, "", visit); err != nil {
		return err
	}
	return c.walkGroups(ctx, visit)
}

// loadAndSchedule puts a stored account into its queue. One record that cannot be read must not keep the
// others from their schedule.
func (c *Core) loadAndSchedule(ctx context.Context, id ID) {
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		if ctx.Err() == nil {
			c.opts.Logger.Error("an account cannot be scheduled and will be tried again", "account", id.String(), "error", err)
		}
		c.scheduleAt(e, protocol.StepNone, c.opts.Now().Add(protocol.BackoffDelay(6, protocol.MaxBackoff, c.opts.Random())))
		return
	}
	c.schedule(e)
}

// walkGroups visits all groups, from storage.
func (c *Core) walkGroups(ctx context.Context, visit func(ID) error) error {
	connections, err := c.opts.Storage.List(ctx, GroupPrefix)
	if err != nil {
		return err
	}
	for _, connection := range connections {
		roles, err := c.opts.Storage.List(ctx, GroupPrefix+connection)
		if err != nil {
			return err
		}
		for _, role := range roles {
			if err := visit(GroupID(strings.TrimSuffix(connection, "/"), role)); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk visits the accounts below a prefix of account names, from storage.
func (c *Core) walk(ctx context.Context, prefix string, visit func(ID) error) error {
	names, err := c.opts.Storage.List(ctx, AccountPrefix+prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasSuffix(name, "/") {
			if err := c.walk(ctx, prefix+name, visit); err != nil {
				return err
			}
			continue
		}
		id, err := ParseID(prefix + name)
		if err != nil {
			continue // not ours
		}
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}
