package rotation

import (
	"context"
	"math/rand/v2"
	"time"
)

// simLease is a lease as Vault has it.
type simLease struct {
	ref        LeaseRef
	password   string
	exclusive  bool
	issued     time.Time // when Vault registered it, by the wall clock
	expires    time.Time // by the monotonic clock, as Vault's timers
	registered time.Time
	granted    [2]time.Time // when the core has granted it: by the core's clock, and truly
	lost       bool         // Vault forgot it: nobody revokes it
	ended      bool         // Vault does not count it as live any more
	revoked    bool         // the core has taken note
}

// read is a client's read through Vault. It returns the lease, if there is one, and whether there was
// an answer.
func (w *world) read(ctx context.Context, id ID, wait time.Duration) (*simLease, bool) {
	n := w.node
	w.expectFirst(id)
	role := w.roleOf(id)
	by := Reader{Role: role, Client: w.someClient(id)}
	answer, err := n.core.Read(w.client(ctx), id, by, wait)
	if err != nil {
		w.tracef("read %s: %v", id.InstanceID, err)
		return nil, false
	}
	w.checkAnswer(n, answer)
	w.checkNamed(n, answer, by.Client)
	w.checkReaders(role, answer)
	return w.register(n, answer), true
}

// register is what Vault does with an answer: it makes the lease, a while after the plugin's answer
// (its own work, a slow audit device), or loses it.
func (w *world) register(n *simNode, answer *Answer) *simLease {
	w.mu.Lock()
	defer w.mu.Unlock()
	value := answer.Version.Password
	w.handed[value] = time.Now()
	if _, ok := w.first[value]; !ok {
		w.first[value] = time.Now()
	}
	if answer.Lease == nil {
		return nil
	}
	delay := time.Duration(0)
	if r := w.rng(stream{what: "register"}); w.faulty.Load() && r.IntN(2) == 0 {
		delay = time.Duration(r.IntN(int(80 * time.Second)))
	}
	issued, now := w.now().Add(delay), time.Now()
	l := &simLease{
		ref: LeaseRef{ID: answer.LeaseID(), Version: answer.Version.Number, Nonce: answer.Lease.Nonce}, password: value,
		exclusive: answer.Settings.Checkout == Exclusive, issued: issued, expires: now.Add(delay + answer.Lease.TTL),
		granted: [2]time.Time{n.core.Now(), now}, registered: now.Add(delay),
	}
	l.lost = n.dead() || n.deposed() || w.rng(stream{what: "lease lost"}).Float64() < w.odds().lost/2
	w.checkExclusive(l)
	w.leases = append(w.leases, l)
	return l
}

// loseUnregistered: a crash of the whole node loses leases that Vault had not registered yet.
func (w *world) loseUnregistered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.leases {
		if l.registered.After(time.Now()) {
			l.lost = true
		}
	}
}

// endLeases is Vault's expiration manager: leases whose time has come are revoked until that works.
func (w *world) endLeases(ctx context.Context) {
	w.mu.Lock()
	var due []*simLease
	live := w.leases[:0]
	for _, l := range w.leases {
		if !l.revoked && (l.ended || !time.Now().Before(l.expires)) {
			l.ended = true
			if !l.lost {
				due = append(due, l)
			}
		}
		if !l.revoked && !(l.lost && l.ended) {
			live = append(live, l)
		}
	}
	clear(w.leases[len(live):])
	w.leases = live
	w.mu.Unlock()
	for _, l := range due {
		w.revoke(ctx, l)
	}
}

// revoke ends a lease. The core must take it whatever the cloud does.
func (w *world) revoke(ctx context.Context, l *simLease) {
	w.mu.Lock()
	l.ended = true
	w.mu.Unlock()
	before := w.record(l.ref.ID)
	if err := w.node.core.Revoke(ctx, l.ref); err != nil {
		w.tracef("revoke of %s on %s: %v", l.password, l.ref.ID.InstanceID, err)
		return
	}
	w.tracef("revoked %s on %s", l.password, l.ref.ID.InstanceID)
	if before != nil && before.Due == nil && rotatesOn(before, l.ref) {
		w.expect(l.ref.ID)
	}
	w.revoked(l, w.record(l.ref.ID))
}

