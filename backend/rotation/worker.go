package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// clockSkew is how far the clocks of this machine and of the cloud may differ, beyond what the
// signature's lifetime already contains: a request stamped by a clock that is ahead lives longer.
const clockSkew = 5 * time.Minute

// situate describes the present for plan. The caller holds e.mu.
func (c *Core) situate(e *entry) situation {
	now := c.opts.Now()
	s := situation{now: now, notBefore: e.holdUntil, nextPoll: e.pollAt, disagree: e.disagree(), rules: c.opts.rules}
	n := c.connection(e.id.Connection)
	n.mu.Lock()
	live := n.live
	n.mu.Unlock()
	if live != nil {
		s.traits = live.traits
	}
	s.settles = func(t Attempt) time.Time {
		var traits *cloud.ResetTraits
		if live != nil {
			traits = live.traits(t.Method)
		}
		if traits == nil {
			return e.holdUntil // the window is not known yet: the worker connects, or says why it cannot
		}
		window := settleWindow(*traits, t.Barrier, live, c.opts.rules)
		first, ok := e.seen[t.ID]
		if !ok {
			return now.Add(window)
		}
		return now.Add(window - time.Since(first))
	}
	return s
}

// settleWindow is the time after which nothing that an attempt sent can take effect any more
// (rule 10), counted from when the attempt was first seen: the time it may wait to be signed and
// sent, the exchange itself, the life of its signature, and the operation where the cloud does not
// order it with the next one: that of another method (barrier) it never orders.
func settleWindow(t cloud.ResetTraits, barrier bool, v *Connection, r rules) time.Duration {
	if r.shortSettleWindow {
		return v.RequestTimeout
	}
	w := sendPatience(v) + v.RequestTimeout + t.SignatureLifetime + clockSkew
	if !t.Serial || barrier {
		w += t.LongestOperation
	}
	return w
}

// sendPatience is how long a recorded attempt may wait for the connection's limiter before it is
// signed. Past it the request is not sent any more.
func sendPatience(v *Connection) time.Duration {
	patience := gatePatience
	if v.RequestsPerSecond > 0 {
		patience += time.Duration(2 / v.RequestsPerSecond * float64(time.Second))
	}
	return patience
}

