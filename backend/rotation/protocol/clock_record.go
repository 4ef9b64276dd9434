package protocol

// What a wrong clock has stored in a record, and its correction.

import "time"

// TimesDelayed moves on what was stored while the wall clock had stepped ahead and was not believed yet: it was
// stored by the time before the step, and would end too early by it.
type TimesDelayed struct{ Step BelievedStep }

func (e TimesDelayed) apply(a *Account) error {
	changed := false
	during := func(t time.Time) bool { return t.After(e.Step.From) && !t.After(e.Step.To) }
	move := func(times ...*time.Time) {
		for _, t := range times {
			if !t.IsZero() {
				*t = t.Add(e.Step.By)
			}
		}
		changed = true
	}
	for i := range a.Versions {
		if v := &a.Versions[i]; during(v.Disclosed) {
			move(&v.Disclosed, &v.Until)
		}
	}
	if p := a.Pending; p != nil {
		if during(p.Disclosed) {
			move(&p.Disclosed, &p.Until)
		}
		if during(p.Brake.Last) {
			move(&p.Brake.Last, &p.Brake.NotBefore)
		}
		if during(p.Spent) {
			move(&p.Spent)
		}
	}
	for nonce, l := range a.Leases {
		switch {
		case during(l.Issued):
			move(&l.Issued, &l.Renewed, &l.Expires)
		case during(l.Renewed):
			move(&l.Renewed, &l.Expires)
		default:
			continue
		}
		a.Leases[nonce] = a.withinDisclosure(l)
	}
	if b := a.Backoff; b != nil && during(b.LastErrorTime) {
		move(&b.LastErrorTime, &b.NotBefore)
	}
	for _, t := range []*time.Time{&a.LastReset, &a.LastRotation} {
		if during(*t) {
			move(t)
		}
	}
	if a.Due != nil && during(a.Due.Since) {
		move(&a.Due.Since)
	}
	if a.LateUntil.After(e.Step.To) { // what is left of it is left still
		move(&a.LateUntil)
	}
	if !changed {
		return ErrNoChange
	}
	return nil
}

// Ahead reports whether the record holds a time that is to come though it tells of something that has
// happened: a clock that was ahead has stored it.
func (a *Account) Ahead(now time.Time) bool {
	limit := now.Add(aheadTolerance)
	if a.LastReset.After(limit) || a.LastRotation.After(limit) || a.Gone.After(limit) || a.InitialCleared.After(limit) ||
		a.Rebuilt != nil && a.Rebuilt.Seen.After(limit) ||
		a.Due != nil && a.Due.Since.After(limit) || a.Backoff != nil && a.Backoff.LastErrorTime.After(limit) ||
		a.Pending != nil && (a.Pending.Created.After(limit) || a.Pending.Disclosed.After(limit) ||
			a.Pending.Brake.Last.After(limit) || a.Pending.Spent.After(limit)) {
		return true
	}
	for _, v := range a.Versions {
		if v.Created.After(limit) || v.Disclosed.After(limit) || v.Ended.After(limit) {
			return true
		}
	}
	for _, l := range a.Leases {
		if l.Issued.After(limit) || l.Renewed.After(limit) {
			return true
		}
	}
	return false
}

// TimesCorrected sets right what a clock that was ahead has stored. By is how far it was ahead, as a negative
// step, if that is known; else what has happened counts as happened now. What follows from a time moves
// with it, so that no lease and no disclosure becomes longer than it was meant to be.
type TimesCorrected struct {
	Now time.Time
	By  time.Duration
}

func (e TimesCorrected) apply(a *Account) error {
	if !a.Ahead(e.Now) {
		return ErrNoChange
	}
	limit := e.Now.Add(aheadTolerance)
	fix := func(t *time.Time, follow ...*time.Time) bool {
		if !t.After(limit) {
			return false
		}
		to := t.Add(e.By)
		if e.By >= 0 || to.After(e.Now) {
			to = e.Now
		}
		for _, f := range follow {
			if !f.IsZero() {
				*f = f.Add(to.Sub(*t))
			}
		}
		*t = to
		return true
	}
	for i := range a.Versions {
		v := &a.Versions[i]
		fix(&v.Created)
		fix(&v.Ended)
		fix(&v.Disclosed, &v.Until)
	}
	if p := a.Pending; p != nil {
		fix(&p.Created)
		fix(&p.Disclosed, &p.Until)
		fix(&p.Brake.Last, &p.Brake.NotBefore)
		fix(&p.Spent)
	}
	for nonce, l := range a.Leases {
		if !fix(&l.Issued, &l.Expires) {
			fix(&l.Renewed, &l.Expires)
		} else {
			fix(&l.Renewed)
		}
		a.Leases[nonce] = a.withinDisclosure(l)
	}
	if a.Due != nil {
		fix(&a.Due.Since)
	}
	if b := a.Backoff; b != nil {
		fix(&b.LastErrorTime, &b.NotBefore)
	}
	if a.Rebuilt != nil {
		fix(&a.Rebuilt.Seen)
	}
	for _, t := range []*time.Time{&a.LastReset, &a.LastRotation, &a.Gone, &a.InitialCleared} {
		fix(t)
	}
	return nil
}
