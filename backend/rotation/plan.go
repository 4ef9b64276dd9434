package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// step is what a worker does next for an account.
type step int

const (
	stepNone     step = iota
	stepLapse         // end leases and versions past their deadline, and correct times that a wrong clock has stored
	stepSchedule      // the stored rotation time has come
	stepPlace         // the connection leads elsewhere, or is believed now
	stepSettle        // close attempts whose settle window has passed
	stepRoll          // look at a group's members, and do what needs no cloud
	stepBegin         // record a new pending with its first attempt, and send it
	stepRetry         // record another attempt of the same pending, and send it
	stepPoll          // look at the cloud's record of an accepted attempt
	stepJoint         // send a group's value to many members in one request
	stepClear         // delete the cloud's copy of the initial password
)

// callsCloud reports whether the step needs the cloud, and so the connection's breaker and workers.
func (s step) callsCloud() bool { return s >= stepBegin }

// String is for logs and traces.
func (s step) String() string {
	return [...]string{"none", "lapse", "schedule", "place", "settle", "roll", "begin", "retry", "poll", "joint", "clear"}[s]
}

// situation is what a plan depends on besides the record.
type situation struct {
	now time.Time
	// clock is what the clocks say; zero: now is not doubted.
	clock reading
	// ownSchedule is set if this process has stored the next scheduled rotation, by the clock that it has
	// watched since.
	ownSchedule bool
	// settles is when an open attempt's settle window ends.
	settles func(Attempt) time.Time
	// traits of the connection's reset methods; nil while the connection is not known. It returns nil
	// for a method that the provider does not have.
	traits func(method string) *cloud.ResetTraits
	// held holds cloud steps back after failures that left no trace in the record.
	held waiting
	// turn is until when another account of the server has its turn (rule 24); a time that has passed, or
	// zero: none has.
	turn time.Time
	// stopped holds rotations back that have not begun, while the connection's brake is on (rule 25).
	stopped waiting
	// breaker is until when the connection's breaker is open. It is for people: the queue asks it itself.
	breaker waiting
	// nextPoll is when the record may be looked at again.
	nextPoll time.Time
	// look is when a group's members are to be looked at; zero: not before one changes.
	look time.Time
	// together is set while members of a group are to be sent its value in a joint request.
	together bool
	// group is a member's group; nil while it is not known.
	group *Account
	// joint tells of a member whether its reset method takes it in one request with others. nil: not known.
	joint func(*Account) bool
	// place is where the connection leads, once it is known.
	place *moved
}

// plan returns the next step and when it is to be done; stepNone if there is nothing to do. Of
// several steps the earliest wins, and of those that could be done now the one listed first.
func (a *Account) plan(s situation) (step, time.Time) {
	best, bestAt := stepNone, time.Time{}
	consider := func(st step, at time.Time) {
		if at.Before(s.now) {
			at = s.now
		}
		if best == stepNone || at.Before(bestAt) {
			best, bestAt = st, at
		}
	}
	if at := a.nextLapse(); !at.IsZero() {
		consider(stepLapse, s.clock.lapses(at))
	}
	if !s.clock.now.IsZero() && a.ahead(s.clock.latest()) {
		consider(stepLapse, later(s.now, s.clock.quiet)) // it is corrected
	}
	if _, member := a.group(); !member && !a.NextRotation.IsZero() && a.Settings.scheduled() {
		consider(stepSchedule, a.scheduledAt(s))
	}
	if s.place != nil && s.place.changes(a) {
		return stepPlace, s.now // all else depends on it
	}
	for _, t := range a.settling(s.traits) {
		consider(stepSettle, s.settles(t))
	}
	if !a.Gone.IsZero() {
		return best, bestAt
	}
	a.planGroup(s, consider)
	if st, w := a.planRotation(s); st != stepNone {
		consider(st, w.and(s.held).until)
	}
	if a.Settings.ClearInitial && a.InitialCleared.IsZero() && len(a.Versions) > 0 && a.Versions[0].Source == FromInitial && a.believed() {
		consider(stepClear, s.held.until)
	}
	return best, bestAt
}

// scheduledAt is when the stored rotation time is to be taken as come. A time that an earlier process has
// stored is doubted after a start like the end of a lease, but for no longer than the schedule's period.
func (a *Account) scheduledAt(s situation) time.Time {
	at, clock := a.NextRotation, s.clock
	switch every := a.Settings.Period; {
	case a.Settings.beyond(at, later(s.now, clock.latest())):
		return later(s.now, clock.quiet) // it is stored anew
	case s.ownSchedule:
		clock.quiet = time.Time{}
	case a.Settings.Window > 0 && at.Add(a.Settings.Window).After(s.now) && !at.Add(a.Settings.Window).After(clock.quiet):
		clock.quiet = time.Time{} // its window would close meanwhile
	case every > 0 && every < startHold:
		clock.quiet = clock.quiet.Add(every - startHold)
	}
	return clock.lapses(at)
}