// revoked notes that the core has ended a lease. after is the record then.
func (w *world) revoked(l *simLease, after *Account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.revoked = true
	anyLease := after != nil && after.Settings.RotateOnRevoke == AnyLease
	for _, o := range w.leases {
		if o.password == l.password && !o.revoked && !o.lost && !anyLease {
			return
		}
	}
	if after != nil && after.Current() != nil && after.Current().Password == l.password && after.Due != nil &&
		after.Due.Reason.ForbidsReading() {
		w.burned[l.password] = true
	}
}

// rotatesOn reports whether the end of a lease asks for a reset: that of the only one of the current version, or, if the role
// says so, of any of it.
func rotatesOn(a *Account, ref LeaseRef) bool {
	if l, ok := a.Leases[ref.Nonce]; !ok || a.Current() == nil || l.Version != a.Current().Number {
		return false
	}
	if a.Settings.RotateOnRevoke == AnyLease {
		return true
	}
	for nonce, l := range a.Leases {
		if nonce != ref.Nonce && l.Version == a.Current().Number {
			return false
		}
	}
	return true
}

// renew is Vault's renewal: the client's increment beats the plugin's TTL, and only the maximum TTL
// counted from the issue time caps it.
func (w *world) renew(ctx context.Context, l *simLease, increment time.Duration) {
	ttl, maxTTL, err := w.node.core.Renew(ctx, l.ref, l.issued, increment)
	if err != nil {
		w.tracef("renew %s: %v", l.password, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if increment > 0 {
		ttl = increment
	}
	l.expires = time.Now().Add(min(ttl, l.issued.Add(maxTTL).Sub(w.now())))
	w.lockedTracef("renewed %s to %v", l.password, l.expires)
}

// someLease picks a live lease, or nil.
func (w *world) someLease(draw *rand.Rand) *simLease {
	w.mu.Lock()
	defer w.mu.Unlock()
	var live []*simLease
	for _, l := range w.leases {
		if !l.ended && !l.lost {
			live = append(live, l)
		}
	}
	if len(live) == 0 {
		return nil
	}
	return live[draw.IntN(len(live))]
}

// rotate is an operator's rotate-role.
func (w *world) rotate(ctx context.Context, id ID, wait time.Duration) error {
	before := w.record(id)
	w.mu.Lock()
	w.asked[id] = true
	w.mu.Unlock()
	w.tracef("an operator rotates %s", id.InstanceID)
	w.mu.Lock()
	w.words[id]++
	w.mu.Unlock()
	_, err := w.node.core.Rotate(w.client(ctx), id, wait)
	if err == nil && before != nil && before.Due == nil {
		w.expect(id)
	}
	return err
}

// byHand changes the server's password as its administrator would, inside the server.
func (w *world) byHand(id ID, password string) {
	w.cloud.locked(func() {
		s := w.cloud.of(id)
		s.password, s.byHand, s.order, s.hand = password, true, 0, true
	})
	w.tracef("the operator sets %s on %s", password, id.InstanceID)
}

// told ends what byHand began: the operator has told Vault the truth. before is the record as it was.
func (w *world) told(id ID, before *Account) {
	w.cloud.locked(func() {
		if s := w.cloud.of(id); w.disk.holds(accountKey(id), s.password) {
			s.byHand = false
		}
	})
	if before != nil && before.Due == nil {
		w.expect(id)
	}
}

// delete forgets an account, on the operator's word: its passwords are not promised any more.
func (w *world) delete(ctx context.Context, id ID, force bool) error {
	s := w.cloud.of(id)
	var byHand bool
	w.cloud.locked(func() { byHand, s.byHand = s.byHand, true })
	err := w.node.core.Delete(ctx, id, force)
	w.tracef("delete of %s: %v", id.InstanceID, err)
	if w.record(id) != nil {
		w.cloud.locked(func() { s.byHand = byHand })
	} else {
		w.cloud.locked(func() { s.untidy = true })
	}
	return err
}

// server returns what a server has now, and whether nothing is promised about it.
func (w *world) server(id ID) (password string, byHand, gone bool) {
	w.cloud.locked(func() {
		s := w.cloud.of(id)
		password, byHand, gone = s.password, s.byHand, s.gone
	})
	return
}
