package protocol

// Whether a version may be handed out, and what is said if not (rule 11).

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckReadable is rule 11: nil if the current version may be handed out now.
func (a *Account) CheckReadable(now time.Time) error {
	cur := a.Current()
	switch {
	case !a.Gone.IsZero():
		return a.goneError()
	case a.Pending != nil:
		return a.Unreadable(a.WaitsFor(PlanInput{Now: now}), now)
	case a.Due != nil && a.Due.Reason.ForbidsReading():
		return a.Unreadable(a.WaitsFor(PlanInput{Now: now}), now)
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten && !a.TrustsHere():
		return a.NotProvenError()
	case cur == nil && a.Settings.Source == FromInitial && !a.InitialOverwritten:
		return &Error{Kind: NotReadable, Message: hint.Textf("the initial password of account %s has not been read yet", a.ID),
			RetryAfter: time.Minute}
	case cur == nil && a.Settings.Source == FromImport:
		return &Error{Kind: NotReadable, RetryAfter: importRetry, Message: hint.Textf(
			"account %s has no password yet: people set those of role %s. Record the one that the server has: %s", a.ID, a.Role, a.ImportHint())}
	case cur == nil:
		return &Error{Kind: NotReadable, Idle: true, Message: hint.Textf(
			"account %s has no password yet: its first rotation was skipped. Make one: %s", a.ID, a.rotateHint())}
	case a.Drifted() && !a.Settings.ReadDrifted:
		return &Error{Kind: NotReadable, RetryAfter: CheckInterval, Message: a.whyDrifted()} // another check may find it right
	case a.unfit():
		return &Error{Kind: NotReadable, RetryAfter: retryInterval, Message: a.whyElsewhere()}
	}
	if until := cur.end(now); a.Settings.Mode == Leased && !until.IsZero() && until.Sub(now) < max(time.Second, a.Settings.TTL/10) {
		return a.tooLate(cur.Number, until, now)
	}
	return nil
}

// importRetry is when another read makes sense where somebody has to record a password.
const importRetry = 5 * time.Minute

// tooLate is the answer when too little of a version's max_ttl is left for a lease.
func (a *Account) tooLate(version int, until, now time.Time) error {
	wait := max(until.Add(Slack).Sub(now), time.Second).Round(time.Second)
	return &Error{Kind: NotReadable, RetryAfter: wait, Message: hint.Textf(
		"version %d of account %s has reached its max_ttl; the account rotates when its last lease ends, in %s at the latest", version, a.ID,
		wait)}
}

// Unreadable says that a password cannot be handed out before its rotation has ended, and what that waits for.
func (a *Account) Unreadable(w Waiting, now time.Time) *Error {
	e := &Error{Kind: NotReadable, Rotation: true, RetryAfter: max(retryInterval, w.Until.Sub(now))}
	switch {
	case a.Braked() && !a.Pending.AnyPolled():
		e.Message = a.whyBraked(now)
	case a.Pending != nil:
		e.Message = hint.Textf("%s is being rotated since %s%s", a.named(), a.Pending.Created.UTC().Format(time.RFC3339), w.says(a, now))
	default:
		e.Message = hint.Textf("%s waits for its rotation (%s since %s)%s", a.named(), a.Due.Reason, a.Due.Since.UTC().Format(time.RFC3339),
			w.says(a, now))
	}
	return e
}

// named is what people call an account, or a group, whose name has a part that stands for no instance.
func (a *Account) named() string {
	if a.IsGroup() {
		return "the shared password of role " + a.Username
	}
	return "account " + a.String()
}

// whyElsewhere says why a version is not handed out that another place has confirmed.
func (a *Account) whyElsewhere() hint.Text {
	out := hint.Plain("; it is rotated there")
	if !a.Settings.CanReset {
		out = hint.Textf(", and nothing can set another one there. If the server has an older version: %s; or record what it has: %s",
			a.VersionsHint(), a.ImportHint())
	}
	return hint.Textf("the current version of account %s is not that of the place to which connection %s leads now%s", a.ID, a.Connection, out)
}

// WantsFirst reports whether a read is to start the account's first reset.
func (a *Account) WantsFirst() bool {
	return len(a.Versions) == 0 && a.Settings.Mode == Leased && a.Settings.CanReset && a.Due == nil &&
		a.Gone.IsZero() && !a.WantsInitial()
}
