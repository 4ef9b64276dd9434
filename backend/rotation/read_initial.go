package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// initialFetch is a reader's part in getting an initial password. One reader at a time asks the cloud for it, and the others wait
// for that one; none of them holds the record meanwhile.
type initialFetch struct {
	done chan struct{} // closed when the one who asks has the outcome, and holds the record
	rec  *Account      // whose password this reader asks for; nil: another one does

	// What has become of the question.
	read protocol.InitialPasswordRead
	err  error
}

// initialNeeded says which fetch a read has to do, or to wait for, before it can go on; nil: none. fetched is the one that it has
// done or waited for already. The caller holds e.mu, and the record is loaded.
func (c *Core) initialNeeded(ctx context.Context, e *entry, fetched *initialFetch) (*initialFetch, error) {
	switch {
	case fetched != nil && fetched.rec != nil:
		return nil, c.recordInitial(ctx, e, fetched)
	case fetched != nil:
		if err := c.load(ctx, e); err != nil {
			return nil, err
		}
		if e.rec == nil || !e.rec.WantsInitial() {
			return nil, c.stillThere(e)
		}
		if e.fetching != nil {
			return nil, &Error{Kind: NotReadable, RetryAfter: initialPoll, Poll: initialPoll,
				Message: hint.Textf("the initial password of account %s is being read", e.id)}
		}
	case !e.rec.WantsInitial():
		return nil, nil
	case e.fetching != nil:
		return &initialFetch{done: e.fetching}, nil
	}
	e.fetching = make(chan struct{})
	return &initialFetch{done: e.fetching, rec: e.rec}, nil
}

// fetchInitial gets the initial password and decrypts it, or waits for who does. The caller does not hold e.mu.
func (c *Core) fetchInitial(ctx context.Context, e *entry, f *initialFetch) {
	if f.rec == nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		c.opts.turn(ctx, e.id)
		return
	}
	f.err = guard.Do(c.opts.Logger, "reading the initial password of account "+f.rec.String(), func() (err error) {
		// The account may have been bound elsewhere, where nobody knew it.
		if f.read.Overwritten, err = c.initialOverwritten(ctx, f.rec); err != nil || f.read.Overwritten {
			f.read.Place = f.rec.Place
			return err
		}
		if f.read.Password, f.read.Place, err = c.initial(ctx, f.rec); err != nil {
			return err
		}
		key, known, err := c.initials.note(ctx, f.rec, f.read.Password)
		f.read.Key, f.read.Given, f.read.Several = key, protocol.RoleSet(known.Role), known.Several
		return err
	})
}

// recordInitial stores what a fetch has got, and lets those go on who wait for it. The caller holds e.mu.
func (c *Core) recordInitial(ctx context.Context, e *entry, f *initialFetch) error {
	e.fetching = nil
	close(f.done)
	if f.err != nil {
		return f.err
	}
	f.read.At = c.opts.Now()
	if _, err := c.updateLocked(ctx, e, f.read); err != nil && !errors.Is(err, protocol.ErrStale) {
		return err
	}
	return c.stillThere(e)
}

func (c *Core) stillThere(e *entry) error {
	if e.rec == nil {
		return protocol.Errorf(NoRecord, "there is no account %s any more", e.id)
	}
	return nil
}

// initial asks the cloud for the initial password and decrypts it. It writes nothing.
func (c *Core) initial(ctx context.Context, rec *Account) (value string, place Place, err error) {
	to, err := c.connect(ctx, rec.Connection)
	if err != nil {
		return "", "", err
	}
	reader, ok := to.Provider.(cloud.InitialPasswordReader)
	if !ok {
		return "", "", protocol.Errorf(Conflict, "provider %s has no initial passwords", to.ProviderName)
	}
	if wait := to.state.breaker.wait(c.opts.Now()); wait > 0 {
		_, _, cause := to.state.breaker.state(c.opts.Now())
		return "", "", &Error{Kind: Unavailable, RetryAfter: wait, Message: hint.Textf(
			"connection %s does not work at the moment and is tried again in %s; last error: %s", rec.Connection, wait.Round(time.Second), cause)}
	}
	call, cancel := context.WithTimeout(cloud.WithInteractive(ctx), to.RequestTimeout+limiterTimeout)
	defer cancel()
	ciphertext, err := guard.Get(c.opts.Logger, "asking for the initial password of account "+rec.String(), func() (string, error) {
		return reader.InitialPassword(call, rec.InstanceID)
	})
	to.state.breaker.reportCall(ctx, c.opts.Now(), err)
	if err == nil {
		value, err = c.opts.Decrypt(ctx, Ciphertext{ID: rec.ID, Key: rec.Settings.Key, Facts: rec.Facts, Value: ciphertext,
			Fingerprint: func(ctx context.Context) (string, error) { return reader.KeyFingerprint(ctx, rec.Facts.KeyName) }})
		return value, to.Place, err
	}
	if cloud.KindOf(err) != cloud.NotReady {
		return "", "", err
	}
	return "", "", c.notYet(rec, to.Provider, reader.InitialPasswordDelay())
}
