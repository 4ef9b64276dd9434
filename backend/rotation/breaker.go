package rotation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	// breakerThreshold is how many failures in a row open a breaker.
	breakerThreshold = 5
	breakerMinOpen   = 2 * time.Second
	breakerMaxOpen   = 30 * time.Second
)

// breaker keeps a connection whose cloud does not answer from being asked by every account. Closed,
// it lets everything pass; open, nothing; after a while one call tries.
type breaker struct {
	mu       sync.Mutex
	failures int
	open     time.Duration // how long it stays open; 0: closed
	until    time.Time
	probing  bool
	cause    hint.Text
}

// wait returns how long to hold a call back; 0 means that it may be made, and that its outcome must
// be told to report.
func (b *breaker) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.open == 0:
		return 0
	case now.Before(b.until):
		return b.until.Sub(now)
	case b.probing:
		return breakerMinOpen
	}
	b.probing = true
	return 0
}

// state is for status and messages.
func (b *breaker) state(now time.Time) (open bool, retryIn time.Duration, cause hint.Text) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open > 0, max(b.until.Sub(now), 0), b.cause
}

// report takes the outcome of a call. Only failures that speak of the connection as a whole count.
func (b *breaker) report(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch cloud.KindOf(err) {
	case cloud.Unavailable, cloud.Unknown, cloud.Denied, cloud.Throttled:
		b.failures++
		b.cause = hint.Of(err)
		if b.failures >= breakerThreshold && !now.Before(b.until) { // calls that were under way when it opened prove nothing new
			b.open = min(max(b.open*2, breakerMinOpen), breakerMaxOpen)
			b.until = now.Add(b.open)
		}
	default: // an answer, good or bad
		b.failures, b.open, b.cause = 0, 0, hint.Text{}
	}
}

// reportCall is report for a call made for somebody, in whose context that is. Neither that they went away nor
// that this process had no turn for the call tells anything about the cloud; nor does what is told of one server alone.
func (b *breaker) reportCall(ctx context.Context, now time.Time, err error) {
	kind := cloud.KindOf(err)
	ofOneServer := errors.Is(err, cloud.ErrNoTurn) || errors.Is(err, cloud.ErrOneServer)
	if ofOneServer || ctx.Err() != nil && (kind == cloud.Unavailable || kind == cloud.Unknown) {
		b.release()
		return
	}
	b.report(now, err)
}

// shift keeps the time until the next try after a step of the clock.
func (b *breaker) shift(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.until.IsZero() {
		b.until = b.until.Add(by)
	}
}

// release gives back a permission that led to no call.
func (b *breaker) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}
