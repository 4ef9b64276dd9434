package protocol

// How an account goes on at another connection of the same cloud account (rule 26).

import "time"

// ConnectionChanged has the account go on under another connection's name. What the other connection says of the server comes with
// it, and the role that may have the account there.
type ConnectionChanged struct {
	To    ID
	Place PlaceChanged // where the other connection leads
	Facts Facts        // as that connection describes the server
	Role  string       // that may have the account then; "" for no word about it
	At    time.Time
}

// checkMovable is nil if the account may go on at a connection that leads to a place.
func (a *Account) checkMovable(to ID, place PlaceChanged) error {
	switch {
	case a.Pending != nil, len(a.OldUnresolved) > 0:
		return a.CheckSettled()
	case a.Settings.SharedPassword && a.Role != "":
		return Errorf(Conflict, "account %s shares the password of role %s; take its instance out of that role first, which gives it a "+
			"password of its own", a.ID, a.Role)
	case !a.TrustsHere():
		return Errorf(Conflict, "it is not known whether connection %s leads to the cloud account of %s; say so first, with sudo: %s",
			a.Connection, a.ID, a.placeHint())
	case place.Doubted:
		return Errorf(Conflict, "it is not known to which cloud account the credentials of connection %s belong; say so first, with sudo: %s",
			to.Connection, to.placeHint())
	case !a.Place.MayTell(place.Place):
		return Errorf(Conflict, "connections %s and %s are not known to be the same account of the cloud: an account moves between "+
			"connections with the same endpoints, project and region, or whose cloud account the cloud's own hosts have told; write both with "+
			"verify_connection=true, and compare: %s; %s", a.Connection, to.Connection, a.placeHint(), to.placeHint())
	}
	return nil
}

func (e ConnectionChanged) apply(a *Account) error {
	if err := a.checkMovable(e.To, e.Place); err != nil {
		return err
	}
	for nonce := range a.Leases {
		a.endLease(nonce, DueMoved, e.At)
	}
	a.Leases, a.Clients = nil, nil
	if a.Role != "" {
		a.leaveRole()
		a.NextRotation = time.Time{}
		if a.nobodyNeeds() {
			a.Due, a.Backoff = nil, nil
		}
	}
	a.MoveTo = ""
	_ = MoveAllowed{Role: e.Role}.apply(a) // it may need no word
	_ = e.Place.apply(a)                   // it may be the same place
	if !e.Facts.Place.Same(a.Place) || !a.TrustsHere() {
		return Errorf(Conflict, "connection %s leads elsewhere since its cloud was asked about instance %s; try again", e.To.Connection,
			a.InstanceID)
	}
	a.describe(a.withKnown(e.Facts), e.At)
	a.Gone = time.Time{}
	to := e.To
	a.Successor = &to
	return nil
}

// Continued is the record under which an account goes on that has a successor.
func (a *Account) Continued() *Account {
	next := a.Clone()
	next.ID, next.Successor = *a.Successor, nil
	return next
}
