package protocol

// The account's tie to a role and to its instance (rule 15).

import "time"

// RoleBound gives the account a role, settings and facts (rule 15). An account that belongs, or last belonged,
// to another role is left alone until an operator has it moved (rule 23).
type RoleBound struct {
	Role     string
	Settings Settings
	Facts    Facts
	At       time.Time
}

// trustedFacts returns the facts that count: a place that is not trusted says nothing about an existing server.
func (a *Account) trustedFacts(f Facts) Facts {
	if !f.Place.Same(a.Place) || !a.TrustsHere() {
		return a.Facts
	}
	return a.withKnown(f)
}

func (e RoleBound) apply(a *Account) error {
	if err := a.mayBind(e.Role); err != nil {
		return err
	}
	if a.Settings.CanReset && !e.Settings.CanReset && a.MustRotate() {
		// The role sets no passwords any more. What has begun still needs its end, by the means it had.
		e.Settings.CanReset, e.Settings.ResetMethod, e.Settings.ForceStop = true, a.Settings.ResetMethod, a.Settings.ForceStop
	}
	e.Facts = a.trustedFacts(e.Facts)
	if a.Role == e.Role && a.Settings == e.Settings && a.Facts == e.Facts && a.Gone.IsZero() {
		return ErrNoChange
	}
	if !e.Settings.CanReset {
		a.Due = nil
	}
	if owner := a.Owner(); owner != "" && owner != e.Role {
		a.Leases = nil // they end with the move
	}
	if a.Settings.Schedule != e.Settings.Schedule || a.Role != e.Role {
		a.NextRotation = firstRotation(a, e.Settings, e.At)
	}
	if e.Settings.SharedPassword && a.Due != nil && a.Due.Reason == DueLeaver && a.Pending == nil {
		a.Due = nil // it is back in the group, which brings it to the group's password if need be
	}
	if a.Settings.ResetMethod != e.Settings.ResetMethod {
		a.fenceMethod(e.At)
	}
	if e.Settings.SharedPassword && (a.Role != e.Role || !a.Settings.SharedPassword) {
		a.join()
	}
	if a.MoveTo == e.Role {
		a.MoveTo = ""
	}
	a.Role, a.LastRole, a.Settings = e.Role, "", e.Settings
	a.describe(e.Facts, e.At)
	a.keepTimetable()
	a.Gone = time.Time{}
	a.dueForMove(e.At)
	return nil
}

// RoleUnbound takes the role away: it was deleted or does not match the instance any more. A disclosed
// version of a leased account still ends with its leases; nothing else happens to it. A rotation that was
// only for the role's readers is not begun any more: it could shut a server down for nobody.
type RoleUnbound struct{ Role string }

func (e RoleUnbound) apply(a *Account) error {
	if a.Role != e.Role || a.Role == "" {
		return ErrNoChange
	}
	a.leaveRole()
	a.NextRotation = time.Time{}
	a.LeftOut = time.Time{}
	if a.nobodyNeeds() {
		a.Due, a.Backoff = nil, nil
	}
	return nil
}

// nobodyNeeds reports whether the rotation that is due has not begun and was only of use to the role's readers: a
// first one, since nobody could read its password without the role, or a scheduled one.
func (a *Account) nobodyNeeds() bool {
	if a.Due == nil || a.Pending != nil || len(a.Candidates)+len(a.OldUnresolved) > 0 {
		return false
	}
	return a.Due.Reason == DueFirst && len(a.Versions) == 0 || a.Due.Reason == DueSchedule && !a.Due.Forced
}

// InstanceDescribed refreshes the facts; an instance that was thought gone is back.
type InstanceDescribed struct {
	Facts Facts
	At    time.Time
}

func (e InstanceDescribed) apply(a *Account) error {
	if !e.Facts.Place.Same(a.Place) || !a.TrustsHere() {
		return ErrNoChange
	}
	e.Facts = a.withKnown(e.Facts)
	if a.Facts == e.Facts && a.Gone.IsZero() {
		return ErrNoChange
	}
	a.describe(e.Facts, e.At)
	a.Gone = time.Time{}
	return nil
}

// InstanceGone retires the account: its instance does not exist any more (rule 15). Due is kept, so that
// an instance that comes back after all is rotated before anyone reads.
type InstanceGone struct {
	At    time.Time
	Place Place // which one said so
}

func (e InstanceGone) apply(a *Account) error {
	if !e.Place.Same(a.Place) || !a.TrustsHere() || !a.Gone.IsZero() {
		return ErrNoChange
	}
	a.Gone = e.At
	if _, member := a.Group(); member {
		a.Joining = Rejoins // if it comes back, it is given no value that was made without it
	}
	return nil
}

// SettingsChanged gives the account of a role other settings. Nobody has looked at its instance, so what is known of
// that stays as it is, and so does that it is gone.
type SettingsChanged struct {
	Role     string
	Settings Settings
	At       time.Time
}

func (e SettingsChanged) apply(a *Account) error {
	if a.Role != e.Role {
		return Errorf(Conflict, "account %s does not belong to role %q", a.ID, e.Role)
	}
	gone := a.Gone
	if !gone.IsZero() && a.Settings == e.Settings {
		return ErrNoChange
	}
	if err := (RoleBound{Role: e.Role, Settings: e.Settings, Facts: a.Facts, At: e.At}).apply(a); err != nil {
		return err
	}
	a.Gone = gone
	return nil
}
