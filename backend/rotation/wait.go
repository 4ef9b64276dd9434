package rotation

import (
	"context"
	"errors"
	"time"
)

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
