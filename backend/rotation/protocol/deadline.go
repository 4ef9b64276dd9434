package protocol

// When leases and disclosures end (rule 12).

import "time"

// Slack is added to every deadline that this package keeps for a lease, because Vault counts the
// lease from a moment after the answer left: it is more than the longest request that Vault lets
// run by default (90 s, max_request_duration of the listener) plus the time to register the lease.
const Slack = 2 * time.Minute

// end is when a disclosure ends that was to end at until. One that begins in the future was stored by a clock that
// was ahead: it counts from now.
func end(disclosed, until, now time.Time) time.Time {
	if until.IsZero() || !disclosed.After(now) {
		return until
	}
	return until.Add(now.Sub(disclosed))
}

// end is when the version's disclosure ends; zero: it is not disclosed, or in static mode.
func (v *Version) end(now time.Time) time.Time { return end(v.Disclosed, v.Until, now) }

// endsBy is when a lease ends at the latest: what may still be renewed lasts as long as its version.
func (a *Account) endsBy(l Lease, now time.Time) time.Time {
	ends := l.Expires
	if cur := a.Current(); cur != nil && l.Version == cur.Number && now.Before(l.Expires) && a.Pending == nil &&
		!(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		ends = Latest(ends, cur.end(now))
	} else if p := a.Pending; p != nil && l.Version == a.LastVersion+1 {
		ends = Latest(ends, end(p.Disclosed, p.Until, now))
	}
	return ends.Add(Slack)
}

// withinDisclosure ends a lease at the latest with the disclosure of its version.
func (a *Account) withinDisclosure(l Lease) Lease {
	until := time.Time{}
	if v := a.Version(l.Version); v != nil {
		until = v.Until
	} else if a.Pending != nil && l.Version == a.LastVersion+1 {
		until = a.Pending.Until
	}
	if !until.IsZero() && l.Expires.After(until) {
		l.Expires = until
	}
	return l
}

// overdue reports whether the current version has been disclosed past its deadline.
func (a *Account) overdue(now time.Time) bool {
	cur := a.Current()
	return cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !now.Before(cur.Until.Add(Slack))
}

// NextExpiry is when LeasesExpired will have something to do; zero: never.
func (a *Account) NextExpiry() time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, l := range a.Leases {
		earlier(l.Expires.Add(Slack))
	}
	cur := a.Current()
	if cur != nil && a.Settings.Mode == Leased && !cur.Until.IsZero() && !(a.Due != nil && a.Due.Reason.ForbidsReading()) {
		earlier(cur.Until.Add(Slack))
	}
	return at
}

// Latest is the later of two times.
func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