// work does the next step of an account, if it is time. There is one worker per account: the queue
// never hands out an account that is being worked on (rule 2). Whatever happens, the queue asks for
// the account's plan again afterwards.
// remote says that it holds a permission to call the cloud.
func (c *Core) work(ctx context.Context, e *entry, remote bool) error {
	e.mu.Lock()
	if err := c.load(ctx, e); err != nil {
		e.mu.Unlock()
		return err
	}
	if e.rec == nil {
		e.mu.Unlock()
		return nil
	}
	rec, s := e.rec, c.situate(e)
	e.mu.Unlock()

	st, at := rec.plan(s)
	if st == stepNone || at.After(s.now) || st.callsCloud() && !remote {
		return nil
	}
	switch st {
	case stepLapse:
		return c.apply(ctx, e, lapsed{at: s.now})
	case stepSchedule:
		return c.apply(ctx, e, scheduled{at: s.now})
	case stepSettle:
		return c.settle(ctx, e, rec, s)
	}

	n, live, err := c.connect(ctx, e.id.Connection)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	if st == stepClear {
		return c.clearInitial(ctx, e, n, live)
	}
	r, err := live.resetter(rec.method(st))
	if err != nil {
		c.hold(e, err)
		return nil
	}
	switch {
	case st == stepRoll:
		return c.roll(ctx, e, rec, n, live, r)
	case st == stepBegin && rec.isGroup():
		return c.beginBatch(ctx, e, rec, live, false)
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

// method is the reset method that a step uses: that of the attempt which it asks about, else the role's.
func (a *Account) method(st step) string {
	if st == stepPoll {
		for _, t := range a.Pending.Attempts {
			if t.polled() {
				return t.Method
			}
		}
	}
	return a.Settings.ResetMethod
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
func (c *Core) hold(e *entry, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holds++
	delay := backoffDelay(e.holds, c.opts.Random())
	var ce *cloud.Error
	if errors.As(err, &ce) {
		delay = max(delay, ce.RetryAfter)
	}
	e.holdUntil = c.opts.Now().Add(delay)
	e.holdCause = err.Error()
	c.opts.Logger.Warn("account cannot be worked on now", "account", e.id.String(), "error", err, "retry_in", delay.Round(time.Millisecond).String())
}

func (c *Core) unhold(e *entry) {
	e.mu.Lock()
	e.holds, e.holdUntil, e.holdCause = 0, time.Time{}, ""
	e.mu.Unlock()
}

func (c *Core) backoff(a *Account, err error) Backoff {
	b := Backoff{Failures: 1, LastError: err.Error(), LastErrorTime: c.opts.Now()}
	if a.Backoff != nil {
		b.Failures = a.Backoff.Failures + 1
	}
	delay := backoffDelay(b.Failures, c.opts.Random())
	var ce *cloud.Error
	if errors.As(err, &ce) {
		delay = max(delay, ce.RetryAfter)
	}
	b.NotBefore = b.LastErrorTime.Add(delay)
	return b
}

// settle closes the attempts whose window has passed. The window is the connection's, which is made
// known first if it is not; that sends nothing.
func (c *Core) settle(ctx context.Context, e *entry, rec *Account, s situation) error {
	if s.traits == nil {
		if _, _, err := c.connect(ctx, e.id.Connection); err != nil {
			c.hold(e, err)
		} else {
			c.unhold(e)
		}
		return nil
	}
	var ids []string
	for _, t := range rec.settling(s.traits) {
		switch {
		case s.traits(t.Method) == nil:
			c.hold(e, fmt.Errorf("the account has an open attempt by the reset method %q, which this plugin version does not have; run the one that made it", t.Method))
			return nil
		case !s.settles(t).After(s.now):
			ids = append(ids, t.ID)
		}
	}
	return c.apply(ctx, e, settled{attempts: ids})
}

// missing retires an account whose instance the cloud says is terminated, or does not know twice in a
// row: a listing may miss an instance once.
func (c *Core) missing(ctx context.Context, e *entry, terminated bool) error {
	e.mu.Lock()
	e.misses++
	again := !terminated && e.misses < 2
	e.mu.Unlock()
	if again {
		c.hold(e, cloud.Errorf(cloud.NotFound, "the cloud does not know instance %s; it is asked once more", e.id.InstanceID))
		return nil
	}
	c.present(e)
	return c.apply(ctx, e, vanished{at: c.opts.Now()})
}

// present notes that the cloud knows the instance.
func (c *Core) present(e *entry) {
	e.mu.Lock()
	e.misses = 0
	e.mu.Unlock()
}

// seenBefore looks at the instance before an attempt: what the cloud shows as its latest operation,
// and whether the attempt makes sense now.
func (c *Core) seenBefore(ctx context.Context, e *entry, n *connection, live *Connection, r cloud.PasswordResetter) (operation string, ok bool, err error) {
	rec, found, err := c.record(ctx, n, r, live.RequestTimeout, cloud.ResetRef{InstanceID: e.id.InstanceID})
	if err != nil {
		c.hold(e, err)
		return "", false, nil
	}
	if !found || rec.Gone {
		return "", false, c.missing(ctx, e, found)
	}
	c.present(e)
	if rec.State == cloud.OperationRunning && r.ResetTraits().Serial {
		c.hold(e, cloud.Errorf(cloud.Refused, "another operation runs on instance %s; its end is waited for", e.id.InstanceID))
		return "", false, nil
	}
	return rec.OperationID, true, nil
}

// prepareTimeout bounds what a reset method needs to ask before it can send a password.
const prepareTimeout = 2 * time.Minute

// prepares reports whether a reset method needs to ask for something before it can reset an account.
func prepares(r cloud.PasswordResetter, a *Account) bool {
	p, ok := r.(cloud.ResetPreparer)
	return ok && p.Prepares(a.Facts.Platform)
}

// prepared asks for what the reset method needs before an attempt can be made; ok is false if the
// account is to wait.
func (c *Core) prepared(ctx context.Context, e *entry, rec *Account, r cloud.PasswordResetter) (prepared string, ok bool) {
	if !prepares(r, rec) {
		return "", true
	}
	p := r.(cloud.ResetPreparer)
	call, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	prepared, err := p.PrepareReset(call, resetOf(rec, "", ""))
	if err != nil {
		c.hold(e, err)
		return "", false
	}
	return prepared, true
}

// begin makes a new value, records it with its first attempt, and only then sends it.
func (c *Core) begin(ctx context.Context, e *entry, rec *Account, n *connection, live *Connection, r cloud.PasswordResetter) error {
	operation, ok, err := c.seenBefore(ctx, e, n, live, r)
	if !ok {
		return err
	}
	prepared, ok := c.prepared(ctx, e, rec, r)
	if !ok {
		return nil
	}
	value, err := c.newPassword(ctx, rec, live)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	t, err := c.newAttempt(rec.Settings.ResetMethod, operation)
	if err != nil {
		return err
	}
	if c.opts.rules.callBeforeWrite {
		id, err := r.StartReset(ctx, resetOf(rec, value, prepared))
		if err != nil {
			return err
		}
		if err := c.apply(ctx, e, begun{password: value, attempt: t}); err != nil {
			return err
		}
		return c.apply(ctx, e, accepted{attempt: t.ID, requestID: id.RequestID, at: c.opts.Now()})
	}
	next, err := c.update(ctx, e, begun{password: value, attempt: t})
	if err != nil {
		if errors.Is(err, errStale) {
			return nil
		}
		return err
	}
	return c.send(ctx, e, next, t, prepared, n, live, r)
}

// retry records another attempt of the same value, and sends it.
func (c *Core) retry(ctx context.Context, e *entry, rec *Account, n *connection, live *Connection, r cloud.PasswordResetter) error {
	operation, ok, err := c.seenBefore(ctx, e, n, live, r)
	if !ok {
		return err
	}
	prepared, ok := c.prepared(ctx, e, rec, r)
	if !ok {
		return nil
	}
	t, err := c.newAttempt(rec.Settings.ResetMethod, operation)
	if err != nil {
		return err
	}
	var ev event = retried{attempt: t}
	if c.opts.rules.newPasswordOnRetry {
		value, err := c.newPassword(ctx, rec, live)
		if err != nil {
			return err
		}
		ev = begun{password: value, attempt: t}
	}
	next, err := c.update(ctx, e, ev)
	if err != nil {
		if errors.Is(err, errStale) {
			return nil
		}
		return err
	}
	return c.send(ctx, e, next, t, prepared, n, live, r)
}

func (c *Core) newAttempt(method, operation string) (Attempt, error) {
	id, err := c.opts.NewID()
	if err != nil {
		return Attempt{}, err
	}
	return Attempt{ID: id, Started: c.opts.Now(), Method: method, SeenOperation: operation}, nil
}

func (c *Core) newPassword(ctx context.Context, rec *Account, live *Connection) (string, error) {
	policy := rec.Settings.PasswordPolicy
	if policy == "" {
		policy = live.PasswordPolicy
	}
	value, err := c.opts.Generate(ctx, policy, live.Provider.PasswordRules(rec.Facts.Instance(rec.InstanceID)), rec.Username)
	if err != nil {
		return "", fmt.Errorf("no password could be made: %w", err)
	}
	return value, nil
}

func resetOf(a *Account, value, prepared string) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{a.InstanceID}, Username: a.Username, Password: value, ForceStop: a.Settings.ForceStop,
		Platform: a.Facts.Platform, Prepared: prepared}
}

// send makes the one cloud call of a recorded attempt and records what is known of it then.
func (c *Core) send(ctx context.Context, e *entry, rec *Account, t Attempt, prepared string, n *connection, live *Connection, r cloud.PasswordResetter) error {
	return c.conclude(ctx, e, rec, t, c.call(ctx, n, live, r, resetOf(rec, rec.Pending.Password, prepared)), false, r)
}

// outcome is what is known of a reset request when its call returns.
type outcome struct {
	sent    bool
	started cloud.ResetStarted
	err     error
}

// call waits for the limiter and sends one reset request, signed then.
func (c *Core) call(ctx context.Context, n *connection, live *Connection, r cloud.PasswordResetter, reset cloud.Reset) outcome {
	stale := time.Now().Add(sendPatience(live))
	wait, cancel := context.WithDeadline(ctx, stale)
	err := n.gate.Wait(wait, r.ResetTraits().Action)
	cancel()
	if err != nil {
		return outcome{err: err}
	}
	call, cancel := context.WithTimeout(cloud.WithSendDeadline(ctx, stale), live.RequestTimeout)
	defer cancel()
	started, err := r.StartReset(call, reset)
	n.breaker.report(c.opts.Now(), err)
	return outcome{sent: true, started: started, err: err}
}

// conclude records what is known of an account's attempt. shared says that the request named other
// accounts too, so that a refusal may be about one of those.
func (c *Core) conclude(ctx context.Context, e *entry, rec *Account, t Attempt, o outcome, shared bool, r cloud.PasswordResetter) error {
	if !o.sent {
		return c.recordOutcome(ctx, e, unsent{attempt: t.ID})
	}
	c.unhold(e)
	started, err := o.started, o.err
	switch kind := cloud.KindOf(err); {
	case err == nil && started.Done:
		c.opts.Logger.Info("account rotated", "account", e.id.String())
		return c.recordOutcome(ctx, e, confirmed{attempt: t.ID, at: c.opts.Now()})
	case err == nil:
		e.mu.Lock()
		e.pollAt = c.opts.Now().Add(r.ResetTraits().PollInterval)
		e.mu.Unlock()
		return c.recordOutcome(ctx, e, accepted{attempt: t.ID, requestID: started.RequestID, at: c.opts.Now()})
	case !kind.CertainlyNothingDone():
		c.opts.Logger.Warn("reset with unknown outcome; the same password will be sent again", "account", e.id.String(), "error", err)
		return c.recordOutcome(ctx, e, unknown{attempt: t.ID, backoff: c.backoff(rec, err)})
	default:
		c.opts.Logger.Warn("reset refused", "account", e.id.String(), "kind", string(kind), "error", err)
		if err := c.recordOutcome(ctx, e, refused{attempt: t.ID, passwordRefused: kind == cloud.PasswordRefused, backoff: c.backoff(rec, err)}); err != nil {
			return err
		}
		if kind == cloud.NotFound && !shared {
			return c.missing(ctx, e, false)
		}
		return nil
	}
}

// recordOutcome is apply for what is known only to this process until it is written: it tries three times.
// If all fail nothing is lost, since the attempt itself is recorded: it stays open.
func (c *Core) recordOutcome(ctx context.Context, e *entry, ev event) error {
	var err error
	for range 3 {
		if err = c.apply(ctx, e, ev); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// maxReason is how many characters of what a cloud says about a failed reset are kept.
const maxReason = 300

// poll looks at the cloud's record of the pending's accepted attempt.
func (c *Core) poll(ctx context.Context, e *entry, rec *Account, n *connection, live *Connection, r cloud.PasswordResetter) error {
	traits := r.ResetTraits()
	ref := cloud.ResetRef{InstanceID: e.id.InstanceID}
	graceOver := false
	e.mu.Lock()
	e.pollAt = c.opts.Now().Add(traits.PollInterval)
	for _, t := range rec.Pending.Attempts {
		if t.polled() {
			ref.RequestID = t.RequestID
			if first, ok := e.shown[t.ID]; ok && time.Since(first) > traits.VisibilityGrace {
				graceOver = true
			}
		}
	}
	e.mu.Unlock()
	record, found, err := c.record(ctx, n, r, live.RequestTimeout, ref)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	c.unhold(e)
	if !found || record.Gone {
		return c.missing(ctx, e, found)
	}
	c.present(e)
	message := cloud.OneLine(cloud.Redact(record.Message, rec.Pending.Password), maxReason)
	if message == "" {
		message = "the cloud reported that the reset failed, without a reason"
	}
	before := rec.LastVersion
	next, err := c.update(ctx, e, observed{
		record: record, graceOver: graceOver, at: c.opts.Now(),
		backoff: c.backoff(rec, errors.New(message)),
	})
	switch {
	case errors.Is(err, errNoChange) || errors.Is(err, errStale):
		return nil
	case err == nil && next.LastVersion > before:
		c.opts.Logger.Info("account rotated", "account", e.id.String(), "version", next.LastVersion)
	case err == nil && record.State == cloud.OperationFailed:
		c.opts.Logger.Warn("the cloud reported a failed reset; the password is kept", "account", e.id.String(), "reason", message)
	}
	return err
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
	n.breaker.report(c.opts.Now(), err)
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		c.hold(e, err)
		return nil
	}
	c.unhold(e)
	return c.apply(ctx, e, initialCleared{at: c.opts.Now()})
}
