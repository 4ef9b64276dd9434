package rotation

// What is known of attempts, and what follows from it (rules 3 to 8, 10). Pure, like rules.go.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// maxFailures is how many reported failures reject a pending (rule 8).
	maxFailures = 3
)

// accepted stores the request id of an accepted attempt, so that any node polls on with it (rule 3).
type accepted struct {
	attempt   string
	requestID string
}

func (e accepted) apply(a *Account) error {
	t := a.attempt(e.attempt)
	if t == nil {
		return errStale
	}
	t.RequestID = e.requestID
	return nil
}

// confirmed is a success that the cloud's very answer to an attempt proves (rule 6).
type confirmed struct {
	attempt string
	at      time.Time
}

func (e confirmed) apply(a *Account) error {
	if a.attempt(e.attempt) == nil {
		return errStale
	}
	a.promote(e.attempt, e.at)
	return nil
}

// refused closes one attempt that certainly did nothing (rules 4a, 7, 8). The others stay open.
type refused struct {
	attempt         string
	passwordRefused bool
	// shared says that the request named other accounts too, so that the refusal may be about one of those.
	shared  bool
	backoff Backoff
}

func (e refused) apply(a *Account) error {
	if !a.closeAttempt(e.attempt) {
		return errStale
	}
	if e.passwordRefused {
		a.Pending.Rejected = true
		a.refuses(e.shared)
	}
	b := e.backoff
	a.Backoff = &b
	return nil
}

// unsent closes an attempt whose request never left this process (rule 4a). It is nobody's failure,
// so that the account keeps its place and its backoff.
type unsent struct{ attempt string }

func (e unsent) apply(a *Account) error {
	if !a.closeAttempt(e.attempt) {
		return errStale
	}
	a.Pending.Tried--
	return nil
}

// maxQuick is after how many attempts with an unknown outcome the next ones keep to min_reset_interval: one
// lost answer is no reason to wait for so long.
const maxQuick = 3

// unknown is an attempt whose outcome nobody can tell: it stays open (rule 4).
type unknown struct {
	attempt string
	backoff Backoff
}

func (e unknown) apply(a *Account) error {
	t := a.attempt(e.attempt)
	if t == nil {
		return errStale
	}
	b := e.backoff
	a.Backoff = &b
	if b.Uncertain >= maxQuick {
		a.spend(*t)
	}
	return nil
}

// observed is a look at the cloud's operation record (rules 4b, 5, 6, 7).
type observed struct {
	record cloud.ResetRecord
	// graceOver is set once an accepted operation should have become visible.
	graceOver bool
	backoff   Backoff // for a reported failure
	lost      Backoff // for an outcome that will not be shown
	at        time.Time
	// place is which one was asked: it speaks of what was sent there only.
	place Place
}

func (e observed) apply(a *Account) error {
	p := a.Pending
	if p == nil || !p.polled() {
		return errStale
	}
	changed := false
	for i := range p.Attempts {
		t := &p.Attempts[i]
		if !t.polled() || !t.Place.same(e.place) {
			continue
		}
		// An id that the cloud showed before the call says nothing of the call.
		own := e.record.OperationID == t.RequestID && t.RequestID != t.SeenOperation
		switch {
		case own && e.record.State == cloud.OperationSuccess:
			a.promote(t.ID, e.at)
			return nil
		case own && e.record.State == cloud.OperationFailed && (e.record.Kind == cloud.Refused || e.record.Kind == cloud.PasswordRefused):
			return refused{attempt: t.ID, passwordRefused: e.record.Kind == cloud.PasswordRefused, backoff: e.backoff}.apply(a)
		case own && e.record.State == cloud.OperationFailed:
			a.failed(i, e.backoff)
			return nil
		case own: // it runs
		case e.record.OperationID == t.SeenOperation && !e.graceOver: // rule 5: not visible yet
		default:
			t.Overwritten = true
			a.unshown(*t, e.lost, e.at)
			changed = true
		}
	}
	if !changed {
		return errNoChange
	}
	return nil
}

// settled closes the attempts whose settle window has passed (rules 4c, 10): nothing that they sent
// can take effect any more, whatever it did before.
type settled struct {
	attempts []string
	lost     Backoff // for an accepted attempt whose outcome was not shown
	at       time.Time
}

func (e settled) apply(a *Account) error {
	changed := false
	for _, id := range e.attempts {
		for i, t := range a.OldUnresolved {
			if t.ID == id {
				a.OldUnresolved = append(a.OldUnresolved[:i:i], a.OldUnresolved[i+1:]...)
				if !t.Barrier {
					a.loosen(t)
				}
				changed = true
				break
			}
		}
		if t := a.attempt(id); t != nil {
			if t.polled() && t.Place.same(a.Place) {
				a.unshown(*t, e.lost, e.at)
			}
			a.loosen(*t)
			a.closeAttempt(id)
			a.Pending.Uncertain = true
			changed = true
		}
	}
	if len(a.OldUnresolved) == 0 {
		a.OldUnresolved = nil
	}
	if !changed {
		return errNoChange
	}
	return nil
}

// loosen notes that the settle window alone has closed an attempt. What was sent to a place that the connection
// has left is behind that place's barrier already.
func (a *Account) loosen(t Attempt) {
	if t.Place.same(a.Place) {
		a.Loose, a.LooseFence = true, max(a.LooseFence, t.Fence)
	}
}

// failed closes attempt i under its own id (rule 4b). "Failed" is no proof that nothing changed, so
// pending is kept (rule 7) until it has failed often enough to be rejected (rule 8).
func (a *Account) failed(i int, b Backoff) {
	p := a.Pending
	a.spend(p.Attempts[i])
	p.Attempts = append(p.Attempts[:i:i], p.Attempts[i+1:]...)
	a.Backoff = &b
	p.Failures++
	p.Uncertain = true
	if _, member := a.group(); member && p.Batch != "" {
		return // one member's failures are no reason to change the password of all
	}
	if p.Failures >= maxFailures && len(a.Candidates) < maxCandidates {
		p.Rejected = true
	}
}

// promote makes pending the newest version, in one write (rule 6).
func (a *Account) promote(attempt string, at time.Time) {
	p := a.Pending
	a.closeAttempt(attempt)
	a.add(Version{Password: p.Password, Batch: p.Batch, Source: FromReset, Created: at, Place: p.Place, Verified: a.believes(p.Place), Disclosed: p.Disclosed, Until: p.Until, Known: p.Known, Roles: p.Roles})
	if a.Due != nil && a.Due.Forced {
		a.endOlderLeases()
	}
	if len(p.Attempts) > 0 {
		a.OldUnresolved = append(a.OldUnresolved, p.Attempts...)
	}
	a.dropCandidates(p.Place)
	a.Pending, a.Due, a.Backoff = nil, nil, nil
	a.LastRotation = at
	a.LeftOut = time.Time{}
	// What a place says that is not believed overwrites no initial password.
	a.InitialOverwritten = a.InitialOverwritten || a.believes(p.Place)
	if p.Batch != "" && !a.Settings.SharedPassword {
		a.Due = &Due{Since: at, Reason: DueLeaver} // it has left the group whose password it was given last
	}
	a.notHere(at)  // the connection may lead elsewhere meanwhile
	a.owesMove(at) // it may have come from another role meanwhile
	a.prune()
}
