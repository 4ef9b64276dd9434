package rotation

// What time it is. The wall clock, which all nodes and Vault's leases share, may be set wrong and be
// corrected seconds later; the monotonic clock of one process cannot, but knows no time of day. One is
// checked against the other here.

import (
	"sync/atomic"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

const (
	// clockTolerance is how far the wall clock may run from the monotonic one between two looks: it is
	// slewed all the time, and followed.
	clockTolerance = 2 * time.Second
	// clockInterval is the time between two looks.
	clockInterval = 30 * time.Second
	// stepHold is how long a step of the wall clock must hold before it is believed.
	stepHold = 5 * time.Minute
	// stepPause is how long nothing expires after a step was believed, while what it concerns is corrected.
	stepPause = time.Minute
)

// clock is the time of day that is acted upon: the wall clock, unless that has stepped against the
// monotonic one. Then time goes on by the monotonic clock until the step has held for stepHold, or is
// taken back. All methods are safe for concurrent use.
type clock struct {
	wall func() time.Time
	mono func() time.Time // its differences are monotonic

	state atomic.Pointer[clockState]
}

// clockState is what is known of the two clocks.
type clockState struct {
	// at is the believed time at the monotonic moment mono, when the clocks agreed last.
	at, mono time.Time
	// step is how far the wall clock is from the believed time, at each look since the monotonic moment
	// seen; seen is zero while the clocks agree.
	step time.Duration
	seen time.Time
	// quiet is the monotonic moment until which nothing expires.
	quiet time.Time
	// back is the last step that was believed, if it went back.
	back time.Duration
	// began is the believed time at which the process began, until it believes a step.
	began time.Time
}

func newClock(wall, mono func() time.Time) *clock {
	k := &clock{wall: wall, mono: mono}
	now := unmono(wall())
	k.state.Store(&clockState{at: now, mono: mono(), began: now})
	return k
}

// unmono takes the monotonic part from a time, so that it is compared by the wall clock.
func unmono(t time.Time) time.Time { return t.Round(0) }

// now is the believed time.
func (k *clock) now() time.Time { return k.read().Now }

// read looks at both clocks.
func (k *clock) read() protocol.ClockReading {
	for {
		s := k.state.Load()
		wall, mono := unmono(k.wall()), k.mono()
		believed := s.at.Add(mono.Sub(s.mono))
		if wall.Sub(believed).Abs() <= clockTolerance {
			if mono.Sub(s.mono) >= clockInterval && s.seen.IsZero() {
				next := *s
				next.at, next.mono = wall, mono
				if !k.state.CompareAndSwap(s, &next) {
					continue
				}
			}
			believed = wall
		}
		r := protocol.ClockReading{Now: believed, Wall: wall}
		if left := s.quiet.Sub(mono); left > 0 {
			r.QuietUntil = believed.Add(left)
		}
		return r
	}
}

// started begins the time after a start in which nothing expires.
func (k *clock) started() { k.hush(protocol.StartHold) }

// hush lets nothing expire for a while.
func (k *clock) hush(d time.Duration) {
	for {
		s := k.state.Load()
		next := *s
		next.quiet = protocol.Latest(s.quiet, k.mono().Add(d))
		if k.state.CompareAndSwap(s, &next) {
			return
		}
	}
}

// look compares the clocks, and returns a step that is believed from now on.
func (k *clock) look() (protocol.BelievedStep, bool) {
	for {
		s := k.state.Load()
		wall, mono := unmono(k.wall()), k.mono()
		believed := s.at.Add(mono.Sub(s.mono))
		d := wall.Sub(believed)
		next := *s
		var step protocol.BelievedStep
		switch {
		case d.Abs() <= clockTolerance:
			next.at, next.mono, next.step, next.seen = wall, mono, 0, time.Time{}
		case s.seen.IsZero() || (d-s.step).Abs() > clockTolerance:
			next.step, next.seen = d, mono
		case mono.Sub(s.seen) < stepHold:
			return step, false
		default:
			step = protocol.BelievedStep{By: d, From: s.at, To: believed}
			if s.at.Sub(s.began) < stepHold {
				step.From = s.began // it has begun with a wrong clock
			}
			next = clockState{at: wall, mono: mono, quiet: protocol.Latest(s.quiet, mono.Add(stepPause)), back: min(d, 0)}
		}
		if k.state.CompareAndSwap(s, &next) {
			return step, step.By != 0
		}
	}
}

// back is the last step that was believed, if it went back.
func (k *clock) back() time.Duration { return k.state.Load().back }
