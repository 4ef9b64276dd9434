package protocol

// The values of a group (rule 16).

import (
	"slices"
	"time"
)

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
	a.keepTimetable()
	return nil
}

// BatchStarted starts a batch: it is written here first, then copied to each account before it is sent. A
// batch is replaced only if a member's cloud has refused its value.
type BatchStarted struct {
	ID       string
	Password string
	Replace  bool
	At       time.Time
	Place    Place // the one for which it is made
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
	a.Pending = &Pending{Password: e.Password, Batch: e.ID, Place: e.Place, Created: e.At, Why: *a.Due, Tried: 1}
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
	cur := a.Current()
	ended := !a.leased(cur.Number) || cur.Known && a.Settings.RotateOnRevoke == AnyLease
	if a.Settings.Mode == Leased && !cur.Disclosed.IsZero() && ended {
		a.Due = &Due{Since: e.At, Reason: DueRevoked}
	}
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
