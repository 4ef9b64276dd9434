package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Reread asks the cloud for the initial password of an account again, on an operator's word, since the server was rebuilt (rule
// 27). It reports whether the cloud had another one than the current version; only then there is a new one.
func (c *Core) Reread(ctx context.Context, id ID) (view *View, changed bool, err error) {
	if a, err := c.get(ctx, id); err != nil {
		return nil, false, err
	} else if a == nil {
		return nil, false, noRecord(id)
	}
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return nil, false, err
	}
	f, err := c.beginReread(ctx, e)
	if err != nil {
		return nil, false, err
	}
	c.fetchInitial(ctx, e, f)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fetching = nil
	close(f.done)
	if f.err != nil {
		return nil, false, whyCleared(f.rec, f.err)
	}
	f.read.At = c.opts.Now()
	before := f.rec.LastVersion
	next, err := c.updateLocked(ctx, e, protocol.InitialPasswordReread{InitialPasswordRead: f.read, Version: f.rec.Current().Number,
		By: requester(ctx)})
	switch {
	case errors.Is(err, protocol.ErrNoChange): // the cloud has the same one
	case errors.Is(err, protocol.ErrStale):
		return nil, false, protocol.Errorf(Conflict, "account %s has changed while its cloud was asked; ask again", id)
	case err != nil:
		return nil, false, err
	}
	return c.view(e), next.LastVersion > before, nil
}

// beginReread notes that the cloud is being asked, once it may be. Until that has ended the account is not forgotten, and nobody
// else asks. The caller does not hold e.mu.
func (c *Core) beginReread(ctx context.Context, e *entry) (*initialFetch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return nil, err
	}
	if e.rec == nil {
		return nil, noRecord(e.id)
	}
	if err := e.rec.CheckRereadable(c.opts.Now()); err != nil {
		return nil, err
	}
	if e.fetching != nil {
		return nil, &Error{Kind: NotReadable, RetryAfter: initialPoll, Message: hint.Textf("the initial password of account %s is being read",
			e.id)}
	}
	e.fetching = make(chan struct{})
	return &initialFetch{done: e.fetching, rec: e.rec}, nil
}

// whyCleared adds to what is said of a password that the cloud does not have that its copy of the one before was deleted.
func whyCleared(a *Account, err error) error {
	var not *Error
	if !errors.As(err, &not) || not.Kind != NotReadable || a.InitialCleared.IsZero() {
		return err
	}
	said := *not
	said.Message = said.Message.Add(hint.Textf("; the cloud's copy of the one before was deleted at %s (clear_initial)",
		a.InitialCleared.UTC().Format(time.RFC3339)))
	return &said
}
