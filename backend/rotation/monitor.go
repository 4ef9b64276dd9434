package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Monitor is told what happens, for metrics and events. Its methods wait for nothing, since the account is held meanwhile, and
// are safe for concurrent use.
type Monitor interface {
	// CloudRequest is told of a request that ended; err is nil for a success.
	CloudRequest(connection, action string, took time.Duration, err error)
	// LimiterWait is told how long a request waited for the connection's limit.
	LimiterWait(connection string, took time.Duration)
	// AttemptSent is told of each request that may set an account's password, once for each account that it names.
	AttemptSent(connection string)
	// Happened is told what the records of accounts show, after they are stored.
	Happened(Happening)
}

// What happens to an account or, where its id is a group's, to the accounts of a role with shared_password.
type HappeningKind string

// Kinds of happenings.
const (
	Rotated        HappeningKind = "rotated"         // it has a new password that the cloud confirmed
	Failed         HappeningKind = "failed"          // an attempt failed
	UnknownOutcome HappeningKind = "unknown_outcome" // nobody can tell whether an attempt took effect
	Disclosed      HappeningKind = "disclosed"       // a version was given to a reader for the first time
	Gone           HappeningKind = "gone"            // the server does not exist any more
	Checked        HappeningKind = "checked"         // the server was looked at
	Drifted        HappeningKind = "drifted"         // a check has shown that the server does not have the current version
)

// Happening is something that a record shows beside the one that it replaced.
type Happening struct {
	Kind HappeningKind
	ID   ID
	Role string
	// Version is the current version; 0: there is none.
	Version int
	// Reason is why the account is, or was, rotated.
	Reason Reason
	// First says of a failure that the try before it did not fail.
	First bool
	// Result is what a check has shown.
	Result CheckResult
}

// tell tells the monitor what a stored record shows. before is nil where the account is new.
func (s *accountStore) tell(before, after *Account) {
	if before == nil {
		return // a binding: nothing has happened to the account yet
	}
	for _, h := range happenings(before, after) {
		s.opts.Monitor.Happened(h)
	}
	if after.Rebuilt != nil && (before.Rebuilt == nil || *before.Rebuilt != *after.Rebuilt) {
		s.opts.Logger.Warn("the server seems to have been rebuilt, so it may have another password than Vault", "account", after.String(),
			"shown", after.Rebuilt.Words())
	}
}

// happenings compares two records of an account. One write may hold the changes of several clients.
func happenings(before, after *Account) []Happening {
	var all []Happening
	add := func(kind HappeningKind, reason Reason, first bool) {
		all = append(all, Happening{Kind: kind, ID: after.ID, Role: after.Role, Version: after.LastVersion, Reason: reason, First: first})
	}
	if !after.IsGroup() {
		if after.LastVersion > before.LastVersion && after.Current().Source == FromReset && !after.Current().Change.Begun.IsZero() {
			add(Rotated, after.Current().Change.Reason, false)
		}
		if kind, failed := failure(before, after); failed {
			add(kind, reasonOf(after), before.Backoff == nil)
		}
		if before.Gone.IsZero() && !after.Gone.IsZero() {
			add(Gone, reasonOf(after), false)
		}
		all = append(all, checks(before, after)...)
	}
	if after.IsGroup() || !after.Settings.SharedPassword { // else the group's record tells who was given the password
		if disclosed(before, after) {
			add(Disclosed, "", false)
		}
	}
	return all
}

// checks are what a check shows that was made between two records. A server that stays as it was found is no news.
func checks(before, after *Account) []Happening {
	made := after.Checked()
	if !made.Time.After(before.Checked().Time) {
		return nil
	}
	h := Happening{Kind: Checked, ID: after.ID, Role: after.Role, Version: after.LastVersion, Result: made.Result}
	all := []Happening{h}
	if after.Drifted() && !before.Drifted() {
		h.Kind = Drifted
		all = append(all, h)
	}
	return all
}

// failure says what a new failure of an account's attempts is.
func failure(before, after *Account) (HappeningKind, bool) {
	if after.Backoff == nil || before.Pending == nil || after.Pending == nil ||
		before.Backoff != nil && after.Backoff.Failures <= before.Backoff.Failures {
		return "", false
	}
	// What leaves the attempt open, or shows no outcome, is none.
	if after.Pending.NotEnded() >= before.Pending.NotEnded() || after.Pending.Brake.Unshown > before.Pending.Brake.Unshown {
		return UnknownOutcome, true
	}
	return Failed, true
}

// disclosed reports whether the current version has been given to its first reader. Later readers are no news: to tell of each
// would cost a leased read a call of Vault, whose audit log has them.
func disclosed(before, after *Account) bool {
	now := after.Current()
	if now == nil || now.Disclosed.IsZero() {
		return false
	}
	was := before.Version(now.Number)
	return was == nil || was.Disclosed.IsZero()
}

// reasonOf is why an account is being rotated; "": it is not.
func reasonOf(a *Account) protocol.Reason {
	switch {
	case a.Pending != nil:
		return a.Pending.Why.Reason
	case a.Due != nil:
		return a.Due.Reason
	}
	return ""
}

// unmonitored is the Monitor of a core that nobody watches.
type unmonitored struct{}

func (unmonitored) CloudRequest(string, string, time.Duration, error) {}
func (unmonitored) LimiterWait(string, time.Duration)                 {}
func (unmonitored) AttemptSent(string)                                {}
func (unmonitored) Happened(Happening)                                {}
