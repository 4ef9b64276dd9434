package rotation

import (
	"context"
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// load makes the record present. The caller holds e.mu.
func (s *accountStore) load(ctx context.Context, e *entry) error {
	if e.dropped {
		e.rec, e.loaded = nil, true
	}
	if e.loaded {
		return nil
	}
	a, err := loadAccount(ctx, s.opts.Storage, e.id)
	if err != nil {
		return err
	}
	s.setRecord(e, a)
	e.located.Store(nil) // another node may have noted another place
	e.attempts.note(a)
	s.planning.noted(e, nil)
	return nil
}

// get returns an account's record, which nobody may change, or nil. Asking for accounts that do not
// exist takes no memory.
func (s *accountStore) get(ctx context.Context, id ID) (*Account, error) {
	e := s.inMemory(id)
	if e == nil {
		if a, err := loadAccount(ctx, s.opts.Storage, id); err != nil || a == nil {
			return nil, err
		}
		e = s.entry(id)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := s.load(ctx, e); err != nil {
		return nil, err
	}
	return e.rec, nil
}

// update applies an event to the current record and writes the result, in one write, which may hold
// other clients' changes too (see coalesce.go). It returns the record as it is then; with ErrNoChange or ErrStale too. A
// failed write may have landed, so the record is read again before anybody uses it. The caller does not hold e.mu.
func (s *accountStore) update(ctx context.Context, e *entry, ev protocol.Event) (*Account, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return s.updateLocked(ctx, e, ev)
}

func (s *accountStore) updateLocked(ctx context.Context, e *entry, ev protocol.Event) (*Account, error) {
	if err := s.load(ctx, e); err != nil {
		return nil, err
	}
	if e.rec == nil {
		return nil, noRecord(e.id)
	}
	next, err := protocol.Transition(e.rec, ev)
	if err != nil {
		return e.rec, err
	}
	e.reads.into(next)
	var joined []*queuedEvent
	if s.planning.isLocated(e) { // else a reader has to see first whether the version fits the connection's place
		next, joined = e.line.coalesce(next)
	}
	err = s.put(ctx, e, next)
	finish(joined, err)
	if err != nil {
		return nil, err
	}
	s.planning.schedule(e)
	return next, nil
}

// updateCoalesced is update for a change that may share its write with those of other clients.
func (s *accountStore) updateCoalesced(ctx context.Context, e *entry, ev protocol.Event) error {
	j := e.line.enqueue(ctx, ev)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line.takeResult(j) {
		return j.err
	}
	_, err := s.updateLocked(ctx, e, ev)
	return err
}

// apply is update for events whose result nobody needs; a change that is not needed is no error.
func (s *accountStore) apply(ctx context.Context, e *entry, ev protocol.Event) error {
	_, err := s.update(ctx, e, ev)
	if errors.Is(err, protocol.ErrNoChange) || errors.Is(err, protocol.ErrStale) {
		return nil
	}
	return err
}

// put writes a record and makes it the cached one. The caller holds e.mu.
func (s *accountStore) put(ctx context.Context, e *entry, next *Account) error {
	if e.dropped {
		return protocol.Errorf(Unavailable, "account %s was forgotten meanwhile, since its server is gone; try again", e.id)
	}
	before := e.rec
	known := false
	defer func() {
		if !known { // a panic: the write may have landed
			e.unload()
		}
	}()
	if err := saveAccount(ctx, s.opts.Storage, next); err != nil {
		e.unload()
		s.planning.scheduleAt(e, protocol.StepNone, s.opts.Now().Add(protocol.MinBackoff)) // look again, whatever became of the write
		return err
	}
	if e.rec == nil || !e.rec.NextRotation.Equal(next.NextRotation) {
		e.ownNext = next.NextRotation
	}
	s.setRecord(e, next)
	known = true
	e.attempts.note(next)
	s.planning.noted(e, before)
	e.notify()
	s.tell(before, next)
	s.planning.memberChanged(next)
	return nil
}

// setRecord makes a record the cached one. The caller holds e.mu.
func (s *accountStore) setRecord(e *entry, a *Account) {
	if e.id.IsGroup() {
		if before := e.group.record.Swap(a); a != nil {
			s.planning.offered(e, before, a)
		}
	}
	e.cache(a)
}

// remove deletes a record. The caller holds e.mu.
func (s *accountStore) remove(ctx context.Context, e *entry) error {
	if err := deleteRecord(ctx, s.opts.Storage, accountKey(e.id)); err != nil {
		e.unload()
		return storageError("deleting", e.id, err)
	}
	s.setRecord(e, nil)
	s.planning.noted(e, nil)
	e.notify()
	s.planning.unschedule(e)
	return nil
}

// noRecord says that there is no such account or group.
func noRecord(id ID) error { return protocol.Errorf(NoRecord, "there is no account %s", id) }

func isNoRecord(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == NoRecord
}
