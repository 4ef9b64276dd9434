package protocol

// What is to be done next for an account.

import "time"

// Plan returns the next step and when it is to be done; StepNone if there is nothing to do. Of
// several steps the earliest wins, and of those that could be done now the one listed first.
func (a *Account) Plan(s PlanInput) (Step, time.Time) {
	if a.Successor != nil {
		return StepMove, s.Now
	}
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
	if a.Settings.ClearInitial && a.hasInitial() && a.InitialCleared.IsZero() && a.Rebuilt == nil && a.TrustsHere() {
		consider(StepClear, s.Held.Until)
	}
	if at, ok := a.nextCheck(s.Now, s.earliest()); ok && !s.NoSpare {
		consider(StepCheck, Latest(at, s.CheckHeld))
	}
	if at := Latest(s.Now, Latest(s.CleanHeld, s.Held.Until)); a.cleansBefore(best, bestAt, at) && !s.NoSpare {
		consider(StepClean, at)
	}
	return best, bestAt
}

// cleansBefore reports whether the next record at the cloud may be removed at a time, though another step comes next: not while an
// outcome is to be seen, nor shortly before another call, which it would hold up (rule 21).
func (a *Account) cleansBefore(next Step, then, at time.Time) bool {
	if !a.AnyLeftover() || a.asksFor(a.Pending) {
		return false
	}
	return !next.CallsCloud() || !then.Before(at.Add(cleanMargin))
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
