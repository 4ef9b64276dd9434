package protocol

// The pauses between the attempts of an account: after failures, and by its role's least time between resets.

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

// What was stored at a time that is still to come speaks of a clock that has been set back since: waiting
// for it could take as long as that step, so it counts as past.

// backsOff is until when the account is held back after failures; a time that has passed, or zero: it is
// not.
func (a *Account) backsOff(now time.Time) time.Time {
	if b := a.Backoff; b != nil && !now.Before(b.LastErrorTime) {
		return b.NotBefore
	}
	return time.Time{}
}

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

// nextAttempt is when min_reset_interval allows the next attempt after one that may have reset the server to
// no avail.
func (a *Account) nextAttempt(now time.Time) time.Time {
	if a.Pending == nil {
		return time.Time{}
	}
	return a.spaced(a.Pending.Spent, now)
}

func (a *Account) spaced(last, now time.Time) time.Time {
	if every := a.Settings.MinResetInterval; every > 0 && !last.IsZero() && !now.Before(last) {
		return last.Add(every)
	}
	return time.Time{}
}
