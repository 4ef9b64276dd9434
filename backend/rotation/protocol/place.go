package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Places (rule 18).

// Place is the fingerprint of where a connection's requests go and as whom: a digest of names, and the id of
// the cloud account that was told there. No key has a part in it, so that new keys of the same account are no
// change. The zero value is a place that nobody has told yet.
type Place string

// What stands before the account id in a place.
const (
	toldMark   = "/" // an endpoint told it that the connection's writer chose, or may have
	provenMark = "=" // an endpoint of the cloud's own told it
)

// maxAccountID bounds what a cloud may call an account.
const maxAccountID = 64

// PlaceOf makes the fingerprint. account is what the cloud calls the account, empty where that is not known;
// proven says that it was asked at an endpoint which the connection's writer did not choose.
func PlaceOf(names []string, account string, proven bool) Place {
	digest := sha256.New()
	for _, name := range names {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(name)))
		digest.Write(length[:])
		digest.Write([]byte(name))
	}
	place := hex.EncodeToString(digest.Sum(nil)[:8])
	if !isAccountID(account) {
		account = ""
	}
	switch {
	case proven:
		return Place(place + provenMark + account)
	case account != "":
		return Place(place + toldMark + account)
	}
	return Place(place)
}

// isAccountID reports whether a cloud's word for an account may be kept: it is foreign text.
func isAccountID(s string) bool {
	return s != "" && len(s) <= maxAccountID && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.' || r == ':')
	})
}

func (p Place) split() (names, account string, proven bool) {
	s := string(p)
	if i := strings.IndexAny(s, toldMark+provenMark); i >= 0 {
		return s[:i], s[i+1:], s[i:i+1] == provenMark
	}
	return s, "", false
}

// Account is what the cloud calls the account of the place, and whether that is proven.
func (p Place) Account() (id string, proven bool) {
	_, id, proven = p.split()
	return id, proven && id != ""
}

// MayTell reports whether who asks from this place may be told about an account of another: one account of the cloud
// has no secrets of this kind from itself.
func (p Place) MayTell(o Place) bool { return p == o || p.sameAccount(o) }

// Realm is within which an account is unique over provider, instance id and user name: "" for the cloud's own hosts,
// where nobody sees another's server; else the hosts that a connection names, which may claim to have any.
func (p Place) Realm() string {
	names, _, own := p.split()
	if own {
		return ""
	}
	return names
}

// Same reports whether two fingerprints are of one place. An account that is not known yet may be any.
func (p Place) Same(o Place) bool {
	if p == o {
		return true
	}
	names, account, _ := p.split()
	others, other, _ := o.split()
	return names == others && (account == other || account == "" || other == "")
}

// sameAccount reports whether two places are proven to belong to one account of the cloud.
func (p Place) sameAccount(o Place) bool {
	id, proven := p.Account()
	other, too := o.Account()
	return proven && too && id == other
}

// tells reports whether the fingerprint tells more of the same place than another does.
func (p Place) tells(o Place) bool {
	id, proven := p.Account()
	other, too := o.Account()
	return id != "" && (other == "" || proven && !too)
}

// FactsFor are the facts that may stand beside a version: another place's addresses would send its password there.
func (a *Account) FactsFor(v *Version) Facts {
	f := a.Facts
	if v == nil || v.Place.Same(f.Place) || a.hasTrusted(v.Place) && a.hasTrusted(f.Place) {
		return f
	}
	return Facts{Platform: f.Platform, Place: f.Place}
}

// maxPlaces is how many places an account remembers passwords of, and how many it trusts.
const maxPlaces = 8

// PlaceChanged notes where the account's connection leads now, and who stands for it: an operator's word that this is
// the cloud of the existing accounts (trusted), or doubt whether the credentials are still those of the same
// account.
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
		a.returned()
	}
	if e.Trusted || a.TrustsHere() {
		a.trust(e.Place)
	}
	a.notHere(e.At)
	return nil
}

// leavePlace raises a barrier for what was sent to the place that the connection leaves: another place need not
// order its operations with those of this one (rules 10, 18).
func (a *Account) leavePlace(at time.Time) {
	open, fence := a.ClosedByTimeout, a.TimeoutFence
	note := func(t Attempt) {
		if !t.IsFence && t.Place.Same(a.Place) {
			open, fence = true, max(fence, t.FenceWindow)
		}
	}
	for _, t := range a.OldUnresolved {
		note(t)
	}
	if a.Pending != nil {
		for _, t := range a.Pending.Attempts {
			note(t)
		}
	}
	if open {
		a.ClosedByTimeout, a.TimeoutFence = false, 0
		a.addFence(placeFence, at, fence)
	}
}

// returned takes back the barriers of the place that the connection leads to again. While they stood nothing was
// sent to another one, so it is as if the connection had never left.
func (a *Account) returned() {
	a.OldUnresolved = slices.DeleteFunc(a.OldUnresolved, func(t Attempt) bool {
		back := t.IsFence && strings.HasPrefix(t.ID, placeFence) && t.Place.Same(a.Place) && t.Method == a.Settings.ResetMethod
		if back {
			a.ClosedByTimeout, a.TimeoutFence = true, max(a.TimeoutFence, t.FenceWindow)
		}
		return back
	})
	if len(a.OldUnresolved) == 0 {
		a.OldUnresolved = nil
	}
}

