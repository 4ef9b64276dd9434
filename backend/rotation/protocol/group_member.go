package protocol

// What a member of a group keeps of its membership (rule 16).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Rejoins in Joining says that no value of the group has been made for the member yet: it has just been
// bound, its record is new, or its instance was gone. Otherwise Joining is the id of the one batch that was
// made for it, and empty once it has been given that.
const Rejoins = "*"

// MaxRefusals is how many passwords a member may refuse by itself before the group goes on without it. Two
// of them replace the batch, which resets all others again; the third does not.
const MaxRefusals = 3

// LaggardPatience is how long the others wait for a member which does not confirm. It is longer than what a
// healthy server takes, and short against the life of a lease. The member's own tries go on.
const LaggardPatience = 5 * time.Minute

// joins begins a membership.
func (a *Account) joins() {
	a.Joining, a.LeftOut, a.Refusals = Rejoins, time.Time{}, 0
}

// may reports whether a batch may be sent to the member: it was made for it, or sent to it already.
func (a *Account) may(batch string) bool {
	return a.Joining == "" || a.Joining == batch || a.Pending != nil && a.Pending.Batch == batch
}

// refuses counts a batch that this very member, and no other of its request, has refused.
func (a *Account) refuses(shared bool) {
	if _, member := a.Group(); member && a.Pending.Batch != "" && !shared {
		a.Refusals++
	}
}

// WaitsToJoin reports whether the member waits for a value that is made for it. The one that it has already,
// because it has left and come back meanwhile, is as good.
func (a *Account) WaitsToJoin(g *Account) bool {
	if a.Joining == "" {
		return false
	}
	if o := g.Offers(); o.Batch != "" {
		return !a.Confirmed(o.Batch) && !a.may(o.Batch)
	}
	return true
}

// MemberInvited says that the batch of that id, which is about to be made, is made for the member. It is written
// before the batch: one without it is never sent to who joined too late for it.
type MemberInvited struct{ Role, Batch string }

func (e MemberInvited) apply(a *Account) error {
	if a.Role != e.Role || !a.Settings.SharedPassword || !a.Gone.IsZero() {
		return ErrStale
	}
	if a.Joining == "" {
		return ErrNoChange
	}
	a.Joining = e.Batch
	return nil
}

// MemberForgiven is an operator's word that the role be rotated: each member is tried again at once, and may refuse
// passwords again. One that was left out is not waited for until it confirms, all the same.
type MemberForgiven struct{ At time.Time }

func (e MemberForgiven) apply(a *Account) error {
	if _, member := a.Group(); !member || !a.Gone.IsZero() {
		return ErrNoChange
	}
	again := a.lookAgain(e.At)
	if !again && a.Refusals == 0 {
		return ErrNoChange
	}
	a.Refusals = 0
	return nil
}

// MemberLeftOut says that the others do not wait for the member any more. It stays a member: it is tried on, with
// whatever the group's value is then, until it has that.
type MemberLeftOut struct{ At time.Time }

func (e MemberLeftOut) apply(a *Account) error {
	if _, member := a.Group(); !member || !a.LeftOut.IsZero() {
		return ErrNoChange
	}
	a.LeftOut = e.At
	return nil
}

// WhyLeftOut says why the member was left out.
func (a *Account) WhyLeftOut() hint.Text {
	if a.Refusals >= MaxRefusals {
		return hint.Textf("it has refused %d passwords; an operator's rotate-role/ gives it another chance", a.Refusals)
	}
	return hint.Textf("it has not confirmed a password within %s%s", LaggardPatience, a.lastError())
}

// standing is where a member is on its way to a value.
type standing int

const (
	hasIt      standing = iota // it has confirmed it, and nothing else is under way
	hasRefused                 // its cloud or guest has refused it
	isJoining                  // it must not be given it
	underWay                   // an attempt's outcome is awaited
	isObsolete                 // it has another value under way, which is to be given up
	isBlocked                  // something may still arrive, rules 9 and 10
	IsReady                    // it may be sent
)

