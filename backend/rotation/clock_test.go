package rotation

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"testing"
	"time"
)

// twoClocks are a wall clock and a monotonic one that a test moves.
type twoClocks struct {
	mono time.Duration
	skew time.Duration
}

func (c *twoClocks) clock() *clock {
	return newClock(func() time.Time { return t0.Add(c.mono + c.skew) }, func() time.Time { return time.Unix(0, 0).Add(c.mono) })
}

// run lets time pass, looking at the clocks as the core does, and returns the steps that were believed.
func (c *twoClocks) run(k *clock, d time.Duration) (steps []protocol.BelievedStep) {
	for end := c.mono + d; c.mono < end; {
		c.mono += min(clockInterval, end-c.mono)
		if step, ok := k.look(); ok {
			steps = append(steps, step)
		}
	}
	return steps
}

func TestAStepOfTheWallClockIsBelievedOnceItHasHeld(t *testing.T) {
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour, 3 * time.Second, -50 * 365 * 24 * time.Hour} {
		c := &twoClocks{}
		k := c.clock()
		c.run(k, 10*time.Minute)
		c.skew = by
		if steps := c.run(k, stepHold); len(steps) > 0 {
			t.Fatalf("%s: believed at once: %+v", by, steps)
		}
		is(t, "the time meanwhile", k.now(), t0.Add(c.mono))
		r := k.read()
		is(t, "what may expire", r.Earliest(), t0.Add(c.mono+min(by, 0)))
		is(t, "what is ahead", r.Latest(), t0.Add(c.mono+max(by, 0)))
		steps := c.run(k, 2*clockInterval)
		if len(steps) != 1 || steps[0].By != by {
			t.Fatalf("%s: not believed after %s: %+v", by, stepHold, steps)
		}
		is(t, "from", steps[0].From, t0.Add(10*time.Minute))
		is(t, "the time then", k.now(), t0.Add(c.mono+by))
		is(t, "quiet", k.read().QuietUntil.After(k.now()), true)
		is(t, "back", k.back(), min(by, 0))
	}
}

func TestAStepThatIsTakenBackIsNeverBelieved(t *testing.T) {
	for _, held := range []time.Duration{5 * time.Second, time.Minute, stepHold - clockInterval} {
		c := &twoClocks{}
		k := c.clock()
		for range 20 { // again and again
			c.run(k, time.Minute)
			c.skew = 2 * time.Hour
			steps := c.run(k, held)
			is(t, "the time meanwhile", k.now(), t0.Add(c.mono))
			c.skew = 0
			if steps = append(steps, c.run(k, time.Minute)...); len(steps) > 0 {
				t.Fatalf("%s: %+v", held, steps)
			}
		}
	}
}

func TestAWallClockThatNeverRestsIsNotBelieved(t *testing.T) {
	c := &twoClocks{}
	k := c.clock()
	for i := range 50 {
		c.skew = time.Duration(1+i%2) * time.Hour
		if steps := c.run(k, time.Minute); len(steps) > 0 {
			t.Fatalf("believed: %+v", steps)
		}
	}
}

func TestASlewedWallClockIsFollowed(t *testing.T) {
	c := &twoClocks{}
	k := c.clock()
	for range 1000 {
		c.skew += time.Second
		if steps := c.run(k, clockInterval); len(steps) > 0 {
			t.Fatalf("a step: %+v", steps)
		}
		is(t, "the time", k.now(), t0.Add(c.mono+c.skew))
	}
	c.skew += 3 * time.Second
	is(t, "not a jump", k.now(), t0.Add(c.mono+c.skew-3*time.Second))
}

func TestNothingLapsesRightAfterAStart(t *testing.T) {
	c := &twoClocks{}
	k := c.clock()
	k.started()
	past := t0.Add(-time.Hour)
	is(t, "held until", k.read().ExpiredAt(past), t0.Add(protocol.StartHold))
	c.run(k, protocol.StartHold)
	is(t, "after that", k.read().ExpiredAt(past), past)
}
