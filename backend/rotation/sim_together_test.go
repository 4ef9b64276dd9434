package rotation

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// together makes calls that all wait for one record at the same moment, so that they share a write (see coalesce.go). They
// line up in the order given.
func (w *world) together(ctx context.Context, id ID, calls ...func()) {
	core := w.node.core
	if rec, err := core.get(ctx, id); err != nil || rec == nil || rec.Settings.Mode != Leased {
		for _, call := range calls { // they would not line up
			call()
		}
		return
	}
	e := core.entry(id)
	e.mu.Lock()
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(call)
		for e.inLine() <= i || lockedOut(&e.mu) <= i {
			runtime.Gosched() // in real time: virtual time stands still while somebody waits for a lock
		}
	}
	e.mu.Unlock()
	group.Wait()
}

// lockedOut counts who waits for a mutex. Who stands in line has not always asked for the lock yet, and the order in
// which it is given decides who comes first. The count stands in the mutex's first word, above three bits of
// flags (internal/sync, mutexWaiterShift).
func lockedOut(mu *sync.Mutex) int {
	return int(atomic.LoadInt32((*int32)(unsafe.Pointer(mu))) >> 3)
}

func (e *entry) inLine() int {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	return len(e.line.waiting)
}

// readTogether is several clients' reads at the same moment.
func (w *world) readTogether(ctx context.Context, id ID, clients int) []*simLease {
	n := w.node
	w.expectFirst(id)
	answers, errs := make([]*Answer, clients), make([]error, clients)
	calls, by := make([]func(), clients), make([]Reader, clients)
	role := w.roleOf(id)
	for i := range calls {
		client := w.client(ctx)
		by[i] = Reader{Role: role, Client: w.someClient(id)}
		calls[i] = func() { answers[i], errs[i] = n.core.Read(client, id, by[i], 0) }
	}
	w.together(ctx, id, calls...)
	var leases []*simLease
	for i, answer := range answers {
		if errs[i] != nil {
			w.tracef("read %s: %v", id.InstanceID, errs[i])
			continue
		}
		w.checkAnswer(n, answer)
		w.checkNamed(n, answer, by[i].Client)
		w.checkReaders(role, answer)
		if l := w.register(n, answer); l != nil {
			leases = append(leases, l)
		}
	}
	return leases
}

// revokeTogether ends an account's leases at the same moment.
func (w *world) revokeTogether(ctx context.Context, id ID, leases []*simLease) {
	before := w.record(id)
	errs := make([]error, len(leases))
	calls := make([]func(), len(leases))
	for i, l := range leases {
		w.mu.Lock()
		l.ended = true
		w.mu.Unlock()
		calls[i] = func() { errs[i] = w.node.core.Revoke(ctx, l.ref) }
	}
	w.together(ctx, id, calls...)
	after := w.record(id)
	if before != nil && after != nil && before.Due == nil && after.Due != nil {
		w.expect(id)
	}
	for i, l := range leases {
		if errs[i] != nil {
			w.tracef("revoke of %s on %s: %v", l.password, id.InstanceID, errs[i])
			continue
		}
		w.tracef("revoked %s on %s", l.password, id.InstanceID)
		w.revoked(l, after)
	}
}

// leasesOf picks the live leases of an account.
func (w *world) leasesOf(id ID) []*simLease {
	w.mu.Lock()
	defer w.mu.Unlock()
	var live []*simLease
	for _, l := range w.leases {
		if l.ref.ID == id && !l.ended && !l.lost {
			live = append(live, l)
		}
	}
	return live
}
