package protocol

// What may only be done while nothing is open: import, restore, delete (rule 14).

import "time"

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

// CheckDeletable is nil if the account may be deleted: it is settled, and no lease lives.
func (a *Account) CheckDeletable() error {
	if err := a.CheckSettled(); err != nil {
		return err
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
	a.Gone = time.Time{}
	if e.MakeDue {
		a.Due = &Due{Since: e.At, Reason: DueImport, By: e.By}
	}
	a.prune()
	return nil
}
