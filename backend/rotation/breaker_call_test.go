package rotation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestOnlyTheCloudOpensTheBreaker(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter(1)
		if err := g.Wait(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		patience, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		noTurn := g.Wait(patience, "a")
		ownTurn := &cloud.Error{Kind: cloud.Unavailable, Err: errors.Join(cloud.ErrNoTurn, context.DeadlineExceeded)}
		timeout := cloud.Transport("a", context.DeadlineExceeded)
		for name, c := range map[string]struct {
			ctx   context.Context
			err   error
			opens bool
		}{
			"no turn in the limiter":         {t.Context(), noTurn, false},
			"no turn of the provider's own":  {t.Context(), ownTurn, false},
			"one server hangs":               {t.Context(), &cloud.Error{Kind: cloud.Unknown, Err: cloud.ErrOneServer}, false},
			"the caller left":                {gone, cloud.Transport("a", context.Canceled), false},
			"the caller left before sending": {gone, noTurn, false},
			"the cloud hangs":                {t.Context(), timeout, true},
			"the cloud refuses as they left": {gone, cloud.Errorf(cloud.Denied, "no"), true},
			"throttled as they left":         {gone, cloud.Errorf(cloud.Throttled, "no"), true},
		} {
			var b breaker
			for range 2 * breakerThreshold {
				b.reportCall(c.ctx, t0, c.err)
			}
			open, _, _ := b.state(t0)
			is(t, name, open, c.opens)
		}
		// Who tried and left lets another one try.
		b := tripped(t0)
		now := t0.Add(time.Hour)
		is(t, "one tries", b.wait(now), 0)
		b.reportCall(gone, now, cloud.Transport("a", context.Canceled))
		open, _, _ := b.state(now)
		is(t, "still open", open, true)
		is(t, "another one tries", b.wait(now), 0)
		<-time.After(2 * time.Second) // until the limiter has seen that nobody waits
	})
}
