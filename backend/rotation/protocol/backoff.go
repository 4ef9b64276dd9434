package protocol

import (
	"time"
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