// planRotation is the rotation's part of plan: its next step, and what that waits for. stepNone: there is
// nothing to do before that, or not by this account's worker.
func (a *Account) planRotation(s situation) (step, waiting) {
	_, member := a.group()
	p := a.Pending
	sendable := p != nil && !p.Rejected && a.valueIsFor(a.Place)
	switch {
	case !a.Settings.CanReset:
		return stepNone, waiting{}
	case member && (a.Due == nil || p == nil || !p.polled()):
		return a.planMember(s)
	case a.Due == nil:
		return stepNone, waiting{}
	case a.isGroup() && p != nil:
		return stepNone, waiting{s.look, ForMembers}
	case a.waitsForHolder(): // whoever has it for himself keeps it until the lease ends
		return stepNone, waiting{cause: ForLease}
	case a.asksFor(p):
		return stepPoll, waiting{s.nextPoll, ForOutcome}
	case sendable && a.barred(): // rule 10: wait for what the old reset method may still do
		return stepNone, a.settles(s)
	case p != nil && !sendable && len(p.Attempts) > 0: // rule 9
		return stepNone, a.settles(s)
	case !sendable && len(a.OldUnresolved) > 0: // rule 9
		return stepNone, a.settles(s)
	}
	w := a.held(s)
	if sendable {
		return stepRetry, w
	}
	if p == nil {
		w = w.and(waiting{a.nextReset(s.now), ForInterval}.over(s.now))
		if !a.Due.Forced {
			w = w.and(s.stopped)
		}
	}
	return stepBegin, w
}

// planMember is planRotation for a member of a group that is to have the group's value: it queues for it
// like any account, unless a joint request of the group's worker brings it.
func (a *Account) planMember(s situation) (step, waiting) {
	if s.group == nil {
		return stepNone, waiting{cause: ForGroup}
	}
	o := s.group.offers()
	switch standing := a.toward(o.batch); {
	case o.batch == "", !o.place.same(a.Place), standing != isReady && standing != isBlocked:
		return stepNone, waiting{cause: ForGroup}
	case standing == isBlocked:
		return stepNone, a.settles(s)
	}
	w := a.held(s).and(waiting{o.opens(s.now), ForWindow}.over(s.now))
	if begins := a.Pending == nil || a.Pending.Batch != o.batch; begins && !o.forced {
		w = w.and(s.stopped)
	}
	if a.Backoff == nil && s.joint != nil && s.joint(a) {
		return stepNone, waiting{w.until, ForGroup}
	}
	return stepBegin, w
}

// planGroup is the part of plan that is a group's own.
func (a *Account) planGroup(s situation, consider func(step, time.Time)) {
	if !a.isGroup() || !a.Settings.CanReset {
		return
	}
	if (a.Pending != nil || a.current() != nil) && !s.look.IsZero() {
		consider(stepRoll, later(s.look, s.held.until))
	}
	if s.together {
		consider(stepJoint, s.held.until)
	}
}

// settles is the wait for the attempts that a settle window closes.
func (a *Account) settles(s situation) waiting {
	w := waiting{s.now, ForSettling}
	if s.settles == nil { // the record alone does not tell
		return w
	}
	for _, t := range a.settling(s.traits) {
		if at := s.settles(t); at.After(w.until) {
			w.until = at
		}
	}
	return w
}

// settling lists the open attempts that the settle window closes. An accepted attempt that the cloud
// still reports on is left to its record where the cloud runs one operation at a time, since its
// window does not contain the operation's own time there. What the connection's place does not tell of is
// closed by its window only (rule 18).
func (a *Account) settling(traits func(method string) *cloud.ResetTraits) []Attempt {
	open := append([]Attempt(nil), a.OldUnresolved...)
	if a.Pending != nil {
		for _, t := range a.Pending.Attempts {
			if t.polled() && t.Place.same(a.Place) && serial(t, traits) {
				continue
			}
			open = append(open, t)
		}
	}
	return open
}

// serial reports whether the cloud orders an attempt with the next one, as far as is known.
func serial(t Attempt, traits func(method string) *cloud.ResetTraits) bool {
	if t.Window > 0 || traits == nil {
		return t.Serial
	}
	of := traits(t.Method)
	return of != nil && of.Serial
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// method is the reset method that a step uses: that of the attempt which it asks about, else the role's.
func (a *Account) method(st step) string {
	if st == stepPoll {
		for _, t := range a.Pending.Attempts {
			if t.polled() {
				return t.Method
			}
		}
	}
	return a.Settings.ResetMethod
}
