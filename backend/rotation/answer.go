package rotation

import (
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Answer is what a read hands out. It holds the password.
type Answer struct {
	ID           ID
	Version      Version
	Facts        Facts
	Settings     Settings
	LastRotation time.Time // zero: never rotated
	// NextRotation is the next scheduled time, or when a rotation that is due already may begin; zero:
	// no schedule.
	NextRotation time.Time
	Lease        *protocol.Grant // nil in static mode
	// Elsewhere is set where another place than the connection's has confirmed the version (rule 18).
	Elsewhere bool
	// Rebuilt says that the server seems to have been rebuilt since the version was recorded, and what helps; zero: it was not.
	Rebuilt hint.Text
	// Group is the group that the lease belongs to; zero where the account itself does.
	Group ID
	// Holders are, in an answer for a whole group, the accounts that have this version.
	Holders []ID
}

// Paused is the time that would be next of a schedule that is disabled, for consumers that read again by the
// schedule: an operator may rotate meanwhile. Zero: there is no such schedule.
func (a *Answer) Paused(now time.Time) time.Time {
	s := a.Settings.Schedule
	if !s.Disabled || a.Settings.Mode != Static {
		return time.Time{}
	}
	from := a.LastRotation
	if from.IsZero() || from.After(now) {
		from = a.Version.Created
	}
	return s.Timetable().Next(now, from)
}

// LeaseID is the account or group that the lease belongs to.
func (a *Answer) LeaseID() ID {
	if a.Group != (ID{}) {
		return a.Group
	}
	return a.ID
}

// answer is what a client is given: under a lease exactly if one was granted, whatever the settings are by now.
func answerOf(a *Account, grant protocol.Grant) *Answer {
	r := &Answer{ID: a.ID, Version: *a.Current(), Facts: a.FactsFor(a.Current()), Elsewhere: a.CurrentElsewhere(), Settings: a.Settings,
		LastRotation: a.LastRotation, NextRotation: a.NextRotation}
	if a.Rebuilt != nil {
		r.Rebuilt = a.WhyRebuilt()
	}
	if grant.Nonce != "" {
		r.Lease = &grant
	}
	return r
}

// answer is the current version, handed out. The caller holds e.mu.
func (c *Core) answer(e *entry, grant protocol.Grant) *Answer {
	r := answerOf(e.rec, grant)
	r.NextRotation = c.replacedAt(e)
	return r
}

// answerFrom is the version that a record hands out which another caller has written. The caller holds e.mu.
func (c *Core) answerFrom(e *entry, rec *Account, grant protocol.Grant) *Answer {
	r := answerOf(rec, grant)
	if r.Lease == nil && e.rec != nil && e.rec.LastVersion == rec.LastVersion {
		r.NextRotation = c.replacedAt(e)
	}
	return r
}

// ReplacedAt is Account.ReplacedAt, with all that the core knows. The caller holds e.mu.
func (c *Core) replacedAt(e *entry) time.Time {
	if e.rec.Due == nil || e.rec.NextRotation.IsZero() {
		return e.rec.NextRotation
	}
	return e.rec.ReplacedAt(c.waits(e), c.opts.Now())
}

// explain says what a rotation waits for that keeps an account from being read. The caller holds e.mu.
func (c *Core) explain(e *entry, err error) error {
	var not *Error
	if !errors.As(err, &not) || not.Kind != NotReadable || e.rec == nil {
		return err
	}
	if not.Rotation {
		not = e.rec.Unreadable(c.waits(e), c.opts.Now())
	}
	if !e.delay.cause.IsZero() {
		not.Message = not.Message.Add(hint.Textf("; last error: %s", e.delay.cause))
	}
	return not
}

// explainMember is explain for a member of a group.
func (c *Core) explainMember(id ID, err error) error {
	e := c.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.explain(e, err)
}
