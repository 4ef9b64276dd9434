package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// attemptClocks are the times of an account's attempts by this process's monotonic clock. The record's lock guards them.
type attemptClocks struct {
	// seen is when this process first saw an attempt that is open (rule 10).
	seen map[string]time.Time
	// shown is when this process first saw an attempt that the cloud ought to show, for the visibility grace.
	shown map[string]time.Time
	// pollAt is when the cloud may be asked again for an outcome, by the time of day.
	pollAt time.Time
	// missedSince is when the first of the looks was that have missed the instance since one knew it.
	missedSince time.Time
}

// note keeps the times at which a record's open attempts were first seen.
func (k *attemptClocks) note(a *Account) {
	if a == nil || a.Pending == nil && len(a.OldUnresolved) == 0 {
		k.seen, k.shown = nil, nil
		return
	}
	now := time.Now()
	seen, shown := map[string]time.Time{}, map[string]time.Time{}
	note := func(t protocol.Attempt) {
		seen[t.ID] = now
		if first, ok := k.seen[t.ID]; ok {
			seen[t.ID] = first
		}
		if t.RequestID == "" && t.Name == "" {
			return
		}
		shown[t.ID] = now
		if first, ok := k.shown[t.ID]; ok {
			shown[t.ID] = first
		}
	}
	for _, t := range a.OldUnresolved {
		note(t)
	}
	if p := a.Pending; p != nil {
		for _, t := range p.Attempts {
			note(t)
		}
	}
	k.seen, k.shown = seen, shown
}

// left is what is left of a time that began when the attempt was first seen; all of it for one that was not seen yet.
func (k *attemptClocks) left(t protocol.Attempt, of time.Duration) time.Duration {
	if first, ok := k.seen[t.ID]; ok {
		return of - time.Since(first)
	}
	return of
}

// turnEnds is when the turn of a server ends whose account has an accepted attempt, whatever becomes of that.
func (k *attemptClocks) turnEnds(p *protocol.Pending) time.Time {
	for _, t := range p.Attempts {
		if !t.Polled() {
			continue
		}
		window := max(t.Window, t.FenceWindow)
		if window == 0 {
			window = unknownTurn
		}
		return k.seen[t.ID].Add(window)
	}
	return time.Now()
}
