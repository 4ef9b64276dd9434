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

// Answer is what a read hands out. It holds the password.
type Answer struct {
	ID           ID
	Version      Version
	Facts        Facts
	Settings     Settings
	LastRotation time.Time // zero: never rotated
	// NextRotation is the next scheduled time, or when a rotation that is due already may begin; zero:
	// no schedule.
	NextRotation time.Time
	Lease        *protocol.Grant // nil in static mode
	// Elsewhere is set where another place than the connection's has confirmed the version (rule 18).
	Elsewhere bool
	// Group is the group that the lease belongs to; zero where the account itself does.
	Group ID
	// Holders are, in an answer for a whole group, the accounts that have this version.
	Holders []ID
}

// Paused is the time that would be next of a schedule that is disabled, for consumers that read again by the
// schedule: an operator may rotate meanwhile. Zero: there is no such schedule.
func (a *Answer) Paused(now time.Time) time.Time {
	s := a.Settings.Schedule
	if !s.Disabled || a.Settings.Mode != Static {
		return time.Time{}
	}
	from := a.LastRotation
	if from.IsZero() || from.After(now) {
		from = a.Version.Created
	}
	return s.Timetable().Next(now, from)
}

// LeaseID is the account or group that the lease belongs to.
func (a *Answer) LeaseID() ID {
	if a.Group != (ID{}) {
		return a.Group
	}
	return a.ID
}

// Read hands out the current version of an account, under rule 11: the nonce and the first disclosure
// are durable before it returns. A version that is not there yet is got where that is possible (the
// initial password is read, a leased account's first rotation is started). What cannot be handed out
// now is an Error of kind NotReadable, after waiting for up to wait or to the end of ctx.
// Readers of a role get nothing of an account that has come to another one, even while they wait.
func (c *Core) Read(ctx context.Context, id ID, by Reader, wait time.Duration) (*Answer, error) {
	return c.waitFor(ctx, c.entry(id), wait, func(e *entry) (*Answer, <-chan struct{}, error) { return c.tryRead(ctx, e, by) })
}

// waitFor repeats a read that cannot be answered yet, for up to wait, whenever the record changes.
func (c *Core) waitFor(ctx context.Context, e *entry, wait time.Duration, try func(*entry) (*Answer, <-chan struct{}, error)) (*Answer,
	error) {
	deadline := time.Now().Add(wait)
	for {
		answer, changed, err := try(e)
		if err == nil && answer.Lease != nil && hungUp(ctx) != nil {
			c.withdraw(ctx, e, answer.Lease.Nonce)
			return nil, hungUp(ctx)
		}
		var not *Error
		if err == nil || !errors.As(err, &not) || not.Kind != NotReadable || not.Idle || wait <= 0 {
			return answer, err
		}
		left := min(time.Until(deadline), until(ctx))
		if left <= 0 {
			return nil, err
		}
		c.hurry(e)
		pause := left
		if not.Poll > 0 {
			pause = min(left, not.Poll)
		}
		if awaitChange(ctx, changed, pause) != nil {
			return nil, err
		}
		c.opts.turn(ctx, e.id)
	}
}

