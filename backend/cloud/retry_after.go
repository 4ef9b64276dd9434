package cloud

import (
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter bounds the pause that a cloud can ask for. A quota that is counted by the hour asks for no more; who
// asks for longer is a false or broken endpoint, which must not stop a connection's rotations for days.
const MaxRetryAfter = time.Hour

// RetryAfter reads a Retry-After header (RFC 9110, 10.2.3): seconds or an HTTP date. It is 0 where that is neither, or
// is over already.
func RetryAfter(header string, now time.Time) time.Duration {
	var pause time.Duration
	if seconds, err := strconv.Atoi(header); err == nil {
		pause = time.Duration(min(max(seconds, 0), int(MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		pause = at.Sub(now)
	}
	return min(max(pause, 0), MaxRetryAfter)
}
