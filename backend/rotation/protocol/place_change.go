package protocol

// What happens when the connection leads to another place, or an operator has one forgotten (rule 18).

import (
	"slices"
	"time"
)

// PlaceChanged notes where the account's connection leads now, and whether that can be trusted: Trusted is an
// operator's word that this is the cloud of the existing accounts, Doubted says that the credentials may be those of
// another account of the cloud.
type PlaceChanged struct {
	Place   Place
	Trusted bool
	Doubted bool
	At      time.Time
}

// Changes reports whether there is anything to note.
func (e PlaceChanged) Changes(a *Account) bool {
	return a.Place == "" && e.Place != "" || !e.Place.Same(a.Place) || e.Place.tells(a.Place) || e.Doubted != a.Doubted || e.Trusted &&
		!a.hasTrusted(e.Place)
}

func (e PlaceChanged) apply(a *Account) error {
	if !e.Changes(a) {
		return ErrNoChange
	}
	a.Doubted = e.Doubted
	switch {
	case a.Place == "":
		a.Place = e.Place
		if len(a.Trusted) == 0 {
			a.trust(e.Place)
		}
	case e.Place.Same(a.Place):
		if e.Place.tells(a.Place) {
			a.Place = e.Place
		}
	default:
		a.leavePlace(e.At)
		a.Place = e.Place
		a.returnToPlace()
	}
	if e.Trusted || a.TrustsHere() {
		a.trust(e.Place)
	}
	a.dueForPlace(e.At)
	return nil
}

// PlaceForgotten drops what an account remembers of a place, on an operator's word: its candidates, its versions,
// that it was trusted, and what is to be removed there.
type PlaceForgotten struct {
	Place Place
	At    time.Time
}

func (e PlaceForgotten) apply(a *Account) error {
	switch {
	case e.Place.Same(a.Place):
		return Errorf(Conflict, "account %s: the connection leads to that place now; only others can be forgotten", a.ID)
	case a.Pending != nil && a.Pending.Place.Same(e.Place):
		return Errorf(Conflict, "account %s has a rotation under way at that place; wait until that has ended, see: %s", a.ID, a.inspectHint())
	}
	before := len(a.Candidates) + len(a.Versions) + len(a.Trusted) + len(a.Leftovers)
	a.dropCandidates(e.Place)
	a.Versions = slices.DeleteFunc(a.Versions, func(v Version) bool { return v.Place.Same(e.Place) })
	a.Trusted = slices.DeleteFunc(a.Trusted, e.Place.Same)
	a.Leftovers = slices.DeleteFunc(a.Leftovers, func(l Leftover) bool { return l.Place.Same(e.Place) })
	if len(a.Candidates)+len(a.Versions)+len(a.Trusted)+len(a.Leftovers) == before {
		return ErrNoChange
	}
	if cur := a.Current(); cur != nil {
		cur.Ended = time.Time{}
	}
	a.dueForPlace(e.At)
	return nil
}

// dueForPlace makes the account due if its current version does not fit the connection's place. A member of a group
// is never due for that itself: its group is.
func (a *Account) dueForPlace(at time.Time) {
	if _, member := a.Group(); member || !a.Settings.CanReset || !a.unfit() {
		return
	}
	switch {
	case a.Due == nil:
		a.Due = &Due{Since: at, Reason: DuePlace}
	case !a.Due.Reason.ForbidsReading():
		a.Due.Reason = DuePlace
	}
}
