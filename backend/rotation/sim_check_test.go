package rotation

import (
	"context"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"slices"
	"strings"
	"time"
)

// This file checks the invariants that the package's doc comment names.

// expect notes that something has asked for a reset.
func (w *world) expect(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[id]++
}

// expectFirst: the first read of an account without a version asks for a reset.
func (w *world) expectFirst(id ID) {
	if w.faulty.Load() {
		return // nobody counts
	}
	a := w.record(id)
	if a != nil && len(a.Versions) == 0 && a.Due == nil && a.Settings.Mode == Leased && a.Settings.Source == FromReset {
		w.expect(id)
	}
}

// countTicks notes what the schedule asked for.
func (w *world) countTicks(before, after *Account) {
	if before == nil || after == nil || before.NextRotation.IsZero() || after.NextRotation.Equal(before.NextRotation) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks[after.ID] += int(after.NextRotation.Sub(before.NextRotation) / after.Settings.Period)
	if before.Due == nil {
		w.expected[after.ID]++
	}
}

// checkStored checks I1 for one server. It runs at every change of its record and of the server.
func (w *world) checkStored(id ID) {
	s := w.cloud.of(id)
	if a := w.record(id); a != nil && a.Backoff != nil {
		for _, value := range w.cloud.values(id.InstanceID) {
			if strings.Contains(a.Backoff.LastError.String(), value) {
				w.violation("I12", "%s keeps the text %q", id, a.Backoff.LastError)
			}
		}
	}
	w.checkChanges(id)
	var has string
	var excused bool
	w.cloud.locked(func() {
		has = s.password
		excused = s.byHand
	})
	if excused || w.keeps(id, has) {
		return
	}
	// Before the first reset is confirmed the cloud itself has the initial password.
	a := w.liveOf(id)
	w.cloud.locked(func() {
		excused = s.initial == has &&
			(a == nil || !a.InitialOverwritten && !slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Place != lying }))
	})
	if !excused {
		w.violation("I1", "server %s has %s, which is not in storage: %s", id.InstanceID, has, describe(a))
	}
}

// checkChanges checks I17 for one account's versions.
func (w *world) checkChanges(id ID) {
	a := w.record(id)
	if a == nil {
		return
	}
	for _, v := range a.Versions {
		if !strings.HasPrefix(v.Password, "pw") || v.Source != FromReset || v.Change.Reason == protocol.Restored {
			continue // a test wrote it, or an operator recorded it
		}
		if c := v.Change; c.Reason == "" || c.Since.IsZero() || c.Begun.IsZero() || c.Attempts < 1 {
			w.violation("I17", "version %d of %s does not say how it was made: %+v", v.Number, id, c)
		}
	}
}

// checkAnswer checks what a client is given, at the moment at which it is given.
func (w *world) checkAnswer(n *simNode, answer *Answer) {
	id, value := answer.ID, answer.Version.Password
	w.tracef("node %d gives a client version %d of %s: %s", n.id, answer.Version.Number, id.InstanceID, value)
	if has, byHand, gone := w.server(id); has != value && !byHand && !gone {
		w.violation("I2", "a client got %s, but server %s has %s: %s", value, id.InstanceID, has, describe(w.record(id)))
	}
	a := w.record(id)
	if a == nil || n.deposed() && answer.Lease == nil {
		return
	}
	if a.Due != nil && a.Due.Reason.ForbidsReading() || a.Pending != nil {
		w.violation("I6", "a client got %s of an account that waits for its rotation: %s", value, describe(a))
	}
	if w.isBurned(value) {
		w.violation("I6", "%s was handed out again after its last lease had ended", value)
	}
	v := a.Version(answer.Version.Number)
	if v == nil || v.Password != value || v.Disclosed.IsZero() {
		w.violation("I11", "a client got %s, and storage does not say so: %s", value, describe(a))
		return
	}
	if answer.Lease != nil && a.Leases[answer.Lease.Nonce].Version != answer.Version.Number {
		w.violation("I11", "nonce %s of a client's lease is not in storage: %s", answer.Lease.Nonce, describe(a))
	}
}

func (w *world) isBurned(value string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.burned[value]
}

// checkExclusive checks I3 for a new lease. The caller holds w.mu.
func (w *world) checkExclusive(l *simLease) {
	if !l.exclusive {
		return
	}
	for _, o := range w.leases {
		if w.freed.has(o) || w.freed.has(l) {
			continue
		}
		if o.ref.ID == l.ref.ID && !o.ended && time.Now().Before(o.expires) && !w.outrun(o) {
			w.lockedViolation("I3", "two live exclusive leases on %s: %s and %s", l.ref.ID.InstanceID, o.password, l.password)
		}
	}
}

// outrun reports whether the core's clock has gone ahead since it has granted a lease: it believes a step, or a
// new node knows no better. The caller holds w.mu.
func (w *world) outrun(l *simLease) bool {
	return w.node.core.Now().Sub(l.granted[0])-time.Since(l.granted[1]) > clockTolerance
}

// checkSent checks I10 for one server of a reset request that is about to leave.
func (w *world) checkSent(id ID, value string) {
	w.joinsSent(id.InstanceID, value)
	a := w.record(id)
	open := 0
	if a != nil {
		if a.Pending != nil && a.Pending.Password == value {
			open += len(a.Pending.Attempts)
		}
		if cur := a.Current(); cur != nil && cur.Password == value {
			open += len(a.OldUnresolved)
		}
	}
	if open == 0 {
		w.violation("I10", "%s is sent to %s without an open attempt in storage: %s", value, id, describe(a))
	}
}

