package rotation

// This file is the protocol: a pure transition function from a record and an event to the next
// record. Nothing here reads a clock, storage or a cloud. The numbers are those of the package's
// doc comment.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// maxFailures is how many reported failures reject a pending (rule 8).
	maxFailures = 3
	// maxCandidates bounds a record's growth on an instance whose resets keep failing: past it the
	// pending is kept and retried instead of being replaced.
	maxCandidates = 20
	// maxLeases bounds the live nonces of an account, so that its record stays far below the storage's
	// entry limit (rule 12).
	maxLeases = 1000
	// defaultMaxVersions applies where the settings name none.
	defaultMaxVersions = 10
)

// rules are the protocol's deliberate breakages. The zero value is the protocol; only tests set any.
type rules struct {
	callBeforeWrite       bool // (1) the cloud is called before pending and attempt are durable
	newPasswordOnRetry    bool // (2) a retry sends another value
	refusalClearsPending  bool // (3) the refusal of one attempt clears pending
	failureClearsPending  bool // (4) a reported failure clears pending
	unknownIsFailure      bool // (5) an unknown outcome counts as "nothing happened"
	successWithoutID      bool // (6) any success in the record confirms
	promoteForgetsOpen    bool // (7) promotion drops attempts that are still open
	sendWhileUnresolved   bool // (8) a new value is sent while old_unresolved is set
	shortSettleWindow     bool // (9) the settle window is shorter than a request may live
	noCandidates          bool // (10) a replaced pending is dropped
	pruneCandidates       bool // (11) candidates count against max_versions
	nonceAfterAnswer      bool // (12) the nonce is written after the answer
	revokeIgnoresVersion  bool // (13) the end of an older version's lease makes the account due
	exclusiveCurrentOnly  bool // (14) exclusive checks only the current version's nonces
	noSlack               bool // (15) deadlines have no slack
	importWhileOpen       bool // (16) import does not look at open attempts
	dropFailedItems       bool // (17) the scheduler forgets an account whose step failed
	scheduleFromZeroStart bool // (18) the schedule is rebuilt from a missing last rotation
	noBarrier             bool // (19) a change of the reset method does not wait for what the old one may still do
	joinersUnwritten      bool // (20) a joint write does not hold the changes of those who share it
}

// event is something that happened to an account. apply changes the given record, which nobody else
// sees, or returns errNoChange, errStale or an *Error.
type event interface {
	apply(a *Account, r rules) error
}

// transition is the protocol's one entry: the record after the event. The given record is not
// touched. Callers write the result in one storage write (rule 1) before they act on it.
func transition(a *Account, ev event, r rules) (*Account, error) {
	next := a.clone()
	if err := ev.apply(next, r); err != nil {
		return nil, err
	}
	return next, nil
}

// bound gives the account a role, settings and facts (rule 15). An account that is bound to another
// role is left alone.
type bound struct {
	role     string
	settings Settings
	facts    Facts
	at       time.Time
}

func (e bound) apply(a *Account, r rules) error {
	if a.Role != "" && a.Role != e.role {
		held := errorf(Conflict, "account %s already belongs to role %q; one account belongs to one role", a.ID, a.Role)
		held.Holder, held.HolderRole = &a.ID, a.Role
		return held
	}
	if a.Settings.CanReset && !e.settings.CanReset && a.mustRotate() {
		// The role sets no passwords any more. What has begun still needs its end, by the means it had.
		e.settings.CanReset, e.settings.ResetMethod, e.settings.ForceStop = true, a.Settings.ResetMethod, a.Settings.ForceStop
	}
	if a.Role == e.role && a.Settings == e.settings && a.Facts == e.facts && a.Gone.IsZero() {
		return errNoChange
	}
	if !e.settings.CanReset {
		a.Due = nil
	}
	if a.Settings.Schedule != e.settings.Schedule || a.Role == "" {
		a.NextRotation = firstRotation(a, e.settings, e.at)
	}
	if e.settings.SharedPassword && a.Due != nil && a.Due.Reason == DueLeaver && a.Pending == nil {
		a.Due = nil // it is back in the group, which brings it to the group's password if need be
	}
	if a.Settings.ResetMethod != e.settings.ResetMethod && !r.noBarrier {
		a.raiseBarrier(e.at)
	}
	a.Role, a.Settings, a.Facts = e.role, e.settings, e.facts
	a.Gone = time.Time{}
	return nil
}

