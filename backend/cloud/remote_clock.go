package cloud

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// Clocks is what this machine's two clocks show at one moment. The monotonic one stands still while the machine is suspended, and
// the wall clock may be set.
type Clocks struct {
	// Mono is monotonic: only differences between two of them mean something.
	Mono time.Time
	Wall time.Time
}

// ReadClocks reads both clocks now.
func ReadClocks() Clocks {
	now := time.Now()
	return Clocks{Mono: now, Wall: now.Round(0)}
}

const (
	// dateResolution is that of a Date header.
	dateResolution = time.Second
	// maxRoundTrip is how long an exchange may take whose answer's Date is learned: the cloud may have stamped it at
	// any moment in between.
	maxRoundTrip = 5 * time.Second
	// maxDateAge is how long a Date is used.
	maxDateAge = 2 * time.Minute
	// maxDisagreement is how far our two clocks may run apart while a Date is used.
	maxDisagreement = 2 * time.Second
	// maxBehind is how far our wall clock may be behind a Date that is used. Further, either that clock is slow, or Date was
	// stamped by a host whose clock is ahead, such as a proxy's; which one it is cannot be told.
	maxBehind = 30 * time.Second

	// RemoteClockError is how far RemoteClock.Earliest may be behind the clock that stamped the last Date.
	RemoteClockError = maxRoundTrip + dateResolution + maxDisagreement
)

// Why a remote clock cannot be told.
var (
	errNoDate       = errors.New("no answer has told the cloud's time yet")
	errDateTooOld   = errors.New("the last answer that told the cloud's time is too old")
	errClocksDiffer = errors.New("this machine's clock was set, or the machine was suspended, since an answer told the cloud's time")
	errClockBehind  = errors.New("this machine's clock is behind the time in the cloud's answers")
)

// RemoteClock is what the Date headers of a cloud's answers tell of its clock. It is safe for concurrent use; the zero value
// knows nothing yet.
//
// It errs to one side only. A Date was stamped at some moment before its answer came, and cut to a second: the cloud's clock
// showed at least that when the answer came. What has passed since then is counted by the monotonic clock, which may stop but
// never hurries, and by the wall clock, whichever shows less. So the cloud's clock shows at least what Earliest says, as far as
// the host that stamped Date has the time of the one that is asked about.
type RemoteClock struct {
	mu   sync.Mutex
	date time.Time // zero: nothing is known
	got  Clocks    // when the answer came that had it
}

// Learn notes the Date header of an answer to a request that was sent and answered then. What tells too little is left out.
func (c *RemoteClock) Learn(date string, sent, got Clocks) {
	if took := got.Mono.Sub(sent.Mono); took < 0 || took > maxRoundTrip || apart(sent, got) > maxDisagreement {
		return
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.date, c.got = at, got
}

// Earliest is a time that the cloud's clock has reached now, and by no more than RemoteClockError passed. It is an error if that is
// not known, or not certain any more: the next answer tells.
func (c *RemoteClock) Earliest(now Clocks) (time.Time, error) {
	c.mu.Lock()
	date, got := c.date, c.got
	c.mu.Unlock()
	mono, wall := now.Mono.Sub(got.Mono), now.Wall.Sub(got.Wall)
	switch {
	case date.IsZero():
		return time.Time{}, errNoDate
	case apart(got, now) > maxDisagreement:
		return time.Time{}, errClocksDiffer
	case mono < 0 || mono > maxDateAge:
		return time.Time{}, errDateTooOld
	}
	at := date.Add(max(min(mono, wall), 0))
	if at.Sub(now.Wall) > maxBehind {
		return time.Time{}, errClockBehind
	}
	return at, nil
}

// apart is how far the two clocks have run apart between two moments.
func apart(from, to Clocks) time.Duration {
	return (to.Mono.Sub(from.Mono) - to.Wall.Sub(from.Wall)).Abs()
}
