package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// work does the next step of an account, if it is time. There is one worker per account: the queue
// never hands out an account that is being worked on (rule 2). Whatever happens, the queue asks for
// the account's plan again afterwards.
// remote says that it holds a permission to call the cloud.
func (c *Core) work(ctx context.Context, e *entry, remote bool) error {
	rec, s, err := c.presently(ctx, e)
	if err != nil || rec == nil {
		return err
	}
	st, at := rec.plan(s)
	if st == stepNone || at.After(s.now) || st.callsCloud() && !remote {
		return nil
	}
	switch st {
	case stepLapse:
		if rec.ahead(s.clock.latest()) {
			return c.apply(ctx, e, corrected{now: s.now, by: c.clock.back()})
		}
		return c.apply(ctx, e, lapsed{at: s.clock.earliest()})
	case stepSchedule:
		if rec.Settings.beyond(rec.NextRotation, s.clock.latest()) {
			return c.apply(ctx, e, scheduled{at: s.clock.latest()})
		}
		return c.apply(ctx, e, scheduled{at: s.clock.earliest()})
	case stepSettle:
		return c.settle(ctx, e, rec, s)
	case stepRoll:
		return c.roll(ctx, e, rec)
	case stepPlace:
		return c.relocate(ctx, e, s.place)
	}

	n, live, err := c.connect(ctx, e.id.Connection)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	if m := live.moved(s.now); m.changes(rec) {
		return c.relocate(ctx, e, m)
	}
	if st == stepClear {
		return c.clearInitial(ctx, e, n, live)
	}
	r, err := live.resetter(rec.method(st))
	if err != nil {
		c.hold(e, err)
		return nil
	}
	group, member := rec.group()
	switch {
	case st == stepJoint:
		return c.sendTogether(ctx, e, rec, n, live, r)
	case st == stepBegin && rec.isGroup():
		return c.beginBatch(ctx, e, rec, live, false)
	case st == stepBegin && member:
		return c.sendMember(ctx, e, rec, group, n, live, r)
	}
	switch st {
	case stepBegin:
		return c.begin(ctx, e, rec, n, live, r)
	case stepRetry:
		return c.retry(ctx, e, rec, n, live, r)
	case stepPoll:
		return c.poll(ctx, e, rec, n, live, r)
	}
	return nil
}

// presently returns an account's record, which may be nil, and the present for its plan.
func (c *Core) presently(ctx context.Context, e *entry) (*Account, situation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil || e.rec == nil {
		return nil, situation{}, err
	}
	return e.rec, c.situate(e), nil
}

// apply is update for events whose result nobody needs; a change that is not needed is no error.
func (c *Core) apply(ctx context.Context, e *entry, ev event) error {
	_, err := c.update(ctx, e, ev)
	if errors.Is(err, errNoChange) || errors.Is(err, errStale) {
		return nil
	}
	return err
}

// hold notes a failure that happened before anything was recorded: it costs no write, and a restart
// simply tries again.
func (c *Core) hold(e *entry, err error) { c.holdFor(e, ForBackoff, err) }

// holdFor is hold with what is waited for.
func (c *Core) holdFor(e *entry, cause Cause, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holds++
	delay := pause(err, backoffDelay(e.holds, maxBackoff, c.opts.Random()))
	e.held = waiting{c.opts.Now().Add(delay), cause}
	e.holdCause = err.Error()
	c.opts.Logger.Warn("account cannot be worked on now", "account", e.id.String(), "error", err, "retry_in", delay.Round(time.Millisecond).String())
}

func (c *Core) unhold(e *entry) {
	e.mu.Lock()
	e.holds, e.held, e.holdCause = 0, waiting{}, ""
	e.mu.Unlock()
}

// pause is the time until the next try: that of the backoff, or a longer one that the cloud asks for.
func pause(err error, delay time.Duration) time.Duration {
	var ce *cloud.Error
	if errors.As(err, &ce) {
		return max(delay, ce.RetryAfter)
	}
	return delay
}

// backoff is the record's note of a failure. certain says that the server was certainly not reset.
func (c *Core) backoff(a *Account, err error, certain bool) Backoff {
	b := Backoff{LastError: err.Error(), LastErrorTime: c.opts.Now()}
	if a.Backoff != nil {
		b.Failures, b.Uncertain = a.Backoff.Failures, a.Backoff.Uncertain
	}
	b.Failures++
	random := c.opts.Random()
	delay := backoffDelay(b.Failures, maxBackoff, random)
	if !certain {
		b.Uncertain++
		delay = max(delay, backoffDelay(b.Uncertain, maxUncertainBackoff, random))
	}
	b.NotBefore = b.LastErrorTime.Add(pause(err, delay))
	return b
}

// clearInitial deletes the cloud's copy of an initial password that is safely stored (rule 17).
func (c *Core) clearInitial(ctx context.Context, e *entry, n *connection, live *Connection) error {
	clearer, ok := live.Provider.(cloud.InitialPasswordClearer)
	if !ok {
		c.hold(e, fmt.Errorf("provider %s cannot clear initial passwords", live.ProviderName))
		return nil
	}
	call, cancel := context.WithTimeout(ctx, live.RequestTimeout+gatePatience)
	err := clearer.ClearInitialPassword(call, e.id.InstanceID)
	cancel()
	n.breaker.reportCall(ctx, c.opts.Now(), err)
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		c.hold(e, err)
		return nil
	}
	c.unhold(e)
	return c.apply(ctx, e, initialCleared{at: c.opts.Now(), place: live.Place})
}