// firstRotation is the next scheduled rotation after a change of the schedule: a time of the cron
// expression, or one period after the last rotation, or from now on where there was none. It is never
// in the past.
func firstRotation(a *Account, s Settings, at time.Time) time.Time {
	if !s.scheduled() || s.Mode != Static || s.SharedPassword && !a.isGroup() {
		return time.Time{} // a group's members rotate with the group
	}
	from := at
	if !a.LastRotation.IsZero() {
		from = a.LastRotation
	}
	if next := s.after(from, from); next.After(at) {
		return next
	}
	if s.Cron != "" {
		return s.after(at, at)
	}
	return at
}

// unbound takes the role away: it was deleted or does not match the instance any more. A disclosed
// version of a leased account still ends with its leases; nothing else happens to it.
type unbound struct{ role string }

func (e unbound) apply(a *Account, _ rules) error {
	if a.Role != e.role || a.Role == "" {
		return errNoChange
	}
	a.Role = ""
	a.NextRotation = time.Time{}
	return nil
}

// described refreshes the facts; an instance that was thought gone is back.
type described struct{ facts Facts }

func (e described) apply(a *Account, _ rules) error {
	if a.Facts == e.facts && a.Gone.IsZero() {
		return errNoChange
	}
	a.Facts, a.Gone = e.facts, time.Time{}
	return nil
}

// madeDue says that a rotation should happen. A reason that forbids reading is never weakened, and
// the time since when the account has been due is kept.
type madeDue struct {
	reason Reason
	at     time.Time
	// asked is an operator's word, which DueManual is too: it waits for no window. An account that has
	// no version yet is due for its first one whoever asks.
	asked bool
}

func (e madeDue) apply(a *Account, _ rules) error {
	asked := e.asked || e.reason == DueManual
	if asked {
		a.Gone = time.Time{} // an operator's word: look again
		if a.Backoff != nil {
			a.Backoff.NotBefore = e.at
		}
	}
	switch {
	case a.Due == nil:
		a.Due = &Due{Since: e.at, Reason: e.reason}
	case e.reason.ForbidsReading() && !a.Due.Reason.ForbidsReading():
		a.Due.Reason = e.reason
	case !asked:
		return errNoChange
	}
	a.Due.Forced = a.Due.Forced || asked
	return nil
}

// begun records a new pending and its first attempt (rules 1, 2, 8, 9).
type begun struct {
	password string
	batch    string // the group's batch that the value comes from; empty: none
	attempt  Attempt
}

func (e begun) apply(a *Account, r rules) error {
	if a.Due == nil || !a.Gone.IsZero() || e.attempt.Method != a.Settings.ResetMethod {
		return errStale
	}
	if len(a.OldUnresolved) > 0 && !r.sendWhileUnresolved {
		return errStale // rule 9
	}
	if p := a.Pending; p != nil {
		if !p.Rejected && !r.newPasswordOnRetry {
			return errStale // rule 3: only a rejected value is replaced
		}
		if len(p.Attempts) > 0 && !r.newPasswordOnRetry && !r.sendWhileUnresolved {
			return errStale // rule 9
		}
		if p.Uncertain && !r.noCandidates { // rule 8
			a.Candidates = append(a.Candidates, Candidate{Password: p.Password, Created: p.Created})
		}
	}
	a.Pending = &Pending{Password: e.password, Batch: e.batch, Created: e.attempt.Started, Attempts: []Attempt{e.attempt}, Tried: 1}
	a.LastReset = e.attempt.Started
	a.prune(r)
	return nil
}

// retried records another attempt of the same pending (rules 2, 3).
type retried struct{ attempt Attempt }

func (e retried) apply(a *Account, _ rules) error {
	p := a.Pending
	if p == nil || p.Rejected || p.polled() || a.barred() || !a.Gone.IsZero() || e.attempt.Method != a.Settings.ResetMethod {
		return errStale
	}
	p.Attempts = append(p.Attempts, e.attempt)
	p.Tried++
	return nil
}

// accepted stores the request id of an accepted attempt, so that any node polls on with it (rule 3).
type accepted struct {
	attempt   string
	requestID string
	at        time.Time
}

