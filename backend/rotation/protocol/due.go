package protocol

// When a rotation should happen.

import "time"

// RotationRequested says that a rotation should happen. A reason that forbids reading is never weakened, and
// the time since when the account has been due is kept.
type RotationRequested struct {
	Reason Reason
	At     time.Time
	// Forced is an operator's word, which DueManual and DueReader are too: it waits for no window. An account that has
	// no version yet is due for its first one whoever asks.
	Forced bool
	By     Requester // who asked
	// Again says that the value which is on its way, if there is one, has to be replaced as well.
	Again bool
}

func (e RotationRequested) apply(a *Account) error {
	asked := e.Forced || e.Reason.IsWord()
	changed := false
	if asked {
		changed = a.lookAgain(e.At) || a.Due != nil && !a.Due.Forced
	}
	if e.Again && a.Pending != nil && a.Pending.Again == nil {
		a.Pending.Again = &Due{Since: e.At, Reason: e.Reason, Forced: asked, By: e.By}
		changed = true
	}
	switch {
	case a.Due == nil:
		a.Due = &Due{Since: e.At, Reason: e.Reason}
	case e.Reason.ForbidsReading() && !a.Due.Reason.ForbidsReading():
		a.Due.Reason = e.Reason
	case !changed:
		return ErrNoChange
	}
	a.Due.Forced = a.Due.Forced || asked
	if e.By != (Requester{}) {
		a.Due.By = e.By
	}
	return nil
}

// lookAgain lets the next try begin at once, and be made though the instance was thought gone. It reports
// whether that changes anything.
func (a *Account) lookAgain(at time.Time) bool {
	changed := !a.Gone.IsZero()
	a.Gone = time.Time{}
	return a.release(at) || changed
}

// RotationScheduled makes the account due when its stored time has come, and stores the next one. A time whose
// window has passed meanwhile (an outage, a sealed Vault) is missed: the next one counts.
type RotationScheduled struct{ At time.Time }

func (e RotationScheduled) apply(a *Account) error {
	s := a.Timetable()
	if a.NextRotation.IsZero() || !s.scheduled() {
		return ErrNoChange
	}
	if s.TooFarAhead(a.NextRotation, e.At) {
		a.NextRotation = s.Next(e.At, e.At)
		return nil
	}
	if e.At.Before(a.NextRotation) {
		return ErrNoChange
	}
	missed := s.Window > 0 && e.At.After(a.NextRotation.Add(s.Window)) && s.NextAllowed(e.At).After(e.At)
	if missed {
		a.MissedRotation = a.NextRotation
	}
	a.NextRotation = s.Next(e.At, a.NextRotation)
	if a.Due == nil && !missed {
		a.Due = &Due{Since: e.At, Reason: DueSchedule}
	}
	return nil
}

// firstRotation is the next scheduled rotation after a change of the schedule: a time of the cron
// expression, or one period after the last rotation, or from now on where there was none. It is never
// in the past.
func firstRotation(a *Account, s Settings, at time.Time) time.Time {
	if !s.scheduled() || s.Mode != Static || s.SharedPassword && !a.IsGroup() {
		return time.Time{} // a group's members rotate with the group
	}
	from := at
	if !a.LastRotation.IsZero() && a.LastRotation.Before(at) { // not if the clock was set back
		from = a.LastRotation
	}
	times := s.Timetable()
	if next := times.Next(from, from); next.After(at) {
		return next
	}
	if s.Cron != "" {
		return times.Next(at, at)
	}
	return at
}
