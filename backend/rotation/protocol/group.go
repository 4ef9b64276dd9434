package protocol

// Shared passwords (rule 16). A group is the record of a role whose accounts have one password. It is
// an Account whose instance id is "*" and whose user name is the role: its versions are the batches
// that all members have agreed on, its pending is the batch that is being brought to them, and its
// due, leases and deadlines are those of the shared password, under the same transitions. It makes no
// attempts of its own: members do, each in its own record, and confirm one by one.

import (
	"errors"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// groupInstance stands where an account has its instance id. No cloud has such an id.
const groupInstance = "*"

// GroupID names the group of a role.
func GroupID(connection, role string) ID { return ID{connection, groupInstance, role} }

func (id ID) IsGroup() bool { return id.InstanceID == groupInstance }

// Group returns the account's group, if it belongs to one.
func (a *Account) Group() (ID, bool) {
	if a.IsGroup() || !a.Settings.SharedPassword || a.Role == "" {
		return ID{}, false
	}
	return GroupID(a.Connection, a.Role), true
}

// GroupBound sets a group's members and settings.
type GroupBound struct {
	Role     string
	Settings Settings
	Members  []ID
	At       time.Time
}

func (e GroupBound) apply(a *Account) error {
	if a.Role == e.Role && a.Settings == e.Settings && slices.Equal(a.Members, e.Members) {
		return ErrNoChange
	}
	if a.Settings.Schedule != e.Settings.Schedule || a.Role == "" {
		a.NextRotation = firstRotation(a, e.Settings, e.At)
	}
	a.Role, a.Settings, a.Members = e.Role, e.Settings, slices.Clone(e.Members)
	a.timetable = a.Settings.Timetable()
	return nil
}

// BatchStarted starts a batch: it is written here first, then copied to each account before it is sent. A
// batch is replaced only if a member's cloud has refused its value.
type BatchStarted struct {
	ID       string
	Password string
	Replace  bool
	At       time.Time
	Place    Place // for which it is made
}

func (e BatchStarted) apply(a *Account) error {
	if a.Due == nil || a.Pending != nil && !e.Replace || e.Replace && a.Pending == nil {
		return ErrStale
	}
	for nonce, l := range a.Leases {
		if l.Version == a.LastVersion+1 { // of the value that is replaced, which never becomes a version
			l.Version = 0
			a.Leases[nonce] = l
		}
	}
	if !e.Place.Same(a.Place) {
		return ErrStale
	}
	a.Pending = &Pending{Password: e.Password, Batch: e.ID, Place: e.Place, Created: e.At, Tried: 1}
	a.LastReset = e.At
	return nil
}

// BatchConfirmed promotes the batch: every member has confirmed it.
type BatchConfirmed struct {
	Batch string
	At    time.Time
}

func (e BatchConfirmed) apply(a *Account) error {
	if a.Pending == nil || a.Pending.Batch != e.Batch {
		return ErrStale
	}
	a.promote("", e.At)
	// It may have been handed out for an instance that had it early, and that lease may have ended.
	if cur := a.Current(); a.Settings.Mode == Leased && !cur.Disclosed.IsZero() && !a.leased(cur.Number) {
		a.Due = &Due{Since: e.At, Reason: DueRevoked}
	}
	return nil
}

// MemberJoined gives a member the group's value: as a new pending, or as another attempt of the same one
// (rules 2, 3, 8, 9).
type MemberJoined struct {
	Role            string
	Password, Batch string
	Reason          Reason
	Attempt         Attempt
	Place           Place // for which the value was made
}

func (e MemberJoined) apply(a *Account) error {
	if a.Role != e.Role || !a.Settings.SharedPassword {
		return ErrStale // it has left meanwhile
	}
	if !e.Place.Same(e.Attempt.Place) {
		return ErrStale // rule 18
	}
	if !a.may(e.Batch) {
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
	a.Pending.Roles = a.Pending.Roles.With(e.Role) // who reads another member knows it
	return nil
}

// BatchSuperseded rejects a member's pending whose batch was replaced: the cloud has refused that value for
// another member (rule 8). What was sent of it is settled like that of any rejected pending.
type BatchSuperseded struct{ Batch string }

func (e BatchSuperseded) apply(a *Account) error {
	p := a.Pending
	if p == nil || p.Batch == e.Batch || p.Rejected || p.AnyPolled() {
		return ErrNoChange
	}
	p.Rejected = true
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
	a.parted()
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

// MemberDisclosed is disclosed for one member of a group: the password that this very instance has, which
// during a rotation is the batch's or still the current one.
type MemberDisclosed struct {
	VersionDisclosed
	Batch string
}

func (e MemberDisclosed) apply(a *Account) error {
	if err := a.CheckServes(e.Role); err != nil {
		return err
	}
	switch cur := a.Current(); {
	case a.Pending != nil && a.Pending.Batch == e.Batch:
		p := a.Pending
		p.Roles = p.Roles.With(a.Role)
		if p.Disclosed.IsZero() {
			p.Disclosed = e.At
			if a.Settings.Mode == Leased {
				p.Until = e.At.Add(a.Settings.MaxTTL)
			}
		}
		if a.Settings.Mode != Leased {
			return nil
		}
		return a.lease(e.VersionDisclosed, a.LastVersion+1, end(p.Disclosed, p.Until, e.At))
	case cur == nil || cur.Batch != e.Batch || a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.NotAgreedError()
	}
	pending := a.Pending
	a.Pending = nil // the instance has not been given it yet
	err := e.VersionDisclosed.apply(a)
	a.Pending = pending
	return err
}

func (a *Account) NotAgreedError() error {
	return &Error{Kind: NotReadable, RetryAfter: 10 * time.Second, Poll: RolloutInterval, Message: hint.Textf(
		"the accounts of role %s are being brought to one password", a.Role)}
}

// Confirmed reports whether the member has confirmed a batch, and nothing else is under way.
func (a *Account) Confirmed(batch string) bool {
	cur := a.Current()
	return cur != nil && cur.Batch == batch && a.Pending == nil
}

// RolloutInterval is the least time between two looks at a group's members.
const RolloutInterval = time.Second

// NumberOf is the number that a batch has or will have among the group's versions.
func (g *Account) NumberOf(batch string) int {
	for _, v := range g.Versions {
		if v.Batch == batch {
			return v.Number
		}
	}
	return g.LastVersion + 1
}
