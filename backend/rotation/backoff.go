package rotation

import (
	"time"
)

const (
	minBackoff = 2 * time.Second
	maxBackoff = 5 * time.Minute
	// maxUncertainBackoff is for failures after which the server may have been reset. Since the pauses double,
	// the last one is about as long as the trouble has lasted.
	maxUncertainBackoff = time.Hour
)

// backoffDelay is the time until the next try after that many failures in a row: doubling from
// minBackoff to most, with a jitter of up to a fifth off, drawn by random in [0,1). The number of
// failures is in the account's record, so that a restart does not start over; that is why this is
// no stateful library.
func backoffDelay(failures int, most time.Duration, random float64) time.Duration {
	d := most
	if failures < 16 {
		d = min(minBackoff<<max(failures-1, 0), most)
	}
	return d - time.Duration(random*float64(d)/5)
}