func (e accepted) apply(a *Account, _ rules) error {
	t := a.attempt(e.attempt)
	if t == nil {
		return errStale
	}
	t.RequestID, t.Accepted = e.requestID, e.at
	return nil
}

// confirmed is a success that the cloud's very answer to an attempt proves (rule 6).
type confirmed struct {
	attempt string
	at      time.Time
}

func (e confirmed) apply(a *Account, r rules) error {
	if a.attempt(e.attempt) == nil {
		return errStale
	}
	a.promote(e.attempt, e.at, r)
	return nil
}

// refused closes one attempt that certainly did nothing (rules 4a, 7, 8). The others stay open.
type refused struct {
	attempt         string
	passwordRefused bool
	backoff         Backoff
}

func (e refused) apply(a *Account, r rules) error {
	if !a.closeAttempt(e.attempt) {
		return errStale
	}
	if r.refusalClearsPending {
		a.Pending = nil
		return nil
	}
	if e.passwordRefused {
		a.Pending.Rejected = true
	}
	b := e.backoff
	a.Backoff = &b
	return nil
}

// unsent closes an attempt whose request never left this process (rule 4a). It is nobody's failure,
// so that the account keeps its place and its backoff.
type unsent struct{ attempt string }

func (e unsent) apply(a *Account, _ rules) error {
	if !a.closeAttempt(e.attempt) {
		return errStale
	}
	a.Pending.Tried--
	return nil
}

// unknown is an attempt whose outcome nobody can tell: it stays open (rule 4).
type unknown struct {
	attempt string
	backoff Backoff
}

func (e unknown) apply(a *Account, r rules) error {
	if a.attempt(e.attempt) == nil {
		return errStale
	}
	if r.unknownIsFailure {
		a.Pending = nil
	}
	b := e.backoff
	a.Backoff = &b
	return nil
}

// observed is a look at the cloud's operation record (rules 4b, 5, 6, 7).
type observed struct {
	record cloud.ResetRecord
	// graceOver is set once an accepted operation should have become visible.
	graceOver bool
	backoff   Backoff // for a reported failure
	at        time.Time
}

