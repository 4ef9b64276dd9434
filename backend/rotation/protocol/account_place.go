package protocol

// What an account knows of places: which of them its passwords are for, which it trusts, and where its connection leads
// (rule 18).

import (
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// hasTrusted reports whether the place itself is among the trusted ones.
func (a *Account) hasTrusted(p Place) bool {
	return slices.ContainsFunc(a.Trusted, p.Same)
}

// trust adds a place to the trusted ones. The oldest ones are forgotten first.
func (a *Account) trust(p Place) {
	if p == "" || slices.Contains(a.Trusted, p) {
		return
	}
	trusted := slices.DeleteFunc(slices.Clone(a.Trusted), p.Same)
	trusted = append(trusted, p)
	a.Trusted = trusted[max(0, len(trusted)-maxPlaces):]
}

// TrustsHere reports whether the connection's place is trusted in what it says about existing servers: that one is
// gone, or which initial password it has. So it is if the account was bound there, if it is proven to be the same
// account of the cloud, or if an operator said so.
func (a *Account) TrustsHere() bool {
	return !a.Doubted && a.Trusts(a.Place)
}

// Trusts is like TrustsHere, for any place.
func (a *Account) Trusts(p Place) bool {
	return len(a.Trusted) == 0 || a.hasTrusted(p) || slices.ContainsFunc(a.Trusted, p.sameAccount)
}

// Misplaced reports whether pending was made for another place than the connection has now: it is neither sent
// nor polled.
func (a *Account) Misplaced() bool {
	return a.Pending != nil && !a.Pending.Place.Same(a.Place)
}

// valueIsFor reports whether pending may be sent to a place: only to the one for which it was made, and only while
// the connection leads there.
func (a *Account) valueIsFor(p Place) bool {
	return p.Same(a.Place) && !a.Misplaced()
}

// asksFor reports whether the outcome of pending's attempts may be asked for now.
func (a *Account) asksFor(p *Pending) bool {
	return p != nil && !a.Misplaced() && p.AnyPolled()
}

// CurrentElsewhere reports whether the current version is another place's.
func (a *Account) CurrentElsewhere() bool {
	cur := a.Current()
	return cur != nil && !cur.Place.Same(a.Place)
}

// hasOwn reports whether the connection's place has a version or a candidate of its own.
func (a *Account) hasOwn() bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Place.Same(a.Place) }) ||
		slices.ContainsFunc(a.Candidates, func(c Candidate) bool { return c.Place.Same(a.Place) })
}

// unfit reports whether the current version must not be handed out at the connection's place: it is another
// place's, and either this one has passwords of its own, or only this one is trusted.
func (a *Account) unfit() bool {
	return a.CurrentElsewhere() && (a.hasOwn() || a.TrustsHere() && !a.Trusts(a.Current().Place))
}

// FactsFor are the facts that may be shown with a version. With the addresses of another place, people would send its
// password there.
func (a *Account) FactsFor(v *Version) Facts {
	f := a.Facts
	if v == nil || v.Place.Same(f.Place) || a.hasTrusted(v.Place) && a.hasTrusted(f.Place) {
		return f
	}
	return Facts{Platform: f.Platform, Place: f.Place}
}

// maxPlaces is for how many places an account keeps passwords, and how many it trusts.
const maxPlaces = 8

// Places are those for which the account has a password.
func (a *Account) Places() []Place {
	var all []Place
	add := func(p Place) {
		if !slices.ContainsFunc(all, p.Same) {
			all = append(all, p)
		}
	}
	for _, v := range a.Versions {
		add(v.Place)
	}
	for _, c := range a.Candidates {
		add(c.Place)
	}
	if a.Pending != nil {
		add(a.Pending.Place)
	}
	return all
}

// WasReset reports whether any place has said that it set a password.
func (a *Account) WasReset() bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Source == FromReset })
}

// PlaceView is what an account remembers of a place.
type PlaceView struct {
	Place Place
	// Current is set for the connection's place, Trusted where its word about existing servers counts.
	Current, Trusted bool
	// Version is the number of the newest version that the place has confirmed; 0: none.
	Version    int
	Candidates int
}

// PlaceViews are all places that the account has a password for or trusts, and the connection's.
func (a *Account) PlaceViews() []PlaceView {
	all := a.Places()
	for _, p := range append(append([]Place(nil), a.Trusted...), a.Place) {
		if p != "" && !slices.ContainsFunc(all, p.Same) {
			all = append(all, p)
		}
	}
	out := make([]PlaceView, 0, len(all))
	for _, p := range all {
		v := PlaceView{Place: p, Current: p.Same(a.Place), Trusted: a.Trusts(p)}
		for _, ver := range a.Versions {
			if ver.Place.Same(p) {
				v.Version = ver.Number
			}
		}
		for _, c := range a.Candidates {
			if c.Place.Same(p) {
				v.Candidates++
			}
		}
		if v.Current {
			v.Trusted = a.TrustsHere()
		}
		out = append(out, v)
	}
	return out
}

// NotProvenError is what an account answers that would have to trust the connection's place.
func (a *Account) NotProvenError() error {
	return &Error{Kind: NotReadable, RetryAfter: time.Minute, Message: hint.Textf(
		"connection %s leads to another place than when account %s was made, and it is not proven that this is the same account of the cloud: "+
			"what it says about existing servers is not trusted. See: %s",
		a.Connection, a.ID, a.placeHint())}
}
