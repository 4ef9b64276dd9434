package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Read hands out the current version of an account, under rule 11: the nonce and the first disclosure
// are durable before it returns. A version that is not there yet is got where that is possible (the
// initial password is read, a leased account's first rotation is started). What cannot be handed out
// now is an Error of kind NotReadable, after waiting for up to wait or to the end of ctx.
// Readers of a role get nothing of an account that has come to another one, even while they wait.
func (c *Core) Read(ctx context.Context, id ID, by Reader, wait time.Duration) (*Answer, error) {
	return c.waitFor(ctx, c.entry(id), wait, func(e *entry) (*Answer, <-chan struct{}, error) { return c.tryRead(ctx, e, by) })
}

// tryRead is one try of Read. changed is closed at the record's next change.
func (c *Core) tryRead(ctx context.Context, e *entry, by Reader) (answer *Answer, changed <-chan struct{}, err error) {
	to, _ := c.connect(ctx, e.id.Connection) // a connection that cannot be used leads nowhere else
	ev := protocol.VersionDisclosed{Reader: by, At: c.opts.Now(), Grant: new(protocol.Grant)}
	var j *queuedEvent
	switch {
	case e.newReader(by):
		j = e.line.enqueue(ctx, ev)
	case e.leased.Load():
		if ev.Nonce, err = c.opts.NewID(); err != nil {
			return nil, nil, err
		}
		j = e.line.enqueue(ctx, ev)
	}
	var fetch *initialFetch
	for {
		answer, changed, fetch, err = c.readLocked(ctx, e, to.Connection, j, ev, fetch)
		if fetch == nil {
			return answer, changed, err
		}
		c.fetchInitial(ctx, e, fetch)
	}
}

// readLocked is the part of a read that holds the record: it hands the version out, or says which fetch of an initial password has
// to be done, or waited for, before it is called again with that.
func (c *Core) readLocked(ctx context.Context, e *entry, live *Connection, j *queuedEvent, ev protocol.VersionDisclosed,
	fetched *initialFetch) (*Answer, <-chan struct{}, *initialFetch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if fetched == nil {
		if j != nil && e.line.takeResult(j) {
			if j.err != nil {
				return nil, e.nextChange(), nil, j.err
			}
			return c.answerFrom(e, j.rec, *ev.Grant), nil, nil, nil
		}
		if err := c.prepareRead(ctx, e, live, ev.Reader); err != nil {
			return nil, nil, nil, err
		}
	}
	fetch, err := c.initialNeeded(ctx, e, fetched)
	if err != nil {
		return nil, e.nextChange(), nil, err
	}
	if fetch != nil {
		return nil, nil, fetch, nil
	}
	if err := c.startFirst(ctx, e); err != nil {
		return nil, nil, nil, err
	}
	ev.At = c.opts.Now()
	answer, err := c.disclose(ctx, e, ev)
	if err != nil {
		return nil, e.nextChange(), nil, err
	}
	return answer, nil, nil, nil
}

// prepareRead makes the record present, and says why nothing is done for a reader. The caller holds e.mu.
func (c *Core) prepareRead(ctx context.Context, e *entry, live *Connection, by Reader) error {
	if err := hungUp(ctx); err != nil {
		return err
	}
	if err := c.load(ctx, e); err != nil {
		return err
	}
	if e.rec == nil {
		return noRecord(e.id)
	}
	if err := e.rec.CheckServes(by.Role); err != nil {
		return err
	}
	if live != nil && e.located.Load() != live {
		return c.noteLocked(ctx, e, live)
	}
	return nil
}

// startFirst makes an account due that a read is to give its first password. The caller holds e.mu.
func (c *Core) startFirst(ctx context.Context, e *entry) error {
	if !e.rec.WantsFirst() {
		return nil
	}
	if _, err := c.updateLocked(ctx, e, protocol.RotationRequested{Reason: protocol.DueFirst, At: c.opts.Now()}); err != nil &&
		!errors.Is(err, protocol.ErrNoChange) {
		return err
	}
	c.hurry(e)
	return nil
}

// disclose hands the current version out. The caller holds e.mu.
func (c *Core) disclose(ctx context.Context, e *entry, ev protocol.VersionDisclosed) (*Answer, error) {
	if e.rec.Settings.Mode == Leased && ev.Nonce == "" {
		nonce, err := c.opts.NewID()
		if err != nil {
			return nil, err
		}
		ev.Nonce = nonce
	}
	if ev.NothingNew(e.rec) {
		e.reads.note(e.rec.Current(), ev.Client, ev.At)
		return c.answer(e, *ev.Grant), nil
	}
	if err := hungUp(ctx); err != nil {
		return nil, err
	}
	if _, err := c.updateLocked(ctx, e, ev); err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return nil, c.explain(e, err)
	}
	return c.answer(e, *ev.Grant), nil
}