// awaitChange waits until a record changes, for a while at most. Its error is the context's, where that has ended.
func awaitChange(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// answerMargin is kept of a request's own deadline for writing the answer.
const answerMargin = 2 * time.Second

func until(ctx context.Context) time.Duration {
	t, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return time.Until(t) - answerMargin
}

// tryRead is one try of Read. changed is closed at the record's next change.
func (c *Core) tryRead(ctx context.Context, e *entry, by Reader) (*Answer, <-chan struct{}, error) {
	_, live, connectErr := c.connect(ctx, e.id.Connection)
	ev := protocol.VersionDisclosed{Reader: by, At: c.opts.Now(), Grant: new(protocol.Grant)}
	var j *queuedEvent
	if e.leased.Load() {
		nonce, err := c.opts.NewID()
		if err != nil {
			return nil, nil, err
		}
		ev.Nonce = nonce
		j = e.line.enqueue(ctx, ev)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if j != nil && e.line.takeResult(j) {
		if j.err != nil {
			return nil, e.nextChange(), j.err
		}
		return answerOf(j.rec, *ev.Grant), nil, nil
	}
	if err := hungUp(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.load(ctx, e); err != nil {
		return nil, nil, err
	}
	if e.rec == nil {
		return nil, nil, protocol.Errorf(NotFound, "there is no account %s", e.id)
	}
	if err := e.rec.CheckServes(by.Role); err != nil { // before anything is done for the reader
		return nil, nil, err
	}
	if connectErr == nil && e.located.Load() != live { // a connection that cannot be used leads nowhere else
		if err := c.noteLocked(ctx, e, live); err != nil {
			return nil, nil, err
		}
	}
	if e.rec.WantsInitial() {
		if err := c.fetchInitial(ctx, e); err != nil {
			return nil, e.nextChange(), err
		}
	}
	if err := c.startFirst(ctx, e); err != nil {
		return nil, nil, err
	}
	ev.At = c.opts.Now()
	answer, err := c.disclose(ctx, e, ev)
	if err != nil {
		return nil, e.nextChange(), err
	}
	return answer, nil, nil
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

// explain says what a rotation waits for that keeps an account from being read. The caller holds e.mu.
func (c *Core) explain(e *entry, err error) error {
	var not *Error
	if !errors.As(err, &not) || not.Kind != NotReadable || e.rec == nil {
		return err
	}
	if not.Rotation {
		not = e.rec.Unreadable(c.waits(e), c.opts.Now())
	}
	if !e.delay.cause.IsZero() {
		not.Message = not.Message.Add(hint.Textf("; last error: %s", e.delay.cause))
	}
	return not
}

// explainMember is explain for a member of a group.
func (c *Core) explainMember(id ID, err error) error {
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.explain(e, err)
}

// answer is what a client is given: under a lease exactly if one was granted, whatever the settings are by now.
func answerOf(a *Account, grant protocol.Grant) *Answer {
	r := &Answer{ID: a.ID, Version: *a.Current(), Facts: a.FactsFor(a.Current()), Elsewhere: a.CurrentElsewhere(), Settings: a.Settings,
		LastRotation: a.LastRotation, NextRotation: a.NextRotation}
	if grant.Nonce != "" {
		r.Lease = &grant
	}
	return r
}

// ReplacedAt is Account.ReplacedAt, with all that the core knows. The caller holds e.mu.
func (c *Core) replacedAt(e *entry) time.Time {
	if e.rec.Due == nil || e.rec.NextRotation.IsZero() {
		return e.rec.NextRotation
	}
	return e.rec.ReplacedAt(c.waits(e), c.opts.Now())
}

// answer is the current version, handed out. The caller holds e.mu.
func (c *Core) answer(e *entry, grant protocol.Grant) *Answer {
	r := answerOf(e.rec, grant)
	r.NextRotation = c.replacedAt(e)
	return r
}

// initialPoll is how long a waiting read leaves between two looks for an initial password.
const initialPoll = 5 * time.Second

// fetchInitial reads, decrypts and stores the initial password. One caller at a time asks the cloud
// for it, the others wait for that one. The caller holds e.mu, which is released meanwhile and held
// again at return.
func (c *Core) fetchInitial(ctx context.Context, e *entry) error {
	if other := e.fetching; other != nil {
		e.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
		}
		c.opts.turn(ctx, e.id)
		e.mu.Lock()
		if err := c.load(ctx, e); err != nil {
			return err
		}
		if e.rec == nil || !e.rec.WantsInitial() {
			return c.stillThere(e)
		}
		if e.fetching != nil {
			return &Error{Kind: NotReadable, RetryAfter: initialPoll, Poll: initialPoll,
				Message: hint.Textf("the initial password of account %s is being read", e.id)}
		}
	}
	done := make(chan struct{})
	e.fetching = done
	rec := e.rec
	e.mu.Unlock()
	var ev protocol.InitialPasswordRead
	err := guard.Do(c.opts.Logger, "reading the initial password of account "+rec.String(), func() (err error) {
		// The account may have been bound elsewhere, where nobody knew it.
		if ev.Overwritten, err = c.initialOverwritten(ctx, rec); err != nil || ev.Overwritten {
			ev.Place = rec.Place
			return err
		}
		if ev.Password, ev.Place, err = c.initial(ctx, rec); err != nil {
			return err
		}
		key, known, err := c.noteInitial(ctx, rec, ev.Password)
		ev.Key, ev.Given, ev.Several = key, protocol.RoleSet(known.Role), known.Several
		return err
	})
	e.mu.Lock()
	e.fetching = nil
	close(done)
	if err != nil {
		return err
	}
	ev.At = c.opts.Now()
	if _, err := c.updateLocked(ctx, e, ev); err != nil && !errors.Is(err, protocol.ErrStale) {
		return err
	}
	return c.stillThere(e)
}

func (c *Core) stillThere(e *entry) error {
	if e.rec == nil {
		return protocol.Errorf(NotFound, "there is no account %s any more", e.id)
	}
	return nil
}

// initial asks the cloud for the initial password and decrypts it. It writes nothing.
func (c *Core) initial(ctx context.Context, rec *Account) (value string, place Place, err error) {
	n, live, err := c.connect(ctx, rec.Connection)
	if err != nil {
		return "", "", err
	}
	reader, ok := live.Provider.(cloud.InitialPasswordReader)
	if !ok {
		return "", "", protocol.Errorf(Conflict, "provider %s has no initial passwords", live.ProviderName)
	}
	if wait := n.breaker.wait(c.opts.Now()); wait > 0 {
		_, _, cause := n.breaker.state(c.opts.Now())
		return "", "", &Error{Kind: Unavailable, RetryAfter: wait, Message: hint.Textf(
			"connection %s does not work at the moment and is tried again in %s; last error: %s", rec.Connection, wait.Round(time.Second), cause)}
	}
	call, cancel := context.WithTimeout(cloud.WithInteractive(ctx), live.RequestTimeout+limiterTimeout)
	defer cancel()
	ciphertext, err := guard.Get(c.opts.Logger, "asking for the initial password of account "+rec.String(), func() (string, error) {
		return reader.InitialPassword(call, rec.InstanceID)
	})
	n.breaker.reportCall(ctx, c.opts.Now(), err)
	if err == nil {
		value, err = c.opts.Decrypt(ctx, Ciphertext{ID: rec.ID, Key: rec.Settings.Key, Facts: rec.Facts, Value: ciphertext,
			Fingerprint: func(ctx context.Context) (string, error) { return reader.KeyFingerprint(ctx, rec.Facts.KeyName) }})
		return value, live.Place, err
	}
	if cloud.KindOf(err) != cloud.NotReady {
		return "", "", err
	}
	return "", "", c.notYet(rec, live.Provider, reader.InitialPasswordDelay())
}
