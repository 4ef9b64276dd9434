package rotation

// The account's tie to a role and to its instance (rule 15). Pure, like rules.go.

import "time"

// bound gives the account a role, settings and facts (rule 15). An account that belongs, or last belonged,
// to another role is left alone until an operator has it moved (rule 23).
type bound struct {
	role     string
	settings Settings
	facts    Facts
	at       time.Time
}

// believe returns the facts that count: a place that is not believed says nothing about an existing server.
func (a *Account) believe(f Facts) Facts {
	if !f.Place.same(a.Place) || !a.believed() {
		return a.Facts
	}
	return f
}

func (e bound) apply(a *Account) error {
	if err := a.mayBind(e.role); err != nil {
		return err
	}
	if a.Settings.CanReset && !e.settings.CanReset && a.mustRotate() {
		// The role sets no passwords any more. What has begun still needs its end, by the means it had.
		e.settings.CanReset, e.settings.ResetMethod, e.settings.ForceStop = true, a.Settings.ResetMethod, a.Settings.ForceStop
	}
	e.facts = a.believe(e.facts)
	if a.Role == e.role && a.Settings == e.settings && a.Facts == e.facts && a.Gone.IsZero() {
		return errNoChange
	}
	if !e.settings.CanReset {
		a.Due = nil
	}
	if owner := a.owner(); owner != "" && owner != e.role {
		a.Leases = nil // they end with the move
	}
	if a.Settings.Schedule != e.settings.Schedule || a.Role != e.role {
		a.NextRotation = firstRotation(a, e.settings, e.at)
	}
	if e.settings.SharedPassword && a.Due != nil && a.Due.Reason == DueLeaver && a.Pending == nil {
		a.Due = nil // it is back in the group, which brings it to the group's password if need be
	}
	if a.Settings.ResetMethod != e.settings.ResetMethod {
		a.raiseBarrier(e.at)
	}
	if e.settings.SharedPassword && (a.Role != e.role || !a.Settings.SharedPassword) {
		a.joins()
	}
	if a.MoveTo == e.role {
		a.MoveTo = ""
	}
	a.Role, a.LastRole, a.Settings, a.Facts = e.role, "", e.settings, e.facts
	a.Gone = time.Time{}
	a.owesMove(e.at)
	return nil
}

// unbound takes the role away: it was deleted or does not match the instance any more. A disclosed
// version of a leased account still ends with its leases; nothing else happens to it. A rotation that was
// only for the role's readers is not begun any more: it could shut a server down for nobody.
type unbound struct{ role string }

func (e unbound) apply(a *Account) error {
	if a.Role != e.role || a.Role == "" {
		return errNoChange
	}
	a.parted()
	a.NextRotation = time.Time{}
	a.LeftOut = time.Time{}
	if a.nobodyNeeds() {
		a.Due, a.Backoff = nil, nil
	}
	return nil
}

// nobodyNeeds reports whether a rotation is due that has not begun and that only the role's readers had use
// for: a first one, whose password nobody could read without the role, or a scheduled one.
func (a *Account) nobodyNeeds() bool {
	if a.Due == nil || a.Pending != nil || len(a.Candidates)+len(a.OldUnresolved) > 0 {
		return false
	}
	return a.Due.Reason == DueFirst && len(a.Versions) == 0 || a.Due.Reason == DueSchedule && !a.Due.Forced
}

// described refreshes the facts; an instance that was thought gone is back.
type described struct{ facts Facts }

func (e described) apply(a *Account) error {
	if !e.facts.Place.same(a.Place) || !a.believed() {
		return errNoChange
	}
	if a.Facts == e.facts && a.Gone.IsZero() {
		return errNoChange
	}
	a.Facts, a.Gone = e.facts, time.Time{}
	return nil
}

// vanished retires the account: its instance does not exist any more (rule 15). Due is kept, so that
// an instance that comes back after all is rotated before anyone reads.
type vanished struct {
	at    time.Time
	place Place // which one said so
}

func (e vanished) apply(a *Account) error {
	if !e.place.same(a.Place) || !a.believed() || !a.Gone.IsZero() {
		return errNoChange
	}
	a.Gone = e.at
	if _, member := a.group(); member {
		a.Joining = joinsAnew // if it comes back, it is given no value that was made without it
	}
	return nil
}

// adjusted gives the account of a role other settings. Nobody has looked at its instance, so what is known of
// that stays as it is, and so does that it is gone.
type adjusted struct {
	role     string
	settings Settings
	at       time.Time
}

func (e adjusted) apply(a *Account) error {
	if a.Role != e.role {
		return errorf(Conflict, "account %s does not belong to role %q", a.ID, e.role)
	}
	gone := a.Gone
	if !gone.IsZero() && a.Settings == e.settings {
		return errNoChange
	}
	if err := (bound{role: e.role, settings: e.settings, facts: a.Facts, at: e.at}).apply(a); err != nil {
		return err
	}
	a.Gone = gone
	return nil
}
