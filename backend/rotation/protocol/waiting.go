package protocol

// The one answer to "not before, and why" for an account. What an account waits for is in its record
// (backoff, brake, min_reset_interval, rotation window, open attempts), in the process (delays, turns) or with
// its connection (breaker, brake). planRotation puts them together, for the queue as for people.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
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

// Waiting is a time before which nothing is done, and why. The zero value waits for nothing.
type Waiting struct {
	Until time.Time
	Cause Cause
}

// and is the longer of two waits.
func (w Waiting) and(other Waiting) Waiting {
	if other.Until.After(w.Until) {
		return other
	}
	return w
}

// Over drops a wait that is over.
func (w Waiting) Over(now time.Time) Waiting {
	if w.Until.After(now) {
		return w
	}
	return Waiting{}
}

// AllowedSince is since when the role's own limits have let a due rotation go on; a time to come: they do not yet.
// What is late counts from then.
func (a *Account) AllowedSince(now time.Time) time.Time {
	at := Latest(a.Due.Since, a.nextAttempt(now))
	if a.Pending == nil {
		at = Latest(at, a.nextReset(now))
	}
	if !a.Due.Forced {
		at = Latest(at, a.Timetable().opened(now))
	}
	return at
}

// says tells people what a rotation waits for, in continuation of a sentence about it.
func (w Waiting) says(a *Account, now time.Time) hint.Text {
	in := w.Until.Sub(now).Round(time.Second)
	allows, starts := ", which %s allows %s", ", which %s"
	if a.Pending != nil {
		allows, starts = ", and %s allows the next try %s", ", and the next try %s"
	}
	switch w.Cause {
	case ForWindow:
		return hint.Textf(allows, "the rotation window", "from "+w.Until.UTC().Format(time.RFC3339)+
			" on (rotate-role overrides it)").Add(a.lastError())
	case ForInterval:
		return hint.Textf(allows, "min_reset_interval", "in "+in.String()).Add(a.lastError())
	case ForSettling:
		return hint.Textf(starts, "starts once an earlier request whose outcome is unknown can no longer take effect").Add(a.lastError())
	case ForServer:
		return hint.Textf(starts, "starts when that of another user of instance "+a.InstanceID+" has ended")
	case ForBackoff, ForOperation:
		return hint.Textf(starts, "is to be made in "+in.String()).Add(a.lastError())
	case ForConnection:
		return hint.Textf(starts, "waits for connection "+a.Connection+": it does not work at the moment and is tried again in "+
			in.String()).Add(a.lastError())
	case ForConnectionBrake:
		return hint.Textf(starts,
			hint.Textf("does not start while the cloud does not show what became of the resets of several accounts of connection %s; see: %s; "+
				"rotate-role overrides it", a.Connection, hint.New("read", "status")))
	case ForMembers:
		return hint.Textf("; it waits for accounts of the role; which of them fail, and why: %s", hint.New("read", "status"))
	}
	return a.lastError()
}

// ReplacedAt is when the current version of a scheduled account is to be replaced: at the next scheduled
// time, or before that as soon as a rotation that is due already may go on. Readers of the password must know
// this, or they would use it until the scheduled time after that. Unless the role itself sets the time, it is at
// least a few seconds away: nobody knows how long a cloud will not answer, and a consumer that came back for
// every short pause would ask all the time.
func (a *Account) ReplacedAt(w Waiting, now time.Time) time.Time {
	if a.Due == nil || a.NextRotation.IsZero() {
		return a.NextRotation
	}
	next := w.Until
	if w.Cause != ForWindow && w.Cause != ForInterval {
		next = Latest(next, now.Add(retryInterval))
	}
	if next.After(a.NextRotation) {
		return a.NextRotation
	}
	return next
}
