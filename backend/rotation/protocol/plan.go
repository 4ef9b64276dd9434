package protocol

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Step is what a worker does next for an account.
type Step int

const (
	StepNone     Step = iota
	StepExpire        // end leases and versions past their deadline, and correct times that a wrong clock has stored
	StepSchedule      // the stored rotation time has come
	StepPlace         // the connection leads elsewhere, or is trusted now
	StepSettle        // close attempts whose settle window has passed
	StepRollout       // look at a group's members, and do what needs no cloud
	StepBegin         // record a new pending with its first attempt, and send it
	StepRetry         // record another attempt of the same pending, and send it
	StepPoll          // look at the cloud's record of an accepted attempt
	StepJoint         // send a group's value to many members in one request
	StepClear         // delete the cloud's copy of the initial password
)

// CallsCloud reports whether the step needs the cloud, and so the connection's breaker and workers.
func (s Step) CallsCloud() bool { return s >= StepBegin }

// String is for logs and traces.
func (s Step) String() string {
	return [...]string{"none", "expire", "schedule", "place", "settle", "rollout", "begin", "retry", "poll", "joint", "clear"}[s]
}

// PlanInput is what a plan depends on besides the record.
type PlanInput struct {
	Now time.Time
	// Clock is what the clocks say; zero: now is not doubted.
	Clock ClockReading
	// OwnSchedule is set if this process has stored the next scheduled rotation, by the clock that it has
	// watched since.
	OwnSchedule bool
	// Settles is when an open attempt's settle window ends.
	Settles func(Attempt) time.Time
	// Traits of the connection's reset methods; nil while the connection is not known. It returns nil
	// for a method that the provider does not have.
	Traits func(method string) *cloud.ResetTraits
	// Held holds cloud steps back after failures that left no trace in the record.
	Held Waiting
	// Turn is until when another account of the server has its turn (rule 24); a time that has passed, or
	// zero: none has.
	Turn time.Time
	// Stopped holds rotations back that have not begun, while the connection's brake is on (rule 25).
	Stopped Waiting
	// Breaker is until when the connection's breaker is open. It is for people: the queue asks it itself.
	Breaker Waiting
	// NextPoll is when the record may be looked at again.
	NextPoll time.Time
	// Look is when a group's members are to be looked at; zero: not before one changes.
	Look time.Time
	// Together is set while members of a group are to be sent its value in a joint request.
	Together bool
	// Group is a member's group; nil while it is not known.
	Group *Account
	// Joint tells of a member whether its reset method takes it in one request with others. nil: not known.
	Joint func(*Account) bool
	// Place is where the connection leads, once it is known.
	Place *PlaceChanged
}

// Plan returns the next step and when it is to be done; StepNone if there is nothing to do. Of
// several steps the earliest wins, and of those that could be done now the one listed first.
func (a *Account) Plan(s PlanInput) (Step, time.Time) {
	best, bestAt := StepNone, time.Time{}
	consider := func(st Step, at time.Time) {
		if at.Before(s.Now) {
			at = s.Now
		}
		if best == StepNone || at.Before(bestAt) {
			best, bestAt = st, at
		}
	}
	if at := a.NextExpiry(); !at.IsZero() {
		consider(StepExpire, s.Clock.ExpiredAt(at))
	}
	if !s.Clock.Now.IsZero() && a.Ahead(s.Clock.Latest()) {
		consider(StepExpire, Latest(s.Now, s.Clock.QuietUntil)) // it is corrected
	}
	if _, member := a.Group(); !member && !a.NextRotation.IsZero() && a.Settings.scheduled() {
		consider(StepSchedule, a.scheduledAt(s))
	}
	if s.Place != nil && s.Place.Changes(a) {
		return StepPlace, s.Now // all else depends on it
	}
	for _, t := range a.Settling(s.Traits) {
		consider(StepSettle, s.Settles(t))
	}
	if !a.Gone.IsZero() {
		return best, bestAt
	}
	a.planGroup(s, consider)
	if st, w := a.planRotation(s); st != StepNone {
		consider(st, w.and(s.Held).Until)
	}
	if a.Settings.ClearInitial && a.InitialCleared.IsZero() && len(a.Versions) > 0 && a.Versions[0].Source == FromInitial && a.TrustsHere() {
		consider(StepClear, s.Held.Until)
	}
	return best, bestAt
}

// scheduledAt is when the stored rotation time is to be taken as come. A time that an earlier process has
// stored is doubted after a start like the end of a lease, but for no longer than the schedule's period.
func (a *Account) scheduledAt(s PlanInput) time.Time {
	at, clock := a.NextRotation, s.Clock
	switch every := a.Settings.Period; {
	case a.Timetable().TooFarAhead(at, Latest(s.Now, clock.Latest())):
		return Latest(s.Now, clock.QuietUntil) // it is stored again
	case s.OwnSchedule:
		clock.QuietUntil = time.Time{}
	case a.Settings.Window > 0 && at.Add(a.Settings.Window).After(s.Now) && !at.Add(a.Settings.Window).After(clock.QuietUntil):
		clock.QuietUntil = time.Time{} // its window would close meanwhile
	case every > 0 && every < StartHold:
		clock.QuietUntil = clock.QuietUntil.Add(every - StartHold)
	}
	return clock.ExpiredAt(at)
}

