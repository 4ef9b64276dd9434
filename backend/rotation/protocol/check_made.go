package protocol

// A check is asked for, and what it shows is recorded (rule 22).

import (
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckRequested says that the server is to be looked at.
type CheckRequested struct {
	At time.Time
	// Action is what to do about a drifted account; empty: what the role says.
	Action DriftAction
	By     Requester
}

func (e CheckRequested) apply(a *Account) error {
	c := a.Checked()
	if !c.Asked.IsZero() && c.Action == e.Action {
		return ErrNoChange
	}
	c.Asked, c.Action, c.By = e.At, e.Action, e.By
	a.Check = &c
	return nil
}

// CheckStarted says that one password is about to be tried on the server, where a wrong one counts towards the user's lockout. It
// is stored before the try, so that no crash forgets it.
type CheckStarted struct {
	Clock ClockReading
	// Interval is the least time between two tries, and LongestTry how long after this the server may still make this one.
	Interval, LongestTry time.Duration
}

func (e CheckStarted) apply(a *Account) error {
	c := a.Checked()
	if a.CheckHeld(e.Clock.Earliest()) > 0 {
		return ErrStale
	}
	c.NotBefore = e.Clock.Latest().Add(e.LongestTry + e.Interval)
	a.Check = &c
	return nil
}

// CheckMade records what a check has shown.
type CheckMade struct {
	// Seen is the record with which the check began, and Place where it looked.
	Seen  *Account
	Place Place
	// Match is the password of [Account.CheckValues] that the server has; empty: none, or it is unknown.
	Match string
	// User is set to one of the results that tell of the user, with more of it in Detail; empty: nothing is known that keeps
	// him from logging in with a password.
	User   CheckResult
	Detail hint.Text
	// Unknown is why the password could not be compared; zero: it was.
	Unknown hint.Text
	// Again: the cloud had no time for it, so that what was asked for is still to be done.
	Again bool
	// Early: nothing was looked at, since attempts are open and no value of theirs is to be looked for.
	Early bool
	// Only is the one password that was compared, of a method that tries one; empty: all of [Account.CheckValues].
	Only string
	// Interval is the least time until the next look, from Latest on, the later one of what the two clocks say. Unended is set
	// where this one may still be going on, so that what [CheckStarted] has stored holds on.
	Interval time.Duration
	Latest   time.Time
	Unended  bool
	// Experimental and LoggedIn: see [Check].
	Experimental, LoggedIn bool
	At                     time.Time
}

// stillOpen is why a check tells nothing of the versions while a value may be on its way.
var stillOpen = hint.Plain("a reset whose outcome is unknown may still take effect; the server is checked again when it no longer can")

// Why a check that tries one password tells nothing of the versions: it was not the current one that the server refused, or there
// is none that may be sent there.
var (
	onlyTheOther = hint.Plain("the server does not have the one password of the account that was tried, which is not the current version; " +
		"no other was")
	noneForHere = hint.Plain("the account has no password that was made for the place where the connection leads, or that place is not " +
		"trusted; no other password is tried there, and none at all at one that is not trusted")
)

// onlyTheCurrent is what a check that tries one password leaves open.
var onlyTheCurrent = hint.Plain("only the current version was tried, so whether the server has an earlier one is not known")

// notOfThisPlace is why a check tells nothing of a version that another place has confirmed.
var notOfThisPlace = hint.Plain(
	"the server has none of the account's passwords, and the current version is not that of the place to which the " +
		"connection leads")

// NothingToTry is what is known where [Account.TryValue] is empty.
func NothingToTry(early bool) hint.Text {
	if early {
		return stillOpen
	}
	return noneForHere
}

func (e CheckMade) apply(a *Account) error {
	if p := a.Pending; e.Match != "" && p != nil && p.Password == e.Match && p.Place.Same(e.Place) {
		// A value on its way that the server has counts in any case: nothing older can be under way.
		a.promoteChecked(e.At)
		a.noteCheck(e, CheckMatches, a.LastVersion)
		return nil
	}
	if !e.Place.Same(a.Place) || !a.sameValues(e.Seen) {
		return ErrStale
	}
	if !e.Unknown.IsZero() {
		asked := a.Checked()
		a.noteCheck(e, CheckUnknown, 0)
		switch a.Check.Early = e.Early; {
		case e.Again:
			a.Check.Asked, a.Check.Action, a.Check.By = asked.Asked, asked.Action, asked.By
		case e.Early: // the check that follows by itself does what this one was for
			a.Check.Action, a.Check.By = asked.Action, asked.By
		}
		return nil
	}
	if a.Open() {
		e.Unknown = stillOpen
		asked := a.Checked()
		a.noteCheck(e, CheckUnknown, 0)
		a.Check.Early, a.Check.Action, a.Check.By = true, asked.Action, asked.By
		return nil
	}
	if cur := a.Current(); e.Only != "" && e.Match == "" && e.User != CheckNoUser && (cur == nil || cur.Password != e.Only) {
		e.Unknown = onlyTheOther // it refutes nothing else
		a.noteCheck(e, CheckUnknown, 0)
		return nil
	}
	e.compare(a)
	return nil
}

// compare records a check that was made while nothing was open.
func (e CheckMade) compare(a *Account) {
	_, member := a.Group()
	cur, found := a.Current(), a.matching(e.Match, e.Place)
	switch {
	case cur != nil && found == cur:
		if cur.Place.Same(e.Place) {
			cur.Confirmed = cur.Confirmed || a.Trusts(e.Place)
			if !member {
				a.neverCame()
			}
		}
		a.noteCheck(e, CheckMatches, cur.Number)
		return
	case !member && a.takeBack(e.Match):
		a.neverCame()
		a.adopt(Version{Password: e.Match, Source: FromReset, Roles: a.rolesOf(e.Match)}, e)
		a.noteCheck(e, CheckMatches, a.LastVersion)
		return
	case !member && found != nil && a.CurrentElsewhere() && found.Place.Same(e.Place):
		a.neverCame()
		a.adopt(*found, e)
		a.noteCheck(e, CheckMatches, a.LastVersion)
		return
	case found != nil:
		a.noteCheck(e, CheckOlder, found.Number)
	case a.CurrentElsewhere():
		e.Unknown = notOfThisPlace
		a.noteCheck(e, CheckUnknown, 0)
	default:
		if e.Only != "" && e.Detail.IsZero() {
			e.Detail = onlyTheCurrent
		}
		a.noteCheck(e, CheckDiffers, 0)
	}
	if a.Drifted() && !member && a.TrustsHere() {
		a.correct(found, e)
	}
}

// matching is the newest version with a password, if it can be one of those with it that of the place; nil: none has it.
func (a *Account) matching(password string, place Place) (found *Version) {
	if password == "" {
		return nil
	}
	for i := range slices.Backward(a.Versions) {
		v := &a.Versions[i]
		if v.Password == password && (found == nil || v.Place.Same(place) && !found.Place.Same(place)) {
			found = v
		}
	}
	return found
}

// noteCheck keeps what a check has shown. What was asked for when it began is done with it.
func (a *Account) noteCheck(e CheckMade, result CheckResult, version int) {
	if result == CheckMatches {
		a.checkedAfterRebuild(e.Seen)
	}
	c := Check{Time: e.At, Result: result, Version: version, User: e.User, Reason: e.Unknown, Experimental: e.Experimental,
		LoggedIn: e.LoggedIn || a.Checked().LoggedIn}
	if e.Interval > CheckInterval {
		c.NotBefore = Latest(e.At, e.Latest).Add(e.Interval)
	}
	if e.Unended {
		c.NotBefore = Latest(c.NotBefore, a.Checked().NotBefore)
	}
	if c.Reason.IsZero() {
		c.Reason = e.Detail
	}
	if e.User != "" && result != CheckUnknown && !(e.User == CheckLoginOff && version > 0) {
		c.Result = e.User
	}
	if cur := a.Current(); cur != nil {
		c.Of = cur.Number
	}
	c.Drifted = result == CheckUnknown && a.Drifted()
	if before := a.Checked(); !before.Asked.Equal(e.Seen.Checked().Asked) { // who has asked since wants to know what is true now
		c.Asked, c.Action, c.By = before.Asked, before.Action, before.By
	}
	a.Check = &c
}

// promoteChecked is promote where a check is the proof.
func (a *Account) promoteChecked(at time.Time) {
	tried := a.Pending.Tried
	a.promote("", at)
	cur := a.Current()
	cur.Change.Checked, cur.Change.Attempts = true, tried
}

// neverCame gives up the value on its way and the candidates of this place: nothing is open, and the server has another
// value. The pauses that the brake has imposed hold on, for the next value.
func (a *Account) neverCame() {
	a.dropCandidates(a.Place)
	p := a.Pending
	if p == nil || a.Misplaced() {
		return
	}
	if p.Brake.Unshown > 0 {
		b := Backoff{LastError: p.Brake.Shown, LastErrorTime: p.Brake.Last}
		if a.Backoff != nil {
			b = *a.Backoff
		}
		b.Brake, b.NotBefore = p.Brake, Latest(b.NotBefore, p.Brake.NotBefore)
		a.Backoff = &b
	}
	a.Pending = nil
}

// adopt makes a password of ours that the server has the current version. What the account is due for stays.
func (a *Account) adopt(v Version, e CheckMade) {
	asked := a.Checked()
	v.Created, v.Ended, v.Place, v.Confirmed = e.At, time.Time{}, e.Place, a.Trusts(e.Place)
	v.Change = Change{Reason: Restored, Since: e.At, By: asked.By, Checked: true}
	if !v.Disclosed.IsZero() && a.Settings.Mode == Leased {
		v.Until = e.At.Add(a.Settings.MaxTTL)
	}
	a.Add(v)
	a.prune()
	// In a leased account the leases of those who know it have ended, and others know what was a group's.
	known := a.Settings.Mode == Leased && !v.Disclosed.IsZero() || v.Batch != ""
	if known && a.Settings.CanReset && a.Due == nil {
		a.Due = &Due{Since: e.At, Reason: DueDrifted, By: asked.By}
	}
}

// correct does what the role, or who asked for the check, wants of an account whose server has another password.
func (a *Account) correct(found *Version, e CheckMade) {
	action, asked := a.Settings.DriftAction, e.Seen.Checked()
	if asked.Action != "" {
		action = asked.Action
	}
	switch {
	case e.User != "" && e.User != CheckNoPassword && !(e.User == CheckLoginOff && found != nil): // somebody may have wanted that
	case action == DriftRestore && found != nil && found.Place.Same(e.Place):
		a.adopt(*found, e)
		a.checkedAfterRebuild(e.Seen)
		a.Check.Of, a.Check.Result, a.Check.Version = a.LastVersion, CheckMatches, a.LastVersion
	case action == DriftRotate && asked.Action == "" && a.rotatedInVain(e):
	case action == DriftRotate && a.Settings.CanReset && a.Due == nil:
		a.Due = &Due{Since: e.At, Reason: DueDrifted, By: asked.By}
	}
}

// rotatedInVain reports whether the current version was made for a drift, and the check before this one found by a login that the
// server does not take it either. Then it is something else that keeps the user out, such as a rule of the server, and the next
// version would fare no better.
func (a *Account) rotatedInVain(e CheckMade) bool {
	before, cur := e.Seen.Checked(), a.Current()
	return a.Settings.CheckMethod == cloud.CheckSSH && cur.Change.Reason == DueDrifted && before.Of == cur.Number &&
		before.Result == CheckDiffers
}
