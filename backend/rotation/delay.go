package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// delay notes a failure that happened before anything was recorded: it costs no write, and a restart
// simply tries again.
func (p *planner) delay(e *entry, err error) { p.delayFor(e, protocol.ForBackoff, err) }

// delayFor is delay with what is waited for.
func (p *planner) delayFor(e *entry, cause protocol.Cause, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delay.failures++
	delay := pause(err, protocol.BackoffDelay(e.delay.failures, protocol.MaxBackoff, p.opts.Random()))
	e.delay.hold(p.opts.Now().Add(delay), cause, err)
	p.opts.Logger.Warn("account cannot be worked on now", "account", e.id.String(), "error", err, "retry_in",
		delay.Round(time.Millisecond).String())
}

func (p *planner) clearDelay(e *entry) {
	e.mu.Lock()
	e.delay.clear()
	e.mu.Unlock()
}

// delayPanicked holds an account back whose step, or whose plan, has panicked: it would do that again. What was
// cached is read again, since the panic may have come in the middle of a change.
func (p *planner) delayPanicked(e *entry, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.delayPanickedLocked(e, err)
}

// delayPanickedLocked is delayPanicked for who holds e.mu.
func (p *planner) delayPanickedLocked(e *entry, err error) {
	e.delay.panics++
	e.unload()
	e.delay.hold(p.opts.Now().Add(protocol.BackoffDelay(e.delay.panics, protocol.MaxBackoff, p.opts.Random())), protocol.ForBackoff, err)
	p.scheduleAt(e, protocol.StepNone, e.delay.wait.Until)
}

// pause is the time until the next try: that of the backoff, or a longer one that the cloud asks for.
func pause(err error, delay time.Duration) time.Duration {
	if failed := cloud.AsError(err); failed != nil {
		return max(delay, failed.RetryAfter)
	}
	return delay
}

// backoff is the record's note of a failure. certain says that the server was certainly not reset.
func (p *planner) backoff(a *Account, err error, certain bool) protocol.Backoff {
	b := protocol.Backoff{LastError: hint.Of(err), LastErrorTime: p.opts.Now()}
	if a.Backoff != nil {
		b.Failures, b.Uncertain = a.Backoff.Failures, a.Backoff.Uncertain
	}
	b.Failures++
	random := p.opts.Random()
	delay := protocol.BackoffDelay(b.Failures, protocol.MaxBackoff, random)
	if !certain {
		b.Uncertain++
		delay = max(delay, protocol.BackoffDelay(b.Uncertain, protocol.MaxUncertainBackoff, random))
	}
	b.NotBefore = b.LastErrorTime.Add(pause(err, delay))
	return b
}
