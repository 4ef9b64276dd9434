package rotation

import (
	"time"
)

const (
	minBackoff = 2 * time.Second
	maxBackoff = 5 * time.Minute
)

// backoffDelay is the time until the next try after that many failures in a row: doubling from
// minBackoff to maxBackoff, with a jitter of up to a fifth off, drawn by random in [0,1). The number of
// failures is in the account's record, so that a restart does not start over; that is why this is
// no stateful library.
func backoffDelay(failures int, random float64) time.Duration {
	d := maxBackoff
	if failures < 16 {
		d = min(minBackoff<<max(failures-1, 0), maxBackoff)
	}
	return d - time.Duration(random*float64(d)/5)
}
