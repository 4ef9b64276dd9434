package protocol

// The pauses between an account's attempts: after failures, and by its role's min_reset_interval.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	MinBackoff = 2 * time.Second
	MaxBackoff = 5 * time.Minute
	// MaxUncertainBackoff is for failures after which the server may have been reset. Since the pauses double,
	// the last one is about as long as the trouble has lasted.
	MaxUncertainBackoff = time.Hour
)

// BackoffDelay is the time until the next try after that many failures in a row: doubling from
// MinBackoff to most, with a jitter of up to a fifth off, drawn by random in [0,1). The number of
// failures is in the account's record, so that a restart does not start over; that is why this is
// no stateful library.
func BackoffDelay(failures int, most time.Duration, random float64) time.Duration {
	d := most
	if failures < 16 {
		d = min(MinBackoff<<max(failures-1, 0), most)
	}
	return d - time.Duration(random*float64(d)/5)
}

// A pause that was stored at a time which is still to come was stored before the clock was set back. Waiting for
// it could take as long as that step, so it counts as over.

// backsOff is when the pause after failures ends; a time that has passed, or zero: there is none.
func (a *Account) backsOff(now time.Time) time.Time {
	if b := a.Backoff; b != nil && !now.Before(b.LastErrorTime) {
		return b.NotBefore
	}
	return time.Time{}
}

// lastError continues a sentence with the last failure, if there is one.
func (a *Account) lastError() hint.Text {
	if a.Backoff == nil || a.Backoff.LastError.IsZero() {
		return hint.Text{}
	}
	return hint.Plain("; last error: ").Add(a.Backoff.LastError)
}

// nextReset is when min_reset_interval allows the next value to be begun; a time that has passed, or zero:
// now.
func (a *Account) nextReset(now time.Time) time.Time {
	return a.spaced(a.LastReset, now)
}

// nextAttempt is when min_reset_interval allows another attempt after one that may have reset the server without
// success.
func (a *Account) nextAttempt(now time.Time) time.Time {
	if a.Pending == nil {
		return time.Time{}
	}
	return a.spaced(a.Pending.Spent, now)
}

// spaced is when min_reset_interval has passed since a time; zero: now.
func (a *Account) spaced(last, now time.Time) time.Time {
	if every := a.Settings.MinResetInterval; every > 0 && !last.IsZero() && !now.Before(last) {
		return last.Add(every)
	}
	return time.Time{}
}
