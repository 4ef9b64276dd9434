package cloud

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// throttledTries is how often a request is sent at most.
	throttledTries = 3
	// longestPause is the longest pause between two tries. A cloud that asks for a longer one gets it from
	// the client, who is told.
	longestPause = 5 * time.Second
)

// RetryThrottled sends a request, and sends it again if a client waits for it (see WithInteractive) and the
// cloud refused it as one too many. A listing of many pages would fail otherwise because one page of it came
// a moment too early, or another program used up the account's limit. A throttled request has
// done nothing, whatever it was to do. Where nobody waits, the rotation core comes back by itself, and its
// circuit breaker is to see every refusal.
//
// The pause is the one that the cloud asked for, or about half a second and then a second. If it does not
// fit into ctx, and after three tries, the cloud's answer is returned as it came.
func RetryThrottled(ctx context.Context, request func() error) error {
	if !IsInteractive(ctx) {
		return request()
	}
	pauses := &throttlePauses{BackOff: backoff.NewExponentialBackOff(backoff.WithMultiplier(2)), ctx: ctx}
	_ = backoff.Retry(func() error {
		pauses.answer = request()
		if KindOf(pauses.answer) != Throttled {
			return nil
		}
		return pauses.answer
	}, backoff.WithContext(backoff.WithMaxRetries(pauses, throttledTries-1), ctx))
	return pauses.answer
}

// throttlePauses is the pause before each further try: the one that the cloud asked for, or that of its BackOff.
type throttlePauses struct {
	backoff.BackOff
	ctx context.Context
	// answer is the cloud's last.
	answer error
}

// NextBackOff implements backoff.BackOff.
func (p *throttlePauses) NextBackOff() time.Duration {
	pause := p.BackOff.NextBackOff()
	if asked := AsError(p.answer).RetryAfter; asked > 0 {
		pause = asked
	}
	if end, ok := p.ctx.Deadline(); pause > longestPause || ok && time.Until(end) <= pause {
		return backoff.Stop
	}
	return pause
}
