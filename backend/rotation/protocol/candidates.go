package protocol

// Candidates are bounded without losing one (rule 8).

import "slices"

// maxCandidates bounds the candidates of a place, and so a record's growth on an instance whose resets keep
// failing. Past it a value that fails is kept, and one that is refused is followed by the oldest candidate
// instead of a new value.
const maxCandidates = 20

// CandidatesFull reports whether pending would become one candidate too many.
func (a *Account) CandidatesFull() bool {
	return a.Pending != nil && a.Pending.maybeSet() && !a.Misplaced() && a.candidatesHere() >= maxCandidates
}

// CandidateToResend is the candidate to send instead of a new value, where there are too many: the server may have it, so
// that another value would be one more to keep. "" for none.
func (a *Account) CandidateToResend() string {
	if !a.CandidatesFull() {
		return ""
	}
	i := slices.IndexFunc(a.Candidates, func(c Candidate) bool { return c.Place.Same(a.Place) })
	return a.Candidates[i].Password
}

// takeBack removes a value that is about to be sent from the candidates, and reports whether it was one.
func (a *Account) takeBack(password string) bool {
	before := len(a.Candidates)
	a.Candidates = slices.DeleteFunc(a.Candidates, func(c Candidate) bool { return c.Password == password && c.Place.Same(a.Place) })
	return len(a.Candidates) < before
}

// TooManyCandidates is what a member of a group says that cannot be given one more value of its group.
func (a *Account) TooManyCandidates() error {
	return Errorf(Conflict, "account %s has %d passwords that its server may have, since that many resets failed, the most that it may, "+
		"and is not sent another one of its role; it goes its own way once it does not belong to the role any more", a.ID, a.candidatesHere())
}

// candidatesHere counts the candidates of the connection's place.
func (a *Account) candidatesHere() (n int) {
	for _, c := range a.Candidates {
		if c.Place.Same(a.Place) {
			n++
		}
	}
	return n
}

// dropCandidates drops those of one place, which has confirmed a later value.
func (a *Account) dropCandidates(p Place) {
	a.Candidates = slices.DeleteFunc(a.Candidates, func(c Candidate) bool { return c.Place.Same(p) })
	if len(a.Candidates) == 0 {
		a.Candidates = nil
	}
}

// NoRoomForValue reports whether a value for the connection's place would be one place too many, or one candidate.
func (a *Account) NoRoomForValue() bool {
	if places := a.Places(); len(places) >= maxPlaces && !slices.ContainsFunc(places, a.Place.Same) {
		return true
	}
	return a.Misplaced() && a.Pending.maybeSet() && len(a.Candidates) >= maxCandidates
}

// TooManyPlaces is what a crowded account says.
func (a *Account) TooManyPlaces() error {
	return Errorf(Conflict, "account %s keeps passwords of %d places to which its connection has led, the most that it may, and is not "+
		"rotated at another one; forget places that do not exist any more: %s",
		a.ID, len(a.Places()), a.placeHint())
}
