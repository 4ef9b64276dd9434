package protocol

// What the clocks say, and what may be done by it (rule 12).

import "time"

// StartHold is how long nothing expires after a start: the process cannot judge the wall clock yet, since it has
// not watched it. It is no longer than the slack of leases.
const StartHold = Slack

// aheadTolerance is how far a stored time may be ahead before it counts as wrong: the clocks of two
// nodes differ a little.
const aheadTolerance = time.Minute

// ClockReading is what the clocks say at one moment.
type ClockReading struct {
	// Now is the believed time.
	Now time.Time
	// Wall is what the wall clock says: the same, unless a step is being watched.
	Wall time.Time
	// QuietUntil is the believed time until which nothing expires.
	QuietUntil time.Time
}

// BelievedStep is a step of the wall clock that has held.
type BelievedStep struct {
	By time.Duration
	// From and To are the believed times, before the step was believed, between which the clocks
	// disagreed: what was stored then was stored by the time before the step.
	From, To time.Time
}

// Earliest is the time by which something may expire: both clocks must say that its time has come.
func (r ClockReading) Earliest() time.Time {
	if r.Wall.Before(r.Now) {
		return r.Wall
	}
	return r.Now
}

// Latest is the time by which a stored time is ahead: both clocks must say that it is to come.
func (r ClockReading) Latest() time.Time { return Latest(r.Now, r.Wall) }

// ExpiredAt is when a step that is planned for a time may be made: not while nothing expires, and not before both
// clocks say that its time has come. While they disagree it is looked at again every ExpiryRecheck.
func (r ClockReading) ExpiredAt(at time.Time) time.Time {
	if behind := r.Now.Sub(r.Earliest()); behind > 0 && at.Add(behind).After(r.Now) {
		again := Latest(at, r.Now.Add(ExpiryRecheck))
		if at = at.Add(behind); again.Before(at) {
			at = again
		}
	}
	return Latest(at, r.QuietUntil)
}

// ExpiryRecheck is how often an account is looked at while its time has come by only one of the two clocks.
const ExpiryRecheck = 30 * time.Second

// Passed reports whether a time has come, by both clocks, outside of the times in which nothing expires.
func (r ClockReading) Passed(at time.Time) bool { return !r.ExpiredAt(at).After(r.Now) }

// ClockSkew is how far the clocks of this machine and of the cloud may differ, beyond what the
// signature's lifetime already contains: a request stamped by a clock that is ahead lives longer.
const ClockSkew = 5 * time.Minute
