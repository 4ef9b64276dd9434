package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// patientTries is how often a request is sent at most.
	patientTries = 3
	// patientPause is the longest pause between two tries. A cloud that asks for a longer one gets it from
	// the client, who is told.
	patientPause = 5 * time.Second
)

// Patiently makes a request, and makes it again if a client waits for it (see WithInteractive) and the
// cloud refused it as one too many. A listing of many pages would fail otherwise because one page of it came
// a moment too early, or another program used up the account's limit. A throttled request has
// done nothing, whatever it was to do. Where nobody waits, the rotation core comes back by itself, and its
// circuit breaker is to see every refusal.
//
// The pause is the one that the cloud asked for, or about half a second and then a second. If it does not
// fit into ctx, and after three tries, the cloud's answer is returned as it came.
func Patiently(ctx context.Context, request func() error) error {
	pauses := backoff.NewExponentialBackOff(backoff.WithMultiplier(2))
	for try := 1; ; try++ {
		err := request()
		var refused *Error
		if try == patientTries || !IsInteractive(ctx) || !errors.As(err, &refused) || refused.Kind != Throttled {
			return err
		}
		pause := pauses.NextBackOff()
		if refused.RetryAfter > 0 {
			pause = refused.RetryAfter
		}
		if end, ok := ctx.Deadline(); pause > patientPause || ok && time.Until(end) <= pause {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
