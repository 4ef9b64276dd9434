package rotation

// When a rotation should happen. Pure, like rules.go.

import "time"

// madeDue says that a rotation should happen. A reason that forbids reading is never weakened, and
// the time since when the account has been due is kept.
type madeDue struct {
	reason Reason
	at     time.Time
	// asked is an operator's word, which DueManual is too: it waits for no window. An account that has
	// no version yet is due for its first one whoever asks.
	asked bool
}

func (e madeDue) apply(a *Account) error {
	asked := e.asked || e.reason == DueManual
	changed := false
	if asked {
		changed = a.lookAgain(e.at) || a.Due != nil && !a.Due.Forced
	}
	switch {
	case a.Due == nil:
		a.Due = &Due{Since: e.at, Reason: e.reason}
	case e.reason.ForbidsReading() && !a.Due.Reason.ForbidsReading():
		a.Due.Reason = e.reason
	case !changed:
		return errNoChange
	}
	a.Due.Forced = a.Due.Forced || asked
	return nil
}

// lookAgain lets the next try begin at once, and be made though the instance was thought gone. It reports
// whether that changes anything.
func (a *Account) lookAgain(at time.Time) bool {
	changed := !a.Gone.IsZero()
	a.Gone = time.Time{}
	return a.release(at) || changed
}

// scheduled makes the account due when its stored time has come, and stores the next one. A time whose
// window has passed meanwhile (an outage, a sealed Vault) is missed: the next one counts.
type scheduled struct{ at time.Time }

func (e scheduled) apply(a *Account) error {
	s := a.Settings
	if a.NextRotation.IsZero() || !s.scheduled() {
		return errNoChange
	}
	if s.beyond(a.NextRotation, e.at) {
		a.NextRotation = s.after(e.at, e.at)
		return nil
	}
	if e.at.Before(a.NextRotation) {
		return errNoChange
	}
	missed := s.Window > 0 && e.at.After(a.NextRotation.Add(s.Window)) && s.opens(e.at).After(e.at)
	if missed {
		a.MissedRotation = a.NextRotation
	}
	a.NextRotation = s.after(e.at, a.NextRotation)
	if a.Due == nil && !missed {
		a.Due = &Due{Since: e.at, Reason: DueSchedule}
	}
	return nil
}

// firstRotation is the next scheduled rotation after a change of the schedule: a time of the cron
// expression, or one period after the last rotation, or from now on where there was none. It is never
// in the past.
func firstRotation(a *Account, s Settings, at time.Time) time.Time {
	if !s.scheduled() || s.Mode != Static || s.SharedPassword && !a.isGroup() {
		return time.Time{} // a group's members rotate with the group
	}
	from := at
	if !a.LastRotation.IsZero() && a.LastRotation.Before(at) { // not if the clock was set back
		from = a.LastRotation
	}
	if next := s.after(from, from); next.After(at) {
		return next
	}
	if s.Cron != "" {
		return s.after(at, at)
	}
	return at
}