// settleBound is the longest time that the protocol may need to become quiet once nothing fails any
// more: a late request and its operation (30 minutes on a serial cloud), the barrier of a changed reset
// method (36 minutes there), the settle windows of a rejected pending and of a promoted one (19 minutes
// each), a backoff (an hour), holds (5 minutes each), and three rotations.
const settleBound = 205 * time.Minute

// settles is settleBound, for each user of one server, and the longest pause of a brake that was on when the faults ended.
func (w *world) settles() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	bound := settleBound + w.setBack + w.braked
	if w.shared {
		bound += settleBound // the other user's turn comes first
	}
	return bound
}

// calm stops the faults and lets every lease end.
func (w *world) calm() {
	w.trouble.Store(&odds{})
	w.mu.Lock()
	w.crashAt = nil
	w.quiet = time.Now()
	for _, l := range w.leases {
		if !l.lost && !l.ended {
			l.expires = time.Now()
		}
	}
	w.mu.Unlock()
	w.cloud.locked(func() { w.cloud.refuse, w.cloud.lies, w.cloud.deaf = false, lies{}, "" })
	for _, b := range w.specs {
		if a := w.record(b.ID); a != nil && a.Pending != nil {
			w.braked = max(w.braked, a.Pending.Brake.NotBefore.Sub(w.now()), protocol.MinBrake) // one that is under way may be lost, too
		}
	}
	w.tracef("nothing fails from now on")
	w.recoverNode()
}

// converge stops the faults and checks that everything comes to rest (I8).
func (w *world) converge(ctx context.Context) {
	w.calm()
	w.ensureBound(ctx)
	w.reappear(ctx)
	// What waits for a time of the wall clock waits longer if that is set back. In a simulation that
	// concerns times in memory, too, which on a real machine keep to the monotonic clock.
	w.rest(ctx, w.settles(), func() string {
		for _, b := range w.specs {
			if s := w.unsettled(b.ID); s != "" {
				return s
			}
		}
		return ""
	})
	for _, b := range w.specs {
		w.checkStored(b.ID)
	}
	w.awaitClean(ctx)
}

// rest waits until nothing is unsettled.
func (w *world) rest(ctx context.Context, bound time.Duration, unsettled func() string) {
	for end := time.Now().Add(bound); ; {
		w.endLeases(ctx)
		why := unsettled()
		if why == "" || len(w.violations()) > 0 {
			return
		}
		if time.Now().After(end) {
			w.violation("I8", "%s", why)
			for _, b := range w.specs {
				w.tracef("%s: %s", b.InstanceID, describe(w.record(b.ID)))
			}
			return
		}
		pass(30*time.Second + w.duration("look", "", time.Second))
		w.recoverNode()
		w.checkDeadlines()
	}
}

// reappear has the role resolved again, which tells the core of instances that have come back.
func (w *world) reappear(ctx context.Context) {
	for _, b := range w.specs {
		a := w.record(b.ID)
		if _, _, gone := w.server(b.ID); a == nil || gone || a.Gone.IsZero() {
			continue
		}
		err := w.node.core.Describe(ctx, b.ID, b.Facts)
		w.tracef("%s is described again: %v", b.InstanceID, err)
	}
}

// unsettled says what keeps an account from the goal: its server has the current version, which, in
// leased mode, nobody knows.
func (w *world) unsettled(id ID) string {
	a := w.record(id)
	has, byHand, gone := w.server(id)
	switch {
	case gone || byHand && (a == nil || a.Due == nil):
		return ""
	case a == nil:
		return "no record of " + id.String()
	case a.Pending != nil || a.Due != nil || len(a.OldUnresolved) > 0 || len(a.Candidates) > 0:
		return id.InstanceID + " is not at rest"
	case a.Current() == nil:
		return ""
	case a.Current().Password != has:
		return id.InstanceID + " has " + has + ", which is not the current version"
	case a.Settings.Mode != Leased:
		return ""
	case len(a.Leases) > 0:
		return id.InstanceID + " still counts leases"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.handed[has]; ok {
		return id.InstanceID + " has " + has + ", which a client has known since " + at.Format("15:04:05")
	}
	return ""
}

// checkDeadlines checks I4 while the world runs.
func (w *world) checkDeadlines() {
	for _, b := range w.specs {
		a := w.record(b.ID)
		if a == nil || a.Settings.Mode != Leased || a.Current() == nil || a.Current().Until.IsZero() {
			continue
		}
		has, byHand, gone := w.server(b.ID)
		if byHand || gone || !a.Gone.IsZero() || has != a.Current().Password {
			continue
		}
		over := w.node.core.Now().Sub(a.Current().Until.Add(protocol.Slack))
		if a.Fenced() { // the method was changed after a command that may be run again (rule 19)
			w.fenced[b.ID] = time.Now()
		}
		if at, ok := w.fenced[b.ID]; ok {
			over = min(over, time.Since(at))
		}
		if w.faulty.Load() {
			over = min(over, time.Since(w.quiet.Add(w.settles())))
		}
		if over > time.Minute+a.Settings.MinResetInterval {
			w.violation("I4", "%s outlives its deadline by %s: %s", has, over, describe(a))
		}
	}
}

// checkResets checks I5 at rest, in a history without faults.
func (w *world) checkResets() {
	if w.faulty.Load() || len(w.violations()) > 0 {
		return
	}
	for _, b := range w.specs {
		got, want := 0, w.expected[b.ID]
		w.cloud.locked(func() { got = w.cloud.of(b.ID).accepted })
		if got != want {
			w.violation("I5", "%d resets of %s, but %d reasons for one", got, b.InstanceID, want)
		}
		if every := b.Settings.Period; every > 0 && w.ticks[b.ID] != int(time.Since(w.began)/every) {
			w.violation("I5", "%s went through %d scheduled rotations in %s", b.InstanceID, w.ticks[b.ID], time.Since(w.began))
		}
	}
}