// hasTrusted reports whether what this place says about existing servers has been trusted.
func (a *Account) hasTrusted(p Place) bool {
	return slices.ContainsFunc(a.Trusted, p.Same)
}

// trust remembers a place that is trusted. The oldest ones are forgotten first.
func (a *Account) trust(p Place) {
	if p == "" || slices.Contains(a.Trusted, p) {
		return
	}
	trusted := slices.DeleteFunc(slices.Clone(a.Trusted), p.Same)
	trusted = append(trusted, p)
	a.Trusted = trusted[max(0, len(trusted)-maxPlaces):]
}

// TrustsHere reports whether what the connection's place says about existing servers is trusted: that one is gone,
// or which initial password it has. It is the place at which the account was bound, or is proven to be the same
// account of the cloud, or an operator said so.
func (a *Account) TrustsHere() bool {
	return !a.Doubted && a.Trusts(a.Place)
}

// Trusts is TrustsHere for a place that the connection may have left.
func (a *Account) Trusts(p Place) bool {
	return len(a.Trusted) == 0 || a.hasTrusted(p) || slices.ContainsFunc(a.Trusted, p.sameAccount)
}

// Misplaced reports whether pending was made for another place than the connection has now: it is neither sent
// nor polled.
func (a *Account) Misplaced() bool {
	return a.Pending != nil && !a.Pending.Place.Same(a.Place)
}

// valueIsFor reports whether pending may be sent to a place: to that for which it was made, and only while the
// connection leads there.
func (a *Account) valueIsFor(p Place) bool {
	return p.Same(a.Place) && !a.Misplaced()
}

// asksFor reports whether the outcome of pending's attempts may be asked for now.
func (a *Account) asksFor(p *Pending) bool {
	return p != nil && !a.Misplaced() && p.AnyPolled()
}

// hasOwn reports whether the connection's place has a version or a candidate of its own.
func (a *Account) hasOwn() bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Place.Same(a.Place) }) ||
		slices.ContainsFunc(a.Candidates, func(c Candidate) bool { return c.Place.Same(a.Place) })
}

// CurrentElsewhere reports whether the current version is another place's.
func (a *Account) CurrentElsewhere() bool {
	cur := a.Current()
	return cur != nil && !cur.Place.Same(a.Place)
}

// unfit reports whether the current version must not be handed out at the connection's place: it is another
// place's, and this one has its own, or is the trusted one of the two.
func (a *Account) unfit() bool {
	return a.CurrentElsewhere() && (a.hasOwn() || a.TrustsHere() && !a.Trusts(a.Current().Place))
}

// notHere makes an account due whose current version does not fit the connection's place. A member's group says
// for it what is due.
func (a *Account) notHere(at time.Time) {
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

// Places are those of which the account has a password.
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

// NoRoomForValue reports whether a value for the connection's place would be one place too many, or one candidate.
func (a *Account) NoRoomForValue() bool {
	if places := a.Places(); len(places) >= maxPlaces && !slices.ContainsFunc(places, a.Place.Same) {
		return true
	}
	return a.Misplaced() && a.Pending.Uncertain && len(a.Candidates) >= maxCandidates
}

// TooManyPlaces is what a crowded account says.
func (a *Account) TooManyPlaces() error {
	return Errorf(Conflict, "account %s keeps passwords of %d places to which its connection has led, the most that it may, and is not "+
		"rotated at another one; forget places that do not exist any more: %s",
		a.ID, len(a.Places()), a.placeHint())
}

// PlaceForgotten drops what an account remembers of a place, on an operator's word: its candidates, its versions, and
// that it was trusted.
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
	before := len(a.Candidates) + len(a.Versions) + len(a.Trusted)
	a.dropCandidates(e.Place)
	a.Versions = slices.DeleteFunc(a.Versions, func(v Version) bool { return v.Place.Same(e.Place) })
	a.Trusted = slices.DeleteFunc(a.Trusted, e.Place.Same)
	if len(a.Candidates)+len(a.Versions)+len(a.Trusted) == before {
		return ErrNoChange
	}
	if cur := a.Current(); cur != nil {
		cur.Ended = time.Time{}
	}
	a.notHere(e.At)
	return nil
}

// whyElsewhere says why a version is not handed out that another place has confirmed.
func (a *Account) whyElsewhere() hint.Text {
	out := hint.Plain("; it is rotated there")
	if !a.Settings.CanReset {
		out = hint.Textf(", and nothing can set another one there. If the server has an older version: %s; or record what it has: %s",
			a.VersionsHint(), a.ImportHint())
	}
	return hint.Textf("the current version of account %s is not that of the place to which connection %s leads now%s", a.ID, a.Connection, out)
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