func (e observed) apply(a *Account, r rules) error {
	p := a.Pending
	if p == nil || !p.polled() {
		return errStale
	}
	changed := false
	for i := range p.Attempts {
		t := &p.Attempts[i]
		if !t.polled() {
			continue
		}
		own := e.record.OperationID == t.RequestID || r.successWithoutID && e.record.State == cloud.OperationSuccess
		switch {
		case own && e.record.State == cloud.OperationSuccess:
			a.promote(t.ID, e.at, r)
			return nil
		case own && e.record.State == cloud.OperationFailed && (e.record.Kind == cloud.Refused || e.record.Kind == cloud.PasswordRefused):
			return refused{attempt: t.ID, passwordRefused: e.record.Kind == cloud.PasswordRefused, backoff: e.backoff}.apply(a, r)
		case own && e.record.State == cloud.OperationFailed:
			a.failed(i, e.backoff, r)
			return nil
		case own: // it runs
		case e.record.OperationID == t.SeenOperation && !e.graceOver: // rule 5: not visible yet
		default:
			t.Overwritten = true
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
type settled struct{ attempts []string }

func (e settled) apply(a *Account, _ rules) error {
	changed := false
	for _, id := range e.attempts {
		for i, t := range a.OldUnresolved {
			if t.ID == id {
				a.OldUnresolved = append(a.OldUnresolved[:i:i], a.OldUnresolved[i+1:]...)
				a.Loose = a.Loose || !t.Barrier
				changed = true
				break
			}
		}
		if a.closeAttempt(id) {
			a.Pending.Uncertain = true
			a.Loose = true
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

// initialRead stores the decrypted initial password as version 1 (rule 17).
type initialRead struct {
	password string
	at       time.Time
}

func (e initialRead) apply(a *Account, _ rules) error {
	if len(a.Versions) > 0 || a.Pending != nil || a.Due != nil || a.InitialOverwritten {
		return errStale
	}
	a.add(Version{Password: e.password, Source: FromInitial, Created: e.at})
	return nil
}

// initialCleared notes that the cloud's copy is deleted.
type initialCleared struct{ at time.Time }

func (e initialCleared) apply(a *Account, _ rules) error {
	a.InitialCleared = e.at
	return nil
}

// scheduled makes the account due when its stored time has come, and stores the next one. A time whose
// window has passed meanwhile (an outage, a sealed Vault) is missed: the next one counts.
type scheduled struct{ at time.Time }

func (e scheduled) apply(a *Account, _ rules) error {
	s := a.Settings
	if a.NextRotation.IsZero() || e.at.Before(a.NextRotation) || !s.scheduled() {
		return errNoChange
	}
	missed := s.Window > 0 && e.at.After(a.NextRotation.Add(s.Window)) && s.opens(e.at).After(e.at)
	if missed {
		a.MissedRotation = a.NextRotation
	}
	a.NextRotation = s.after(e.at, a.NextRotation)
	if a.Due == nil && !missed {
		a.Due = &Due{Since: e.at, Reason: DueSchedule}
	}
	return nil
}

// vanished retires the account: its instance does not exist any more (rule 15). Due is kept, so that
// an instance that comes back after all is rotated before anyone reads.
type vanished struct{ at time.Time }

func (e vanished) apply(a *Account, _ rules) error {
	if !a.Gone.IsZero() {
		return errNoChange
	}
	a.Gone = e.at
	return nil
}

// attempt returns the pending's open attempt with that id, or nil.
func (a *Account) attempt(id string) *Attempt {
	if a.Pending == nil {
		return nil
	}
	for i := range a.Pending.Attempts {
		if a.Pending.Attempts[i].ID == id {
			return &a.Pending.Attempts[i]
		}
	}
	return nil
}

// closeAttempt removes the pending's open attempt with that id and reports whether there was one.
func (a *Account) closeAttempt(id string) bool {
	if a.Pending == nil {
		return false
	}
	for i, t := range a.Pending.Attempts {
		if t.ID == id {
			a.Pending.Attempts = append(a.Pending.Attempts[:i:i], a.Pending.Attempts[i+1:]...)
			return true
		}
	}
	return false
}

// failed closes attempt i under its own id (rule 4b). "Failed" is no proof that nothing changed, so
// pending is kept (rule 7) until it has failed often enough to be rejected (rule 8).
func (a *Account) failed(i int, b Backoff, r rules) {
	p := a.Pending
	p.Attempts = append(p.Attempts[:i:i], p.Attempts[i+1:]...)
	a.Backoff = &b
	if r.failureClearsPending {
		a.Pending = nil
		return
	}
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
func (a *Account) promote(attempt string, at time.Time, r rules) {
	p := a.Pending
	a.closeAttempt(attempt)
	a.add(Version{Password: p.Password, Batch: p.Batch, Source: FromReset, Created: at, Verified: true, Disclosed: p.Disclosed, Until: p.Until})
	if len(p.Attempts) > 0 && !r.promoteForgetsOpen {
		a.OldUnresolved = append(a.OldUnresolved, p.Attempts...)
	}
	a.Pending, a.Candidates, a.Due, a.Backoff = nil, nil, nil, nil
	a.LastRotation = at
	a.InitialOverwritten = true
	if p.Batch != "" && !a.Settings.SharedPassword {
		a.Due = &Due{Since: at, Reason: DueLeaver} // it has left the group whose password it was given last
	}
	a.prune(r)
}

// add appends a version, which becomes the current one.
func (a *Account) add(v Version) {
	if cur := a.current(); cur != nil {
		cur.Ended = v.Created
	}
	a.LastVersion++
	v.Number = a.LastVersion
	a.Versions = append(a.Versions, v)
}

// prune drops the oldest versions past max_versions. A version that may be live is never pruned: the
// current one, and while a pending or a candidate exists the one that the server had before it, which
// is the current one too. Candidates are no versions and do not count (rule 8).
func (a *Account) prune(r rules) {
	keep := a.Settings.MaxVersions
	if keep <= 0 {
		keep = defaultMaxVersions
	}
	if r.pruneCandidates {
		for len(a.Candidates) > 0 && len(a.Candidates)+len(a.Versions) > keep {
			a.Candidates = a.Candidates[1:]
		}
	}
	if n := len(a.Versions) - keep; n > 0 {
		a.Versions = append([]Version(nil), a.Versions[n:]...)
	}
}
