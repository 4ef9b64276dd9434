package rotation

// The one answer to "not before, and why" for an account. What an account waits for is in its record
// (backoff, brake, min_reset_interval, rotation window, open attempts), in the process (holds, turns) or with
// its connection (breaker, brake). planRotation puts them together, for the queue as for people. Pure, like
// rules.go.

import (
	"fmt"
	"time"
)

// Cause is what the next step of a rotation waits for.
type Cause string

// Causes, as accounts/ and status show them.
const (
	ForNothing         Cause = ""                   // no rotation is due
	ForItsTurn         Cause = "queue"              // nothing but workers and the connection's limit
	ForBackoff         Cause = "backoff"            // the pause after a failure
	ForBrake           Cause = "brake"              // rule 25
	ForConnectionBrake Cause = "connection_brake"   // rule 25, for the connection
	ForInterval        Cause = "min_reset_interval" // the role's least time between two resets
	ForWindow          Cause = "rotation_window"    // the role's window
	ForSettling        Cause = "settle_window"      // an attempt that may still set an earlier value (rules 9, 10)
	ForServer          Cause = "turn"               // another account of the server is being rotated (rule 24)
	ForOperation       Cause = "operation"          // another operation of the cloud on the server
	ForOutcome         Cause = "outcome"            // what the cloud shows of an accepted attempt
	ForConnection      Cause = "connection"         // the connection's breaker
	ForGroup           Cause = "group"              // the group, whose value it is
	ForLease           Cause = "lease"              // the end of an exclusive lease
	ForMembers         Cause = "members"            // a group's members
)

// waiting is a time before which nothing is done, and why. The zero value waits for nothing.
type waiting struct {
	until time.Time
	cause Cause
}

// and is the longer of two waits.
func (w waiting) and(other waiting) waiting {
	if other.until.After(w.until) {
		return other
	}
	return w
}

// over drops a wait that is over.
func (w waiting) over(now time.Time) waiting {
	if w.until.After(now) {
		return w
	}
	return waiting{}
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

// held is what keeps a due account from its next attempt, whichever that is: the longest of its waits.
func (a *Account) held(s situation) waiting {
	w := waiting{a.nextAttempt(s.now), ForInterval}.over(s.now).
		and(waiting{a.backsOff(s.now), ForBackoff}.over(s.now)).
		and(waiting{a.brakedUntil(s.now), ForBrake}.over(s.now)).
		and(waiting{s.turn, ForServer}.over(s.now))
	if _, member := a.group(); !member && a.Due != nil && !a.Due.Forced { // a member's window is the group's
		w = w.and(waiting{a.Settings.opens(s.now), ForWindow}.over(s.now))
	}
	return w
}

// waits is what the account's rotation waits for at the moment; the zero value if none is due.
func (a *Account) waits(s situation) waiting {
	if a.Due == nil || !a.Gone.IsZero() || !a.Settings.CanReset {
		return waiting{}
	}
	st, w := a.planRotation(s)
	w = w.and(s.held)
	if st.callsCloud() {
		w = w.and(s.breaker)
	}
	if w.cause == ForNothing {
		w.cause = ForItsTurn
	}
	return w
}

// allowed is since when the role's own limits have let a due rotation go on; a time to come: they do not yet.
// What is late counts from then.
func (a *Account) allowed(now time.Time) time.Time {
	at := later(a.Due.Since, a.nextAttempt(now))
	if a.Pending == nil {
		at = later(at, a.nextReset(now))
	}
	if !a.Due.Forced {
		at = later(at, a.Settings.opened(now))
	}
	return at
}

// says tells people what a rotation waits for, in continuation of a sentence about it.
func (w waiting) says(a *Account, now time.Time) string {
	in := w.until.Sub(now).Round(time.Second)
	allows, starts := ", which %s allows %s", ", which %s"
	if a.Pending != nil {
		allows, starts = ", and %s allows the next try %s", ", and the next try %s"
	}
	switch w.cause {
	case ForWindow:
		return fmt.Sprintf(allows, "the rotation window", "from "+w.until.UTC().Format(time.RFC3339)+" on (rotate-role overrides it)") + a.lastError()
	case ForInterval:
		return fmt.Sprintf(allows, "min_reset_interval", "in "+in.String()) + a.lastError()
	case ForSettling:
		return fmt.Sprintf(starts, "starts once an earlier request whose outcome is unknown can no longer take effect") + a.lastError()
	case ForServer:
		return fmt.Sprintf(starts, "starts when that of another user of instance "+a.InstanceID+" has ended")
	case ForBackoff, ForOperation:
		return fmt.Sprintf(starts, "is to be made in "+in.String()) + a.lastError()
	case ForConnection:
		return fmt.Sprintf(starts, "waits for connection "+a.Connection+": it does not work at the moment and is tried again in "+in.String()) + a.lastError()
	case ForConnectionBrake:
		return fmt.Sprintf(starts, "does not start while the cloud does not show what became of the resets of several accounts of connection "+
			a.Connection+"; see: "+statusCommand+"; rotate-role overrides it")
	}
	return a.lastError()
}
