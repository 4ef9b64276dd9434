package protocol

// The next step of a rotation, and what it waits for.

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"

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
	case a.waitsForHolder(): // an exclusive check-out lasts until its lease ends
		return StepNone, Waiting{Cause: ForLease}
	case a.asksFor(p):
		return StepPoll, Waiting{s.NextPoll, ForOutcome}
	case sendable && a.Fenced(): // rule 10: wait for what the old reset method may still do
		return StepNone, a.settles(s)
	case p != nil && !sendable && a.mustSettle(p): // rule 9
		return StepNone, a.settles(s)
	case !sendable && anyBlocks(a.OldUnresolved): // rule 9
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

// held is what keeps a due account from its next attempt, whichever that is: the longest of its waits.
func (a *Account) held(s PlanInput) Waiting {
	w := Waiting{a.nextAttempt(s.Now), ForInterval}.Over(s.Now).
		and(Waiting{a.backsOff(s.Now), ForBackoff}.Over(s.Now)).
		and(Waiting{a.brakedUntil(s.Now), ForBrake}.Over(s.Now)).
		and(Waiting{s.Turn, ForServer}.Over(s.Now))
	if _, member := a.Group(); !member && a.Due != nil && !a.Due.Forced { // a member's window is the group's
		w = w.and(Waiting{a.Timetable().NextAllowed(s.Now), ForWindow}.Over(s.Now))
	}
	return w
}

// WaitsFor is what the account's rotation waits for at the moment; the zero value if none is due.
func (a *Account) WaitsFor(s PlanInput) Waiting {
	if a.Due == nil || !a.Gone.IsZero() || !a.Settings.CanReset {
		return Waiting{}
	}
	st, w := a.planRotation(s)
	w = w.and(s.Held)
	if st.CallsCloud() {
		w = w.and(s.Breaker)
	}
	if w.Cause == ForNothing {
		w.Cause = ForItsTurn
	}
	return w
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
