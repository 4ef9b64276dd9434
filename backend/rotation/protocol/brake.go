package protocol

// The brake (rule 25): a wrong idea of a cloud, or a cloud that goes wrong, costs a few resets and not one
// after the other.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

const (
	// MaxUnshown is after how many attempts without a shown outcome nothing is sent for long.
	MaxUnshown = 3
	// MinBrake is the first pause. Each further attempt without a shown outcome doubles it, up to maxBrake.
	MinBrake = time.Hour
	maxBrake = 24 * time.Hour
)

// unshown notes that an attempt's outcome will not be shown. shown is the failure for people, with the
// ordinary pause until the next attempt.
func (a *Account) unshown(t Attempt, shown Backoff, at time.Time) {
	b := &a.Pending.Brake
	b.Unshown++
	b.Last, b.Shown = at, shown.LastError
	if n := b.Unshown - MaxUnshown; n >= 0 {
		b.NotBefore = at.Add(min(MinBrake<<min(n, 10), maxBrake))
	}
	a.Backoff = &shown
	a.spend(t)
}

// spend notes that an attempt may have reset the server without success: min_reset_interval counts from it, too.
func (a *Account) spend(t Attempt) {
	a.Pending.Spent = t.Started
}

// Braked reports whether the account has stopped trying, or tries once after such a pause.
func (a *Account) Braked() bool {
	return a.Pending != nil && a.Pending.Brake.Unshown >= MaxUnshown && a.Gone.IsZero() && !a.Misplaced()
}

// brakedUntil is when the brake lets the account go on; a time that has passed, or zero: it does not stop it.
func (a *Account) brakedUntil(now time.Time) time.Time {
	if !a.Braked() || now.Add(ClockSkew).Before(a.Pending.Brake.Last) {
		return time.Time{}
	}
	return a.Pending.Brake.NotBefore
}

// release ends the pauses after failures: an operator has seen to their cause. The counts stay, so that
// another failure leads to the next pause. It reports whether that changes anything.
func (a *Account) release(at time.Time) bool {
	changed := false
	if a.backsOff(at).After(at) {
		a.Backoff.NotBefore = at
		changed = true
	}
	if p := a.Pending; p != nil {
		if a.brakedUntil(at).After(at) {
			p.Brake.NotBefore = at
			changed = true
		}
		if !p.Spent.IsZero() {
			p.Spent = time.Time{}
			changed = true
		}
	}
	return changed
}

// whyBraked tells people what the cloud showed instead, and when the account goes on.
func (a *Account) whyBraked(now time.Time) hint.Text {
	b := a.Pending.Brake
	text := hint.Textf("account %s is braked: the cloud did not show the outcome of %d attempts to set its password; last: %s", a.ID,
		b.Unshown, b.Shown)
	if left := a.brakedUntil(now).Sub(now).Round(time.Second); left > 0 {
		text = text.Add(hint.Textf(". The same password is sent again in %s; to send it at once: %s", left, a.rotateHint()))
	}
	return text
}
