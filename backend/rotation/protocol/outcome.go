package protocol

// What is known of attempts, and what follows from it (rules 3 to 8, 10).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// maxFailures is how many reported failures reject a pending (rule 8).
	maxFailures = 3
)

// AttemptAccepted stores the request id of an accepted attempt, so that any node polls on with it (rule 3).
type AttemptAccepted struct {
	Attempt   string
	RequestID string
}

func (e AttemptAccepted) apply(a *Account) error {
	t := a.attempt(e.Attempt)
	if t == nil {
		return ErrStale
	}
	t.RequestID = e.RequestID
	return nil
}

// AttemptConfirmed is a success that the cloud's very answer to an attempt proves (rule 6).
type AttemptConfirmed struct {
	Attempt string
	At      time.Time
	// RequestID is the id that the answer had; empty: none.
	RequestID string
}

func (e AttemptConfirmed) apply(a *Account) error {
	t := a.attempt(e.Attempt)
	if t == nil {
		return ErrStale
	}
	if e.RequestID != "" {
		t.RequestID = e.RequestID
	}
	a.promote(e.Attempt, e.At)
	return nil
}

// AttemptRefused closes one attempt that certainly did nothing (rules 4a, 7, 8). The others stay open.
type AttemptRefused struct {
	Attempt         string
	PasswordRefused bool
	// Shared says that the request named other accounts too, so that the refusal may be about one of those.
	Shared  bool
	Backoff Backoff
}

func (e AttemptRefused) apply(a *Account) error {
	if !a.closeAttempt(e.Attempt) {
		return ErrStale
	}
	a.refused(e.PasswordRefused, e.Shared, e.Backoff)
	return nil
}

// refused notes that an attempt says that it changed nothing.
func (a *Account) refused(password, shared bool, b Backoff) {
	if password {
		a.Pending.Rejected = true
		a.noteRefusal(shared)
	}
	a.Backoff = &b
}

// AttemptNotSent closes an attempt whose request never left this process (rule 4a). It is nobody's failure,
// so that the account keeps its place and its backoff.
type AttemptNotSent struct{ Attempt string }

func (e AttemptNotSent) apply(a *Account) error {
	if !a.closeAttempt(e.Attempt) {
		return ErrStale
	}
	a.Pending.Tried--
	return nil
}

// maxQuick is after how many attempts with an unknown outcome the next ones keep to min_reset_interval: one
// lost answer is no reason to wait that long.
const maxQuick = 3

// OutcomeUnknown is an attempt whose outcome nobody can tell: it stays open (rule 4).
type OutcomeUnknown struct {
	Attempt string
	Backoff Backoff
}

func (e OutcomeUnknown) apply(a *Account) error {
	t := a.attempt(e.Attempt)
	if t == nil {
		return ErrStale
	}
	b := e.Backoff
	a.Backoff = &b
	if b.Uncertain >= maxQuick {
		a.spend(*t)
	}
	return nil
}

// OperationObserved is a look at the cloud's operation record (rules 4b, 5, 6, 7).
type OperationObserved struct {
	Record cloud.ResetRecord
	// GraceOver is set once an accepted operation should have become visible.
	GraceOver bool
	Backoff   Backoff // for a reported failure
	Lost      Backoff // for an outcome that will not be shown
	At        time.Time
	// Place is which one was asked: it speaks of what was sent there only.
	Place Place
}

func (e OperationObserved) apply(a *Account) error {
	p := a.Pending
	if p == nil || !p.AnyPolled() {
		return ErrStale
	}
	changed := false
	for i := range p.Attempts {
		t := &p.Attempts[i]
		if !t.Polled() || !t.Place.Same(e.Place) {
			continue
		}
		// An id that the cloud showed before the call says nothing of the call.
		own := t.RequestID != "" && e.Record.OperationID == t.RequestID && t.RequestID != t.SeenOperation ||
			t.Name != "" && e.Record.Name == t.Name
		switch {
		case own && e.Record.State == cloud.OperationSuccess:
			if t.RequestID == "" {
				t.RequestID = e.Record.OperationID
			}
			a.promote(t.ID, e.At)
			return nil
		case own && e.Record.State == cloud.OperationFailed && (e.Record.Kind == cloud.Refused || e.Record.Kind == cloud.PasswordRefused):
			a.ended(i)
			a.refused(e.Record.Kind == cloud.PasswordRefused, false, e.Backoff)
			return nil
		case own && e.Record.State == cloud.OperationFailed:
			if order := e.Record.Order; order > t.Order && order <= maxServerOrder && t.Order > 0 {
				a.LastOrder = max(a.LastOrder, order) // the next attempt goes past it
			}
			a.failed(i, e.Backoff)
			return nil
		case own && t.RequestID == "" && e.Record.OperationID != "":
			t.RequestID = e.Record.OperationID
			changed = true
		case own: // it runs
		case e.Record.OperationID == t.SeenOperation && !e.GraceOver: // rule 5: not visible yet
		case t.RequestID == "": // nobody knows whether it arrived, so it is no outcome that the cloud ought to show (rule 20)
			t.Overwritten = true
			changed = true
		default:
			t.Overwritten = true
			a.unshown(*t, e.Lost, e.At)
			changed = true
		}
	}
	if !changed {
		return ErrNoChange
	}
	return nil
}

