package rotation

// Shared passwords (rule 16). A group is the record of a role whose accounts have one password. It is
// an Account whose instance id is "*" and whose user name is the role: its versions are the batches
// that all members have agreed on, its pending is the batch that is being brought to them, and its
// due, leases and deadlines are those of the shared password, under the same transitions. It makes no
// attempts of its own: members do, each in its own record, and confirm one by one.

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// groupInstance stands where an account has its instance id. No cloud has such an id.
const groupInstance = "*"

// GroupID names the group of a role.
func GroupID(connection, role string) ID { return ID{connection, groupInstance, role} }

func (id ID) isGroup() bool { return id.InstanceID == groupInstance }

// group returns the account's group, if it belongs to one.
func (a *Account) group() (ID, bool) {
	if a.isGroup() || !a.Settings.SharedPassword || a.Role == "" {
		return ID{}, false
	}
	return GroupID(a.Connection, a.Role), true
}

// grouped sets a group's members and settings.
type grouped struct {
	role     string
	settings Settings
	members  []ID
	at       time.Time
}

func (e grouped) apply(a *Account) error {
	if a.Role == e.role && a.Settings == e.settings && slices.Equal(a.Members, e.members) {
		return errNoChange
	}
	if a.Settings.Schedule != e.settings.Schedule || a.Role == "" {
		a.NextRotation = firstRotation(a, e.settings, e.at)
	}
	a.Role, a.Settings, a.Members = e.role, e.settings, slices.Clone(e.members)
	return nil
}

// batched starts a batch: it is written here first, then copied to each account before it is sent. A
// batch is replaced only if a member's cloud has refused its value.
type batched struct {
	id       string
	password string
	replace  bool
	at       time.Time
	place    Place // for which it is made
}

func (e batched) apply(a *Account) error {
	if a.Due == nil || a.Pending != nil && !e.replace || e.replace && a.Pending == nil {
		return errStale
	}
	for nonce, l := range a.Leases {
		if l.Version == a.LastVersion+1 { // of the value that is replaced, which never becomes a version
			l.Version = 0
			a.Leases[nonce] = l
		}
	}
	if !e.place.same(a.Place) {
		return errStale
	}
	a.Pending = &Pending{Password: e.password, Batch: e.id, Place: e.place, Created: e.at, Tried: 1}
	a.LastReset = e.at
	return nil
}

// agreed promotes the batch: every member has confirmed it.
type agreed struct {
	batch string
	at    time.Time
}

func (e agreed) apply(a *Account) error {
	if a.Pending == nil || a.Pending.Batch != e.batch {
		return errStale
	}
	a.promote("", e.at)
	// It may have been handed out for an instance that had it early, and that lease may have ended.
	if cur := a.current(); a.Settings.Mode == Leased && !cur.Disclosed.IsZero() && !a.leased(cur.Number) {
		a.Due = &Due{Since: e.at, Reason: DueRevoked}
	}
	return nil
}

// joined gives a member the group's value: as a new pending, or as another attempt of the same one
// (rules 2, 3, 8, 9).
type joined struct {
	role            string
	password, batch string
	reason          Reason
	attempt         Attempt
	place           Place // for which the value was made
}

func (e joined) apply(a *Account) error {
	if a.Role != e.role || !a.Settings.SharedPassword {
		return errStale // it has left meanwhile
	}
	if !e.place.same(e.attempt.Place) {
		return errStale // rule 18
	}
	if !a.may(e.batch) {
		return errStale // it joined after that was made
	}
	if a.Joining == e.batch {
		a.Joining = ""
	}
	if p := a.Pending; p != nil && p.Batch == e.batch && !p.Rejected {
		return retried{attempt: e.attempt}.apply(a)
	}
	if a.Due == nil {
		a.Due = &Due{Since: e.attempt.Started, Reason: e.reason}
	}
	if err := (begun{password: e.password, batch: e.batch, attempt: e.attempt}).apply(a); err != nil {
		return err
	}
	a.Pending.Roles = a.Pending.Roles.with(e.role) // who reads another member knows it
	return nil
}

// superseded rejects a member's pending whose batch was replaced: the cloud has refused that value for
// another member (rule 8). What was sent of it is settled like that of any rejected pending.
type superseded struct{ batch string }

func (e superseded) apply(a *Account) error {
	p := a.Pending
	if p == nil || p.Batch == e.batch || p.Rejected || p.polled() {
		return errNoChange
	}
	p.Rejected = true
	return nil
}

// left takes a member out of its group. It keeps the group's password, which clients know or will be
// given for the others, so it goes its own way and becomes due.
type left struct {
	role string
	at   time.Time
}

func (e left) apply(a *Account) error {
	if a.Role != e.role || !a.Settings.SharedPassword {
		return errNoChange
	}
	a.parted()
	a.Settings.SharedPassword = false
	a.Joining, a.LeftOut, a.Refusals = "", time.Time{}, 0
	if !a.Settings.CanReset || a.Pending == nil && a.current() == nil {
		return nil
	}
	if err := (madeDue{reason: DueLeaver, at: e.at}).apply(a); err != nil && !errors.Is(err, errNoChange) {
		return err
	}
	return nil
}

// handed is disclosed for one member of a group: the password that this very instance has, which
// during a rotation is the batch's or still the current one.
type handed struct {
	disclosed
	batch string
}

func (e handed) apply(a *Account) error {
	if err := a.serves(e.role); err != nil {
		return err
	}
	switch cur := a.current(); {
	case a.Pending != nil && a.Pending.Batch == e.batch:
		p := a.Pending
		p.Roles = p.Roles.with(a.Role)
		if p.Disclosed.IsZero() {
			p.Disclosed = e.at
			if a.Settings.Mode == Leased {
				p.Until = e.at.Add(a.Settings.MaxTTL)
			}
		}
		if a.Settings.Mode != Leased {
			return nil
		}
		return a.lease(e.disclosed, a.LastVersion+1, end(p.Disclosed, p.Until, e.at))
	case cur == nil || cur.Batch != e.batch || a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.notAgreed()
	}
	pending := a.Pending
	a.Pending = nil // the instance has not been given it yet
	err := e.disclosed.apply(a)
	a.Pending = pending
	return err
}

func (a *Account) notAgreed() error {
	return &Error{Kind: NotReadable, RetryAfter: 10 * time.Second, poll: rollInterval, Message: fmt.Sprintf(
		"the accounts of role %s are being brought to one password", a.Role)}
}

// has reports whether the member has confirmed a batch, and nothing else is under way.
func (a *Account) has(batch string) bool {
	cur := a.current()
	return cur != nil && cur.Batch == batch && a.Pending == nil
}

// rollInterval is the least time between two looks at a group's members.
const rollInterval = time.Second

// numberOf is the number that a batch has or will have among the group's versions.
func (g *Account) numberOf(batch string) int {
	for _, v := range g.Versions {
		if v.Batch == batch {
			return v.Number
		}
	}
	return g.LastVersion + 1
}
