package rotation

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// queueHost is what the queues ask of the engine: their Host.
type queueHost struct{ x *executor }

func (h queueHost) Now() time.Time { return h.x.opts.Now() }

func (h queueHost) RequestsPerSecond(connection string) float64 {
	return h.x.connection(connection).requestsPerSecond()
}

func (h queueHost) Held(connection string, now time.Time) time.Duration {
	return h.x.connection(connection).breaker.wait(now)
}

func (h queueHost) Woken(ctx context.Context, connection string) {
	h.x.opts.turn(ctx, ID{Connection: connection})
}

func (h queueHost) Serve(connection string, e *entry, remote bool, done func()) {
	h.x.serve(e, func() {
		if remote {
			h.x.connection(connection).breaker.release()
		}
		done()
	}, remote)
}

// serve runs one worker step and puts the account back into the queue. done ends the worker's part in the queue.
func (x *executor) serve(e *entry, done func(), remote bool) {
	x.opts.turn(x.ctx, e.id)
	err := guard.Do(x.opts.Logger, "a step of account "+e.id.String(), func() error { return x.work(x.ctx, e, remote) })
	if err = guard.Do(x.opts.Logger, "the plan of account "+e.id.String(),
		func() error { x.putBack(e, done, err); return nil }); err != nil {
		x.delayPanicked(e, err)
	}
}

// putBack puts an account back into its queue after a worker's step.
func (x *executor) putBack(e *entry, done func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	done()
	if x.ctx.Err() != nil {
		return
	}
	if guard.Panicked(err) {
		x.delayPanickedLocked(e, err)
		return
	}
	if err != nil {
		x.opts.Logger.Error("a step of an account failed and will be tried again", "account", e.id.String(), "error", err)
		e.unload()
		x.scheduleAt(e, protocol.StepNone, x.opts.Now().Add(protocol.MinBackoff))
		return
	}
	if err := x.load(x.ctx, e); err != nil {
		x.scheduleAt(e, protocol.StepNone, x.opts.Now().Add(protocol.MinBackoff))
		return
	}
	x.schedule(e)
	e.delay.panics = 0
}
