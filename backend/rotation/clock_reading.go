package rotation

import "time"

// startHold is how long nothing lapses after a start: the process has no history then by which to
// judge the wall clock. It is no longer than the slack of leases.
const startHold = slack

// aheadTolerance is how far a stored time may be ahead before it counts as wrong: the clocks of two
// nodes differ a little.
const aheadTolerance = time.Minute

// reading is what the clocks say at one moment.
type reading struct {
	// now is the believed time.
	now time.Time
	// wall is what the wall clock says: the same, unless a step is being watched.
	wall time.Time
	// quiet is the believed time until which nothing lapses.
	quiet time.Time
}

// believedStep is a step of the wall clock that has held.
type believedStep struct {
	by time.Duration
	// from and to are the believed times, before the step was believed, between which the clocks
	// disagreed: what was stored then was stored by the time before the step.
	from, to time.Time
}

// earliest is the time by which something may lapse: both clocks must say that its time has come.
func (r reading) earliest() time.Time {
	if r.wall.Before(r.now) {
		return r.wall
	}
	return r.now
}

// latest is the time by which a stored time is ahead: both clocks must say that it is to come.
func (r reading) latest() time.Time { return later(r.now, r.wall) }

// lapses is when a step may be made whose time is at: not while nothing lapses, and not before both clocks
// say that its time has come. Where they disagree it is looked at again and again.
func (r reading) lapses(at time.Time) time.Time {
	if behind := r.now.Sub(r.earliest()); behind > 0 && at.Add(behind).After(r.now) {
		again := later(at, r.now.Add(lapseRecheck))
		if at = at.Add(behind); again.Before(at) {
			at = again
		}
	}
	return later(at, r.quiet)
}

// lapseRecheck is how often an account is looked at whose time has come by one of two clocks that
// disagree.
const lapseRecheck = 30 * time.Second
