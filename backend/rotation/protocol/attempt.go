package protocol

// The beginning of a rotation: a value and the attempts to set it (rules 1 to 3, 8, 9).

// RotationStarted records a new pending and its first attempt (rules 1, 2, 8, 9).
type RotationStarted struct {
	Password string
	Batch    string // the group's batch that the value comes from; empty: none
	Attempt  Attempt
}

func (e RotationStarted) apply(a *Account) error {
	if a.Due == nil || !a.Gone.IsZero() || e.Attempt.Method != a.Settings.ResetMethod || !e.Attempt.Place.Same(a.Place) {
		return ErrStale
	}
	if a.NoRoomForValue() {
		return a.TooManyPlaces()
	}
	if anyBlocks(a.OldUnresolved) || !a.follows(e.Attempt, false) {
		return ErrStale // rules 9, 19
	}
	taken := false
	if p := a.Pending; p != nil {
		if !p.Rejected && !a.Misplaced() {
			return ErrStale // rule 3: only a rejected value is replaced, or one that was made for another place
		}
		if a.mustSettle(p) {
			return ErrStale // rule 9
		}
		taken = a.takeBack(e.Password)
		if a.CandidatesFull() {
			return a.TooManyCandidates()
		}
		if p.maybeSet() { // rule 8
			a.Candidates = append(a.Candidates, Candidate{Password: p.Password, Created: p.Created, Place: p.Place})
		}
		a.OldUnresolved = append(a.OldUnresolved, p.Attempts...)
	}
	// The server may have a value that was a candidate, whatever becomes of it now.
	next := Pending{Uncertain: taken, Password: e.Password, Batch: e.Batch, Place: e.Attempt.Place, Created: e.Attempt.Started,
		Why: *a.Due, ForceStop: a.Settings.ForceStop, Attempts: []Attempt{e.Attempt}, Tried: 1, Order: e.Attempt.Order}
	switch p := a.Pending; { // what the cloud did not show of the value before counts on
	case p != nil && !a.Misplaced():
		next.Brake, next.Spent = p.Brake, p.Spent
	case p == nil && a.Backoff != nil:
		next.Brake = a.Backoff.Brake
	}
	a.Pending = &next
	a.LastOrder = max(a.LastOrder, e.Attempt.Order)
	a.LastReset = e.Attempt.Started
	a.prune()
	return nil
}

// AttemptRepeated records another attempt of the same pending (rules 2, 3).
type AttemptRepeated struct{ Attempt Attempt }

func (e AttemptRepeated) apply(a *Account) error {
	p := a.Pending
	if p == nil || p.Rejected || p.AnyPolled() || a.Fenced() || !a.Gone.IsZero() || e.Attempt.Method != a.Settings.ResetMethod {
		return ErrStale
	}
	if !a.valueIsFor(e.Attempt.Place) {
		return ErrStale // rule 18: a value goes to one place only
	}
	if !a.follows(e.Attempt, true) {
		return ErrStale // rule 19
	}
	if e.Attempt.Place.tells(p.Place) {
		p.Place = e.Attempt.Place
	}
	p.Attempts = append(p.Attempts, e.Attempt)
	p.Order = max(p.Order, e.Attempt.Order)
	a.LastOrder = max(a.LastOrder, e.Attempt.Order)
	p.Tried++
	p.ForceStop = p.ForceStop || a.Settings.ForceStop
	a.LastReset = e.Attempt.Started
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

// AwaitsOutcome reports whether the outcome of an accepted attempt is to be seen at the cloud.
func (a *Account) AwaitsOutcome() bool {
	return a != nil && a.Gone.IsZero() && a.Settings.CanReset && a.Due != nil && a.asksFor(a.Pending)
}
