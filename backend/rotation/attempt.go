package rotation

// The beginning of a rotation: a value and the attempts to set it (rules 1 to 3, 8, 9). Pure, like
// rules.go.

// begun records a new pending and its first attempt (rules 1, 2, 8, 9).
type begun struct {
	password string
	batch    string // the group's batch that the value comes from; empty: none
	attempt  Attempt
}

func (e begun) apply(a *Account) error {
	if a.Due == nil || !a.Gone.IsZero() || e.attempt.Method != a.Settings.ResetMethod || !e.attempt.Place.same(a.Place) {
		return errStale
	}
	if a.crowded() {
		return a.tooManyPlaces()
	}
	if len(a.OldUnresolved) > 0 {
		return errStale // rule 9
	}
	taken := false
	if p := a.Pending; p != nil {
		if !p.Rejected && !a.misplaced() {
			return errStale // rule 3: only a rejected value is replaced, or one that was made for another place
		}
		if len(p.Attempts) > 0 {
			return errStale // rule 9
		}
		taken = a.takeBack(e.password)
		if a.full() {
			return a.tooManyCandidates()
		}
		if p.Uncertain { // rule 8
			a.Candidates = append(a.Candidates, Candidate{Password: p.Password, Created: p.Created, Place: p.Place})
		}
	}
	// The server may have a value that was a candidate, whatever becomes of it now.
	next := Pending{Uncertain: taken, Password: e.password, Batch: e.batch, Place: e.attempt.Place, Created: e.attempt.Started, Attempts: []Attempt{e.attempt}, Tried: 1}
	if p := a.Pending; p != nil && !a.misplaced() { // what the cloud did not show of the value before counts on
		next.Brake, next.Spent = p.Brake, p.Spent
	}
	a.Pending = &next
	a.LastReset = e.attempt.Started
	a.prune()
	return nil
}

// retried records another attempt of the same pending (rules 2, 3).
type retried struct{ attempt Attempt }

func (e retried) apply(a *Account) error {
	p := a.Pending
	if p == nil || p.Rejected || p.polled() || a.barred() || !a.Gone.IsZero() || e.attempt.Method != a.Settings.ResetMethod {
		return errStale
	}
	if !a.valueIsFor(e.attempt.Place) {
		return errStale // rule 18: a value goes to one place only
	}
	if e.attempt.Place.tells(p.Place) {
		p.Place = e.attempt.Place
	}
	p.Attempts = append(p.Attempts, e.attempt)
	p.Tried++
	a.LastReset = e.attempt.Started
	return nil
}

// attempt returns the pending's open attempt with that id, or nil.
func (a *Account) attempt(id string) *Attempt {
	if a.Pending == nil {
		return nil
	}
	for i := range a.Pending.Attempts {
		if a.Pending.Attempts[i].ID == id {
			return &a.Pending.Attempts[i]
		}
	}
	return nil
}

// closeAttempt removes the pending's open attempt with that id and reports whether there was one.
func (a *Account) closeAttempt(id string) bool {
	if a.Pending == nil {
		return false
	}
	for i, t := range a.Pending.Attempts {
		if t.ID == id {
			a.Pending.Attempts = append(a.Pending.Attempts[:i:i], a.Pending.Attempts[i+1:]...)
			return true
		}
	}
	return false
}

// follows reports whether the outcome of an accepted attempt is to be seen at the cloud.
func (a *Account) follows() bool {
	return a != nil && a.Gone.IsZero() && a.Settings.CanReset && a.Due != nil && a.asksFor(a.Pending)
}
