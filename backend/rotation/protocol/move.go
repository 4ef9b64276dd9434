package protocol

// To which roles a version was given, and how an account comes from one role to another (rule 23).

import (
	"cmp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Owner is the role that the account belongs to or, without one, last belonged to; "" for none.
func (a *Account) Owner() string { return cmp.Or(a.Role, a.LastRole) }

// otherReaders are the other roles whose readers were given the current version.
func (a *Account) otherReaders() []string {
	cur := a.Current()
	if cur == nil || a.Role == "" {
		return nil
	}
	return cur.Roles.without(a.Role)
}

// dueForMove makes the account due if readers of another role know its current version and a password can be set.
// While a rotation is under way nothing is done: its end looks again.
func (a *Account) dueForMove(at time.Time) {
	if a.Pending == nil && a.Settings.CanReset && len(a.otherReaders()) > 0 {
		_ = RotationRequested{Reason: DueMoved, At: at}.apply(a) // due already for a reason that forbids reading
	}
}

// checkMoved is nil unless readers of another role know the current version.
func (a *Account) checkMoved() error {
	others := a.otherReaders()
	switch {
	case len(others) == 0:
		return nil
	case a.Settings.CanReset:
		return &Error{Kind: NotReadable, RetryAfter: retryInterval, Message: hint.Textf(
			"readers of another role know the password of account %s, which is to be rotated first", a.ID)}
	}
	return Errorf(Conflict, "the password of account %s was given to readers of role %s, and role %s cannot have another one set: change "+
		"it inside the server, then record it: %s",
		a.ID, strings.Join(others, " and "), a.Role, a.ImportHint())
}

// mayBind is nil if a role may have the account: its own or last role may, and another one if somebody who may
// write the account has said so.
func (a *Account) mayBind(role string) error {
	switch {
	case a.Role == role, a.MoveTo == role:
		return nil
	case a.Role != "":
		held := Errorf(Conflict, "account %s already belongs to role %q; one account belongs to one role", a.ID, a.Role)
		held.Holder, held.HolderRole, held.Waits = &a.ID, a.Role, true
		return held
	case a.MoveTo != "":
		held := Errorf(Conflict, "account %s is on its way to role %q", a.ID, a.MoveTo)
		held.Holder, held.HolderRole, held.Waits = &a.ID, a.MoveTo, true
		return held
	case a.LastRole != "" && a.LastRole != role:
		held := Errorf(Conflict, "account %s last belonged to role %q, whose readers may know its password", a.ID, a.LastRole)
		held.Holder, held.HolderRole, held.Waits = &a.ID, a.LastRole, true
		return held
	}
	return nil
}

// leaveRole takes the role away. It is remembered, unless nobody can know a password of the account.
func (a *Account) leaveRole() {
	a.LastRole = ""
	if len(a.Versions)+len(a.Candidates)+len(a.OldUnresolved) > 0 || a.Pending != nil {
		a.LastRole = a.Role
	}
	a.Role = ""
}

// MoveAllowed is an operator's word that another role may have the account. Its own role keeps it until that
// one takes it. The word for its own role, or its last one, takes back an earlier word.
type MoveAllowed struct{ Role string }

func (e MoveAllowed) apply(a *Account) error {
	to := e.Role
	if a.Owner() == "" || a.Owner() == e.Role {
		to = "" // it needs no word
	}
	if a.MoveTo == to {
		return ErrNoChange
	}
	a.MoveTo = to
	return nil
}