// AttemptsSettled closes the attempts whose settle window has passed (rules 4c, 10): nothing that they sent
// can take effect any more, whatever it did before.
type AttemptsSettled struct {
	Attempts []string
	Lost     Backoff // for an accepted attempt whose outcome was not shown
	At       time.Time
}

func (e AttemptsSettled) apply(a *Account) error {
	changed := false
	for _, id := range e.Attempts {
		for i, t := range a.OldUnresolved {
			if t.ID == id {
				a.OldUnresolved = append(a.OldUnresolved[:i:i], a.OldUnresolved[i+1:]...)
				if !t.IsFence {
					a.noteTimeout(t, e.At)
				}
				a.leave(t)
				changed = true
				break
			}
		}
		if t := a.attempt(id); t != nil {
			if t.Polled() && t.RequestID != "" && t.Place.Same(a.Place) {
				a.unshown(*t, e.Lost, e.At)
			}
			a.noteTimeout(*t, e.At)
			a.LateSerial = a.LateSerial || t.Serial
			a.leave(*t)
			a.closeAttempt(id)
			a.Pending.Uncertain = true
			changed = true
		}
	}
	if len(a.OldUnresolved) == 0 {
		a.OldUnresolved = nil
	}
	if !changed {
		return ErrNoChange
	}
	return nil
}

// noteTimeout notes that the settle window alone has closed an attempt. What was sent to a place that the connection
// has left is behind that place's barrier already.
func (a *Account) noteTimeout(t Attempt, at time.Time) {
	if t.Serial {
		a.LateUntil = Latest(a.LateUntil, at.Add(t.FenceWindow-t.Window))
	}
	if t.Place.Same(a.Place) {
		a.ClosedByTimeout, a.TimeoutFence = true, max(a.TimeoutFence, t.FenceWindow)
	}
}

// failed closes attempt i under its own id (rule 4b). "Failed" is no proof that nothing changed, so
// pending is kept (rule 7) until it has failed often enough to be rejected (rule 8).
func (a *Account) failed(i int, b Backoff) {
	p := a.Pending
	a.spend(p.Attempts[i])
	a.ended(i)
	a.Backoff = &b
	p.Failures++
	p.Uncertain = true
	if _, member := a.Group(); member && p.Batch != "" {
		return // one member's failures are no reason to change the password of all
	}
	if p.Failures >= maxFailures && len(a.Candidates) < maxCandidates {
		p.Rejected = true
	}
}

// promote makes pending the newest version, in one write (rule 6).
func (a *Account) promote(attempt string, at time.Time) {
	p := a.Pending
	change := p.made(attempt)
	if t := a.attempt(attempt); t != nil {
		a.resetAfterRebuild(*t)
		if t.Order > 0 {
			a.noteTimeout(*t, at) // its command may be run again: another method or place has to wait for that
		}
		a.leave(*t)
	}
	a.closeAttempt(attempt)
	a.Add(Version{Password: p.Password, Batch: p.Batch, Source: FromReset, Created: at, Place: p.Place, Confirmed: a.Trusts(p.Place),
		Disclosed: p.Disclosed, Until: p.Until, Known: p.Known, Roles: p.Roles, Given: p.Given, Change: change})
	if a.Due != nil && a.Due.Forced {
		a.endOlderLeases()
	}
	if len(p.Attempts) > 0 {
		a.OldUnresolved = append(a.OldUnresolved, p.Attempts...)
	}
	a.dropCandidates(p.Place)
	a.Pending, a.Due, a.Backoff, a.LateSerial = nil, nil, nil, false
	if attempt != "" { // a check orders nothing
		a.LateUntil = time.Time{}
	}
	if p.Again != nil {
		again := *p.Again
		a.Due = &again
	}
	a.LastRotation = at
	a.LeftOut = time.Time{}
	// What a place says that is not trusted overwrites no initial password.
	a.InitialOverwritten = a.InitialOverwritten || a.Trusts(p.Place)
	if p.Batch != "" && !a.Settings.SharedPassword {
		a.Due = &Due{Since: at, Reason: DueLeaver} // it has left the group, but has the group's password
	}
	a.dueForPlace(at) // the connection may lead elsewhere meanwhile
	a.dueForMove(at)  // it may have come from another role meanwhile
	a.prune()
	a.checkDueAfter(attempt, at)
}
