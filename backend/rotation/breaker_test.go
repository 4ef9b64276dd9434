package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

func TestBackoffDelay(t *testing.T) {
	for _, c := range []struct {
		failures int
		random   float64
		want     time.Duration
	}{
		{1, 0, 2 * time.Second},
		{2, 0, 4 * time.Second},
		{5, 0, 32 * time.Second},
		{8, 0, 256 * time.Second},
		{9, 0, protocol.MaxBackoff},
		{1000, 0, protocol.MaxBackoff}, // no overflow
		{0, 0, protocol.MinBackoff},
		{-1, 0, protocol.MinBackoff},
		{1, 0.5, 1800 * time.Millisecond},
		{9, 0.999999, 240*time.Second + 60*time.Microsecond},
	} {
		if got := protocol.BackoffDelay(c.failures, protocol.MaxBackoff, c.random); got != c.want {
			t.Errorf("after %d failures with %v drawn: %s, want %s", c.failures, c.random, got, c.want)
		}
	}
}

// trip reports failures until the breaker opens.
func tripped(now time.Time) *breaker {
	b := &breaker{}
	for range breakerThreshold {
		b.report(now, cloud.Errorf(cloud.Unavailable, "no route"))
	}
	return b
}

func TestBreakerOpensAndProbes(t *testing.T) {
	b, now := tripped(t0), t0
	open, retry, cause := b.state(now)
	is(t, "open", open, true)
	is(t, "retry", retry, breakerMinOpen)
	is(t, "cause", cause.String(), "no route")
	is(t, "wait", b.wait(now), breakerMinOpen)

	now = now.Add(breakerMinOpen)
	is(t, "one call tries", b.wait(now), 0)
	is(t, "the others wait for it", b.wait(now), breakerMinOpen)
	b.report(now, cloud.Errorf(cloud.Unknown, "still nothing"))
	is(t, "it stays open for longer", b.wait(now), 2*breakerMinOpen)

	now = now.Add(2 * breakerMinOpen)
	is(t, "one call tries again", b.wait(now), 0)
	b.report(now, nil)
	is(t, "closed", b.wait(now), 0)
	is(t, "closed for all", b.wait(now), 0)
	open, _, _ = b.state(now)
	is(t, "open", open, false)
}

func TestBreakerStaysOpenForABoundedTime(t *testing.T) {
	b, now := tripped(t0), t0
	for range 20 {
		now = now.Add(b.wait(now))
		is(t, "one call tries", b.wait(now), 0)
		b.report(now, cloud.Errorf(cloud.Throttled, "slow down"))
	}
	is(t, "wait", b.wait(now), breakerMaxOpen)
}

func TestBreakerCountsWhatSpeaksOfTheConnection(t *testing.T) {
	for kind, counts := range map[cloud.Kind]bool{cloud.Unavailable: true, cloud.Unknown: true, cloud.Denied: true, cloud.Throttled: true,
		cloud.NotFound: false, cloud.NotReady: false, cloud.Refused: false, cloud.PasswordRefused: false} {
		b := &breaker{}
		for range 2 * breakerThreshold {
			b.report(t0, cloud.Errorf(kind, "x"))
		}
		is(t, string(kind)+" opens the breaker", b.wait(t0) > 0, counts)
	}
}

func TestBreakerIsNotHeldByACallThatWasNotMade(t *testing.T) {
	b := tripped(t0)
	now := t0.Add(breakerMinOpen)
	is(t, "permission", b.wait(now), 0)
	b.release()
	is(t, "the next one", b.wait(now), 0)
}

func TestBreakerIgnoresCallsThatWereUnderWayWhenItOpened(t *testing.T) {
	b := tripped(t0)
	for range 100 {
		b.report(t0.Add(time.Second), cloud.Errorf(cloud.Unknown, "late"))
	}
	is(t, "wait", b.wait(t0.Add(breakerMinOpen)), 0)
}
