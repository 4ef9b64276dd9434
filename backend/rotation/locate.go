package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// locate notes in an account's record where its connection leads now, if that has changed. It asks no cloud. A
// connection that cannot be used leads nowhere, so that what was noted last holds. The caller does not hold e.mu.
func (p *planner) locate(ctx context.Context, e *entry) error {
	to, err := p.connect(ctx, e.id.Connection)
	if err != nil || e.located.Load() == to.Connection {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return p.noteLocked(ctx, e, to.Connection)
}

// isLocated reports whether the record has noted where the connection leads, as far as that is known.
func (p *planner) isLocated(e *entry) bool {
	live := p.connection(e.id.Connection).connected()
	return live == nil || live == e.located.Load()
}

// asLocated is the record as it will be once it has noted where the connection leads; live is nil where that is not
// known. The caller holds e.mu.
func (p *planner) asLocated(e *entry, live *Connection) *Account {
	if live == nil {
		return e.rec
	}
	m := live.moved(p.opts.Now())
	if !m.Changes(e.rec) {
		return e.rec
	}
	next, err := protocol.Transition(e.rec, *m)
	if err != nil {
		return e.rec
	}
	return next
}

// noteLocked is locate for a caller who holds e.mu.
func (p *planner) noteLocked(ctx context.Context, e *entry, live *Connection) error {
	if err := p.load(ctx, e); err != nil || e.rec == nil {
		return err
	}
	m := live.moved(p.opts.Now())
	if m.Changes(e.rec) {
		if !m.Place.Same(e.rec.Place) {
			e.attempts.missedSince = time.Time{} // what another place did not know counts for nothing here
		}
		if _, err := p.updateLocked(ctx, e, *m); err != nil && !errors.Is(err, protocol.ErrNoChange) {
			return err
		}
	}
	e.located.Store(live)
	return nil
}

// relocate is the worker's locate.
func (p *planner) relocate(ctx context.Context, e *entry, m *protocol.PlaceChanged) error {
	e.mu.Lock()
	if e.rec != nil && !m.Place.Same(e.rec.Place) {
		e.attempts.missedSince = time.Time{}
		p.opts.Logger.Info("the account's connection leads to another place", "account", e.id.String(), "place", string(m.Place), "before",
			string(e.rec.Place))
	}
	e.mu.Unlock()
	return p.apply(ctx, e, *m)
}
