package protocol

// What a member of a group keeps of its membership (rule 16).

import (
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Rejoins in Joining says that no value of the group has been made for the member yet: it has just been
// bound, its record is new, or its instance was gone. Otherwise Joining is the id of the one batch that was
// made for it, and empty once it has been given that.
const Rejoins = "*"

// MaxRefusals is how many passwords a member may refuse by itself before the group goes on without it. The first
// two refusals replace the batch, which resets all others again; the third does not.
const MaxRefusals = 3

// LaggardPatience is how long the others wait for a member that does not confirm. It is longer than a healthy
// server takes, and short compared with a lease. The member's own attempts go on.
const LaggardPatience = 5 * time.Minute

// join begins a membership.
func (a *Account) join() {
	a.Joining, a.LeftOut, a.Refusals = Rejoins, time.Time{}, 0
}

// noteRefusal counts a batch that this very member, and no other of its request, has refused.
func (a *Account) noteRefusal(shared bool) {
	if _, member := a.Group(); member && a.Pending.Batch != "" && !shared {
		a.Refusals++
	}
}

// MemberInvited says that the batch of that id, which is about to be made, is made for the member. It is written
// before the batch, so that a member which joined too late for a batch is never sent it.
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

// MemberJoined gives a member the group's value: as a new pending, or as another attempt of the same one
// (rules 2, 3, 8, 9).
type MemberJoined struct {
	Role            string
	Password, Batch string
	Reason          Reason
	Why             Due // what the group's value was made for
	Attempt         Attempt
	Place           Place // the one for which the value was made
}

func (e MemberJoined) apply(a *Account) error {
	if a.Role != e.Role || !a.Settings.SharedPassword {
		return ErrStale // it has left meanwhile
	}
	if !e.Place.Same(e.Attempt.Place) {
		return ErrStale // rule 18
	}
	if !a.mayBeSent(e.Batch) {
		return ErrStale // it joined after that was made
	}
	if a.Joining == e.Batch {
		a.Joining = ""
	}
	if p := a.Pending; p != nil && p.Batch == e.Batch && !p.Rejected {
		return AttemptRepeated{Attempt: e.Attempt}.apply(a)
	}
	if a.Due == nil {
		a.Due = &Due{Since: e.Attempt.Started, Reason: e.Reason}
	}
	if err := (RotationStarted{Password: e.Password, Batch: e.Batch, Attempt: e.Attempt}).apply(a); err != nil {
		return err
	}
	a.Pending.Roles = a.Pending.Roles.With(e.Role) // readers of other members know it
	a.Pending.Why = e.Why
	return nil
}

// MemberLeft takes a member out of its group. It keeps the group's password, which clients know or will be
// given for the others, so it goes its own way and becomes due.
type MemberLeft struct {
	Role string
	At   time.Time
}

func (e MemberLeft) apply(a *Account) error {
	if a.Role != e.Role || !a.Settings.SharedPassword {
		return ErrNoChange
	}
	a.leaveRole()
	a.Settings.SharedPassword = false
	a.Joining, a.LeftOut, a.Refusals = "", time.Time{}, 0
	if !a.Settings.CanReset || a.Pending == nil && a.Current() == nil {
		return nil
	}
	if err := (RotationRequested{Reason: DueLeaver, At: e.At}).apply(a); err != nil && !errors.Is(err, ErrNoChange) {
		return err
	}
	return nil
}

// MemberForgiven is an operator's word that the role be rotated: each member is tried again at once, and may refuse
// passwords again. A member that was left out is still not waited for until it confirms.
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

// MemberLeftOut says that the others do not wait for the member any more. It stays a member: attempts go on, with
// the group's newest value, until it has that.
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