// Standing is where the member is on its way to a batch.
func (a *Account) Standing(batch string) standing {
	p := a.Pending
	switch {
	case a.Confirmed(batch):
		return hasIt
	case p != nil && p.Batch == batch && p.Rejected:
		return hasRefused
	case !a.may(batch):
		return isJoining
	case p != nil && p.AnyPolled():
		return underWay
	case p != nil && p.Batch != batch && !p.Rejected:
		return isObsolete
	case p != nil && p.Batch != batch && len(p.Attempts) > 0, len(a.OldUnresolved) > 0:
		return isBlocked
	}
	return IsReady
}

// offer is the value that a group's members are to have: its batch, or the current version.
type offer struct {
	Role, Password, Batch string
	Reason                Reason
	Forced                bool
	settings              Settings
	Place                 Place // for which it was made
}

// Offers returns what a group offers; a batch of "" is none.
func (g *Account) Offers() offer {
	o := offer{Role: g.Role, settings: g.Settings, Reason: DueManual, Forced: g.Due != nil && g.Due.Forced}
	switch cur := g.Current(); {
	case g.Pending != nil:
		o.Password, o.Batch, o.Place = g.Pending.Password, g.Pending.Batch, g.Pending.Place
		if g.Due != nil {
			o.Reason = g.Due.Reason
		}
	case cur != nil:
		o.Password, o.Batch, o.Place = cur.Password, cur.Batch, cur.Place
	}
	return o
}

// opens is when the group's rotation window lets members be reset.
func (o offer) opens(now time.Time) time.Time {
	if o.Forced {
		return now
	}
	return o.settings.Timetable().NextAllowed(now)
}

// CheckMemberReadable says why a member has no password of the group to hand out now; nil: it has one.
func (a *Account) CheckMemberReadable(g *Account, now time.Time) error {
	cur, shared := a.Current(), g.Current()
	switch {
	case a.Pending == nil && cur != nil && cur.Batch != "" && (cur.Batch == g.Offers().Batch || shared != nil && cur.Batch == shared.Batch):
		return nil
	case !a.LeftOut.IsZero():
		return &Error{Kind: NotReadable, RetryAfter: max(retryInterval, a.backsOff(now).Sub(now)), Poll: RolloutInterval, Message: hint.Textf(
			"account %s does not have the password of role %s and is left out since %s: %s", a.ID, g.Role, a.LeftOut.UTC().Format(time.RFC3339),
			a.WhyLeftOut())}
	case a.WaitsToJoin(g):
		return g.waitsForNext(a, now)
	}
	if err := a.CheckReadable(now); err != nil {
		return err
	}
	return g.NotAgreedError()
}

// waitsForNext says that a joiner waits for the group's next value, and for what that waits.
func (g *Account) waitsForNext(a *Account, now time.Time) error {
	e := &Error{Kind: NotReadable, RetryAfter: retryInterval, Poll: RolloutInterval, Message: hint.Textf(
		"account %s has joined role %s and is not given the password that the others have: it waits for the next one", a.ID, g.Role)}
	switch {
	case g.Pending != nil:
		e.Message = e.Message.Add(hint.Plain(", which is made once the others have the one that is under way"))
	case g.Due != nil && g.waitsForHolder():
		e.Message = e.Message.Add(hint.Plain(", which is made when the exclusive lease of the present one has ended"))
		e.RetryAfter = time.Minute
	case g.Due != nil:
		w := g.WaitsFor(PlanInput{Now: now})
		e.Message = e.Message.Add(w.says(g, now))
		e.RetryAfter = max(retryInterval, w.Until.Sub(now))
	}
	return e
}

// waitsForHolder reports whether a group's rotation is only for a joiner, and waits because somebody has the
// present password for himself alone.
func (g *Account) waitsForHolder() bool {
	return g.IsGroup() && g.Due != nil && g.Due.Reason == DueJoiner && !g.Due.Forced && g.Settings.Checkout == Exclusive && len(g.Leases) > 0
}