// planRotation is the rotation's part of plan: its next step, and what that waits for. StepNone: there is
// nothing to do before that, or not by this account's worker.
func (a *Account) planRotation(s PlanInput) (Step, Waiting) {
	_, member := a.Group()
	p := a.Pending
	sendable := p != nil && !p.Rejected && a.valueIsFor(a.Place)
	switch {
	case !a.Settings.CanReset:
		return StepNone, Waiting{}
	case member && (a.Due == nil || p == nil || !p.AnyPolled()):
		return a.planMember(s)
	case a.Due == nil:
		return StepNone, Waiting{}
	case a.IsGroup() && p != nil:
		return StepNone, Waiting{s.Look, ForMembers}
	case a.waitsForHolder(): // whoever has it for himself keeps it until the lease ends
		return StepNone, Waiting{Cause: ForLease}
	case a.asksFor(p):
		return StepPoll, Waiting{s.NextPoll, ForOutcome}
	case sendable && a.Fenced(): // rule 10: wait for what the old reset method may still do
		return StepNone, a.settles(s)
	case p != nil && !sendable && len(p.Attempts) > 0: // rule 9
		return StepNone, a.settles(s)
	case !sendable && len(a.OldUnresolved) > 0: // rule 9
		return StepNone, a.settles(s)
	}
	w := a.held(s)
	if sendable {
		return StepRetry, w
	}
	if p == nil {
		w = w.and(Waiting{a.nextReset(s.Now), ForInterval}.Over(s.Now))
		if !a.Due.Forced {
			w = w.and(s.Stopped)
		}
	}
	return StepBegin, w
}

// planMember is planRotation for a member of a group that is to have the group's value: it queues for it
// like any account, unless a joint request of the group's worker brings it.
func (a *Account) planMember(s PlanInput) (Step, Waiting) {
	if s.Group == nil {
		return StepNone, Waiting{Cause: ForGroup}
	}
	o := s.Group.Offers()
	switch standing := a.Standing(o.Batch); {
	case o.Batch == "", !o.Place.Same(a.Place), standing != IsReady && standing != isBlocked:
		return StepNone, Waiting{Cause: ForGroup}
	case standing == isBlocked:
		return StepNone, a.settles(s)
	}
	w := a.held(s).and(Waiting{o.opens(s.Now), ForWindow}.Over(s.Now))
	if begins := a.Pending == nil || a.Pending.Batch != o.Batch; begins && !o.Forced {
		w = w.and(s.Stopped)
	}
	if a.Backoff == nil && s.Joint != nil && s.Joint(a) {
		return StepNone, Waiting{w.Until, ForGroup}
	}
	return StepBegin, w
}

// planGroup is the part of plan that is a group's own.
func (a *Account) planGroup(s PlanInput, consider func(Step, time.Time)) {
	if !a.IsGroup() || !a.Settings.CanReset {
		return
	}
	if (a.Pending != nil || a.Current() != nil) && !s.Look.IsZero() {
		consider(StepRollout, Latest(s.Look, s.Held.Until))
	}
	if s.Together {
		consider(StepJoint, s.Held.Until)
	}
}

// settles is the wait for the attempts that a settle window closes.
func (a *Account) settles(s PlanInput) Waiting {
	w := Waiting{s.Now, ForSettling}
	if s.Settles == nil { // the record alone does not tell
		return w
	}
	for _, t := range a.Settling(s.Traits) {
		if at := s.Settles(t); at.After(w.Until) {
			w.Until = at
		}
	}
	return w
}

// Settling lists the open attempts that the settle window closes. An accepted attempt that the cloud
// still reports on is left to its record where the cloud runs one operation at a time, since its
// window does not contain the operation's own time there. What the connection's place does not tell of is
// closed by its window only (rule 18).
func (a *Account) Settling(traits func(method string) *cloud.ResetTraits) []Attempt {
	open := append([]Attempt(nil), a.OldUnresolved...)
	if a.Pending != nil {
		for _, t := range a.Pending.Attempts {
			if t.Polled() && t.Place.Same(a.Place) && serial(t, traits) {
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

func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Method is the reset method that a step uses: that of the attempt which it asks about, else the role's.
func (a *Account) Method(st Step) string {
	if st == StepPoll {
		for _, t := range a.Pending.Attempts {
			if t.Polled() {
				return t.Method
			}
		}
	}
	return a.Settings.ResetMethod
}
