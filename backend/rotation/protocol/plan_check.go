package protocol

// When the server is to be looked at next (rule 22).

import "time"

// unknownRetry is when a check that could not tell is repeated, where its role's period is longer.
const unknownRetry = time.Hour

// nextCheck is when the server is to be looked at next; false: not before something changes. An account without a password
// has nothing to compare with, and of a reset whose outcome the cloud still shows nothing is to be found out. earliest is now by
// the clock that is behind.
func (a *Account) nextCheck(now, earliest time.Time) (at time.Time, ok bool) {
	if a.Settings.CheckMethod == "" || a.IsGroup() || !a.Gone.IsZero() || len(a.CheckValues()) == 0 || a.asksFor(a.Pending) {
		return time.Time{}, false
	}
	c := a.Checked()
	switch {
	case !c.Asked.IsZero():
		at = c.Asked
	case c.Early && !a.Open():
		at = c.Time
	case a.Braked() && c.Time.Before(a.Pending.Brake.Last):
		at = a.Pending.Brake.Last
	case a.Settings.VerifyPeriod > 0 && a.Due == nil && a.Pending == nil && !a.Open():
		every := a.Settings.VerifyPeriod
		if c.Result == CheckUnknown {
			every = min(every, unknownRetry)
		}
		if !c.Time.IsZero() {
			at = c.Time.Add(every)
		}
	default:
		return time.Time{}, false
	}
	if left := a.CheckHeld(earliest); left > 0 {
		at = Latest(at, now.Add(left))
	}
	if !c.Time.IsZero() && !c.Time.After(now) { // a later time was stored by a clock that was ahead
		at = Latest(at, c.Time.Add(CheckInterval))
	}
	return at, true
}
