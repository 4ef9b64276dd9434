package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
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
	st, at := rec.Plan(s)
	if st == protocol.StepNone || at.After(s.Now) || st.CallsCloud() && !remote {
		return nil
	}
	switch st {
	case protocol.StepExpire:
		if rec.Ahead(s.Clock.Latest()) {
			return c.apply(ctx, e, protocol.TimesCorrected{Now: s.Now, By: c.clock.back()})
		}
		return c.apply(ctx, e, protocol.LeasesExpired{At: s.Clock.Earliest()})
	case protocol.StepSchedule:
		if rec.Timetable().TooFarAhead(rec.NextRotation, s.Clock.Latest()) {
			return c.apply(ctx, e, protocol.RotationScheduled{At: s.Clock.Latest()})
		}
		return c.apply(ctx, e, protocol.RotationScheduled{At: s.Clock.Earliest()})
	case protocol.StepSettle:
		return c.settle(ctx, e, rec, s)
	case protocol.StepRollout:
		return c.rollOut(ctx, e, rec)
	case protocol.StepPlace:
		return c.relocate(ctx, e, s.Place)
	}

	to, err := c.session(ctx, e.id.Connection)
	if err != nil {
		c.delay(e, err)
		return nil
	}
	if m := to.moved(s.Now); m.Changes(rec) {
		return c.relocate(ctx, e, m)
	}
	if st == protocol.StepClear {
		return c.clearInitial(ctx, e, to)
	}
	if to, err = to.with(rec.Method(st)); err != nil {
		c.delay(e, err)
		return nil
	}
	group, member := rec.Group()
	switch {
	case st == protocol.StepJoint:
		return c.sendTogether(ctx, e, rec, to)
	case st == protocol.StepBegin && rec.IsGroup():
		return c.beginBatch(ctx, e, rec, to, false)
	case st == protocol.StepBegin && member:
		return c.sendMember(ctx, e, rec, group, to)
	}
	switch st {
	case protocol.StepBegin:
		return c.begin(ctx, e, rec, to)
	case protocol.StepRetry:
		return c.retry(ctx, e, rec, to)
	case protocol.StepPoll:
		return c.poll(ctx, e, rec, to)
	}
	return nil
}

// presently returns an account's record, which may be nil, and the present for its plan.
func (c *Core) presently(ctx context.Context, e *entry) (*Account, protocol.PlanInput, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil || e.rec == nil {
		return nil, protocol.PlanInput{}, err
	}
	return e.rec, c.planInput(e), nil
}

// apply is update for events whose result nobody needs; a change that is not needed is no error.
func (c *Core) apply(ctx context.Context, e *entry, ev protocol.Event) error {
	_, err := c.update(ctx, e, ev)
	if errors.Is(err, protocol.ErrNoChange) || errors.Is(err, protocol.ErrStale) {
		return nil
	}
	return err
}

// delay notes a failure that happened before anything was recorded: it costs no write, and a restart
// simply tries again.
func (c *Core) delay(e *entry, err error) { c.delayFor(e, protocol.ForBackoff, err) }

// delayFor is delay with what is waited for.
func (c *Core) delayFor(e *entry, cause protocol.Cause, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delays++
	delay := pause(err, protocol.BackoffDelay(e.delays, protocol.MaxBackoff, c.opts.Random()))
	e.delayed = protocol.Waiting{Until: c.opts.Now().Add(delay), Cause: cause}
	e.delayCause = hint.Of(err)
	c.opts.Logger.Warn("account cannot be worked on now", "account", e.id.String(), "error", err, "retry_in",
		delay.Round(time.Millisecond).String())
}

func (c *Core) clearDelay(e *entry) {
	e.mu.Lock()
	e.delays, e.delayed, e.delayCause = 0, protocol.Waiting{}, hint.Text{}
	e.mu.Unlock()
}

// pause is the time until the next try: that of the backoff, or a longer one that the cloud asks for.
func pause(err error, delay time.Duration) time.Duration {
	if failed := cloud.AsError(err); failed != nil {
		return max(delay, failed.RetryAfter)
	}
	return delay
}

// backoff is the record's note of a failure. certain says that the server was certainly not reset.
func (c *Core) backoff(a *Account, err error, certain bool) protocol.Backoff {
	b := protocol.Backoff{LastError: hint.Of(err), LastErrorTime: c.opts.Now()}
	if a.Backoff != nil {
		b.Failures, b.Uncertain = a.Backoff.Failures, a.Backoff.Uncertain
	}
	b.Failures++
	random := c.opts.Random()
	delay := protocol.BackoffDelay(b.Failures, protocol.MaxBackoff, random)
	if !certain {
		b.Uncertain++
		delay = max(delay, protocol.BackoffDelay(b.Uncertain, protocol.MaxUncertainBackoff, random))
	}
	b.NotBefore = b.LastErrorTime.Add(pause(err, delay))
	return b
}

// clearInitial deletes the cloud's copy of an initial password that is safely stored (rule 17).
func (c *Core) clearInitial(ctx context.Context, e *entry, to session) error {
	clearer, ok := to.Provider.(cloud.InitialPasswordClearer)
	if !ok {
		c.delay(e, fmt.Errorf("provider %s cannot clear initial passwords", to.ProviderName))
		return nil
	}
	call, cancel := context.WithTimeout(ctx, to.RequestTimeout+limiterTimeout)
	err := clearer.ClearInitialPassword(call, e.id.InstanceID)
	cancel()
	to.state.breaker.reportCall(ctx, c.opts.Now(), err)
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		c.delay(e, err)
		return nil
	}
	c.clearDelay(e)
	return c.apply(ctx, e, protocol.InitialPasswordCleared{At: c.opts.Now(), Place: to.Place})
}
