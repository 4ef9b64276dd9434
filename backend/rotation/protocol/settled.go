package protocol

// What may only be done while nothing is open: import, restore, delete (rule 14).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckSettled is rule 14's condition for import, restore and delete.
func (a *Account) CheckSettled() error {
	switch {
	case a.Pending != nil:
		return Errorf(Conflict, "account %s is being rotated; wait until that has ended, see: %s", a.ID, a.inspectHint())
	case len(a.OldUnresolved) > 0:
		return Errorf(Conflict, "account %s has an earlier reset whose outcome is not settled yet; wait, see: %s", a.ID, a.inspectHint())
	case a.candidatesHere() > 0:
		return Errorf(Conflict, "account %s has passwords that the server may have from failed resets; wait for a successful rotation, see: %s",
			a.ID, a.inspectHint())
	}
	return nil
}

// checkNothingLate keeps an import, a restore or a deleted account that is made again from being overwritten: a cloud that runs one
// operation at a time may go on with one whose attempt its window has closed. The next value that it confirms comes after that
// one, so a rotation helps.
func (a *Account) checkNothingLate(now time.Time) error {
	left := a.LateUntil.Sub(now)
	if left <= 0 {
		return nil
	}
	return &Error{Kind: Conflict, RetryAfter: left, Message: hint.Textf(
		"account %s has an earlier reset whose outcome was not shown, and which the cloud may be carrying out until %s; "+
			"wait until then, or have another password set first: %s", a.ID,
		a.LateUntil.UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339), a.rotateHint())}
}

// CheckDeletable is nil if the account may be deleted: it is settled, and no lease lives.
func (a *Account) CheckDeletable(now time.Time) error {
	if err := a.CheckSettled(); err != nil {
		return err
	}
	if a.Gone.IsZero() {
		if err := a.checkNothingLate(now); err != nil {
			return err
		}
	}
	if n := len(a.Leases); n > 0 {
		return Errorf(Conflict, "account %s has %d live leases; revoke them first: %s; those that Vault has lost end with a rotation: %s",
			a.ID, n, a.revokeHint(), a.rotateHint())
	}
	return nil
}

// PasswordRecorded is an operator's word that the server has this password now: an import, or the restore of
// an older version (rule 14). The new version counts as disclosed.
type PasswordRecorded struct {
	Password string
	Source   Source
	MakeDue  bool // unless the operator said otherwise, or nothing can reset
	At       time.Time
	Reason   Reason // DueImport or Restored
	By       Requester
}

func (e PasswordRecorded) apply(a *Account) error {
	if err := a.CheckSettled(); err != nil {
		return err
	}
	if err := a.checkNothingLate(e.At); err != nil {
		return err
	}
	v := Version{Password: e.Password, Source: e.Source, Created: e.At, Place: a.Place, Confirmed: true, Disclosed: e.At,
		Roles: RoleSet(a.Owner()), Change: Change{Reason: e.Reason, Since: e.At, By: e.By}}
	v.Given = a.givenBefore(e.Password)
	if e.Reason == DueImport {
		v.Given.note(Client{Requester: e.By}, e.At) // who has typed it
	}
	if a.Settings.Mode == Leased {
		v.Until = e.At.Add(a.Settings.MaxTTL)
	}
	a.Add(v)
	a.InitialOverwritten = true
	a.Due = nil
	a.systemUnknown()
	a.Gone = time.Time{}
	if e.MakeDue {
		a.Due = &Due{Since: e.At, Reason: DueImport, By: e.By}
	}
	a.prune()
	return nil
}
