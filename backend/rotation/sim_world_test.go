package rotation

import (
	"context"

	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const simRate = 10 // requests a second and action

// odds are the probabilities of faults, each per opportunity. All zero: nothing goes wrong.
type odds struct {
	storage  float64 // a storage operation fails, having landed or not
	crash    float64 // the node dies at a storage write or cloud call
	refuse   float64 // a call is throttled or cannot connect
	lost     float64 // the answer to a reset is lost
	late     float64 // a reset arrives late, or takes long
	lag      float64 // the record shows an operation only after a while
	failed   float64 // an operation is reported as failed
	password float64 // the cloud refuses the password
}

// world is one simulated history: a disk, a cloud, the nodes that came and went, and what Vault and
// its clients know. It is checked against the invariants at every change.
type world struct {
	t     *testing.T
	seed  uint64
	rules rules
	disk  *simDisk
	cloud *simCloud
	specs []Binding

	odds odds

	mu       sync.Mutex
	streams  map[string]*rand.Rand
	lines    []string
	broken   []string // violations
	points   int
	crashAt  map[int]bool // which half points crash the node: 2i before point i, 2i+1 after it
	node     *simNode
	nodes    int
	skew     time.Duration // of the wall clock
	leases   []*simLease
	handed   map[string]time.Time // password -> when it was last handed out
	burned   map[string]bool      // passwords whose last lease has ended
	expected map[ID]int           // resets that something asked for
	faulty   bool                 // anything went wrong in this history
	began    time.Time
	quiet    time.Time // since when nothing goes wrong
}

// simLease is a lease as Vault has it.
type simLease struct {
	ref       LeaseRef
	password  string
	exclusive bool
	issued    time.Time // when Vault registered it
	expires   time.Time
	maxTTL    time.Duration
	lost      bool // Vault forgot it: nobody revokes it
	ended     bool // Vault does not count it as live any more
	revoked   bool // the core has taken note
}

func newWorld(t *testing.T, seed uint64, r rules, serial bool, o odds) *world {
	w := &world{t: t, seed: seed, rules: r, odds: o, disk: &simDisk{m: map[string][]byte{}, parsed: map[string]*Account{}}, streams: map[string]*rand.Rand{},
		handed: map[string]time.Time{}, burned: map[string]bool{}, expected: map[ID]int{}, began: time.Now(), quiet: time.Now()}
	w.cloud = &simCloud{w: w, serial: serial, servers: map[string]*simServer{}, resets: map[string][]string{}}
	w.faulty = o != odds{}
	return w
}

// rng returns the random stream of a name. Streams make a history depend on the seed alone, not on
// which of two goroutines that run at the same instant draws first.
func (w *world) rng(stream string) *rand.Rand {
	r := w.streams[stream]
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(stream))
		r = rand.New(rand.NewPCG(w.seed, h.Sum64()))
		w.streams[stream] = r
	}
	return r
}

func (w *world) number(stream string, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng(stream).IntN(n)
}

func (w *world) fault(stream string, p float64) bool {
	if p <= 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng(stream).Float64() < p
}

func (w *world) tracef(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (w *world) violation(invariant, format string, args ...any) {
	w.tracef("VIOLATION of "+invariant+": "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, invariant)
}

func (w *world) violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.broken...)
}

// trace is the history for people.
func (w *world) trace() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("seed %d\n%s", w.seed, strings.Join(w.lines, "\n"))
}

type crashPhase int

const (
	noCrash crashPhase = iota
	crashBefore
	crashAfter
)

// point is a place where a node may die.
func (w *world) point(n *simNode, what string) crashPhase {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.points
	w.points++
	switch {
	case w.crashAt[2*i]:
		return crashBefore
	case w.crashAt[2*i+1]:
		return crashAfter
	}
	if w.odds.crash > 0 && w.rng("crash "+what).Float64() < w.odds.crash {
		return crashBefore + crashPhase(w.rng("crash "+what).IntN(2))
	}
	return noCrash
}

// simNode is one run of the plugin.
type simNode struct {
	w         *world
	id        int
	core      *Core
	isDead    atomic.Bool
	isDeposed atomic.Bool
	mu        sync.Mutex
	last      map[string]time.Time // per action, the last request
}

func (n *simNode) dead() bool    { return n.isDead.Load() }
func (n *simNode) deposed() bool { return n.isDeposed.Load() }

func (n *simNode) die(where string) {
	if !n.isDead.Swap(true) {
		n.w.tracef("node %d dies %s", n.id, where)
	}
}

// paced checks I7: one process keeps the limit.
func (n *simNode) paced(action string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if last, ok := n.last[action]; ok && now.Sub(last) < time.Second/simRate-time.Microsecond {
		n.w.violation("I7", "two %s requests within %s", action, now.Sub(last))
	}
	n.last[action] = now
}

// now is the wall clock of the active node, which Vault and the plugin share.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lockedNow()
}

func (w *world) lockedNow() time.Time { return time.Now().Add(w.skew) }

// start makes a new active node on the surviving disk.
func (w *world) start() {
	w.mu.Lock()
	w.nodes++
	n := &simNode{w: w, id: w.nodes, last: map[string]time.Time{}}
	w.node = n
	w.mu.Unlock()
	ids := 0
	var idMu sync.Mutex
	n.core = New(Options{
		Storage: simStorage{n},
		Logger:  hclog.NewNullLogger(),
		Now:     w.now,
		Random:  func() float64 { return 0.5 },
		NewID: func() (string, error) {
			idMu.Lock()
			defer idMu.Unlock()
			ids++
			return fmt.Sprintf("n%d-%d", n.id, ids), nil
		},
		Connect: func(_ context.Context, _ string, gate cloud.Gate) (*Connection, error) {
			return &Connection{Provider: &simProvider{n, gate}, ProviderName: "sim", RequestsPerSecond: simRate, RequestTimeout: simTimeout}, nil
		},
		Generate: func(_ context.Context, _ string, _ password.Rules, user string) (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return fmt.Sprintf("pw%d", w.rng("unused").Uint64()), nil
		},
		Decrypt: simDecrypt,
		rules:   w.rules,
	})
	w.tracef("node %d starts", n.id)
	n.core.Start()
}

// recoverNode replaces a node that died.
func (w *world) recoverNode() {
	if n := w.node; n.dead() {
		n.core.Stop()
		w.loseUnregistered()
		w.start()
	}
}

// depose moves leadership: the old node cannot write any more, but what it had in flight goes on.
func (w *world) depose() {
	old := w.node
	old.isDeposed.Store(true)
	w.tracef("node %d is deposed", old.id)
	w.start()
	go func() {
		time.Sleep(time.Duration(w.number("zombie", 20000)) * time.Millisecond)
		old.core.Stop()
	}()
}

// bind makes an account whose server the cloud has.
func (w *world) bind(s Settings) ID {
	id := ID{"conn", fmt.Sprintf("i-%d", len(w.specs)+1), "root"}
	initial := "initial-" + id.InstanceID
	w.cloud.servers[id.InstanceID] = &simServer{id: id.InstanceID, password: initial, initial: initial}
	w.specs = append(w.specs, Binding{ID: id, Provider: "sim", Role: "role", Settings: s})
	return id
}

// ensureBound writes the role until its accounts exist.
func (w *world) ensureBound(ctx context.Context) {
	for _, b := range w.specs {
		for range 50 {
			if w.record(b.ID) != nil {
				break
			}
			if _, err := w.node.core.Bind(ctx, b); err == nil {
				break
			}
			w.recoverNode()
		}
	}
}

// record reads an account from the disk.
func (w *world) record(id ID) *Account {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	key := accountKey(id)
	if a := w.disk.parsed[key]; a != nil {
		return a
	}
	raw := w.disk.m[key]
	if raw == nil {
		return nil
	}
	a, err := decodeAccount(raw)
	if err != nil {
		w.violation("I1", "record of %s: %v", id, err)
		return nil
	}
	w.disk.parsed[key] = a
	return a
}

// checkStored checks I1 for all servers. It runs at every change of the disk and of a server.
func (w *world) checkStored() {
	for _, b := range w.specs {
		a := w.record(b.ID)
		var has string
		var excused bool
		w.cloud.locked(func() {
			s := w.cloud.servers[b.InstanceID]
			has = s.password
			excused = s.gone || s.byHand || s.initial == s.password && (a == nil || len(a.Versions) == 0 && !a.InitialOverwritten || a.holds(has))
		})
		if excused || a != nil && a.holds(has) {
			continue
		}
		w.violation("I1", "server %s has %s, which is not in storage: %s", b.InstanceID, has, describe(a))
	}
}

// holds reports whether the record has the password, as a version, the pending or a candidate.
func (a *Account) holds(password string) bool {
	for _, v := range a.Versions {
		if v.Password == password {
			return true
		}
	}
	for _, c := range a.Candidates {
		if c.Password == password {
			return true
		}
	}
	return a.Pending != nil && a.Pending.Password == password
}

func describe(a *Account) string {
	if a == nil {
		return "no record"
	}
	var b strings.Builder
	for _, v := range a.Versions {
		fmt.Fprintf(&b, "v%d=%s ", v.Number, v.Password)
	}
	if p := a.Pending; p != nil {
		fmt.Fprintf(&b, "pending=%s attempts=%+v rejected=%v failures=%d ", p.Password, p.Attempts, p.Rejected, p.Failures)
	}
	for _, c := range a.Candidates {
		fmt.Fprintf(&b, "candidate=%s ", c.Password)
	}
	if len(a.OldUnresolved) > 0 {
		fmt.Fprintf(&b, "old_unresolved=%+v ", a.OldUnresolved)
	}
	if a.Due != nil {
		fmt.Fprintf(&b, "due=%s ", a.Due.Reason)
	}
	fmt.Fprintf(&b, "leases=%v next=%s", a.Leases, a.NextRotation.Format("15:04:05"))
	return b.String()
}

// server returns what a server has now, and whether the operator changed it by hand.
func (w *world) server(id ID) (password string, byHand, gone bool) {
	w.cloud.locked(func() {
		s := w.cloud.servers[id.InstanceID]
		password, byHand, gone = s.password, s.byHand, s.gone
	})
	return
}

// read is a client's read through Vault.
func (w *world) read(ctx context.Context, id ID, wait time.Duration) *simLease {
	n := w.node
	answer, err := n.core.Read(ctx, id, wait)
	if err != nil {
		w.tracef("read %s: %v", id.InstanceID, err)
		return nil
	}
	value := answer.Version.Password
	w.tracef("read %s: version %d %s", id.InstanceID, answer.Version.Number, value)
	has, byHand, gone := w.server(id)
	if has != value && !byHand && !gone {
		w.violation("I2", "a client got %s, but server %s has %s: %s", value, id.InstanceID, has, describe(w.record(id)))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handed[value] = time.Now()
	if w.burned[value] {
		w.mu.Unlock()
		w.violation("I6", "%s was handed out again after its last lease had ended", value)
		w.mu.Lock()
	}
	if answer.Lease == nil {
		return nil
	}
	// Vault registers the lease a while after the plugin's answer: its own work, a slow audit device.
	delay := time.Duration(0)
	if w.faulty {
		delay = time.Duration(w.rng("register").IntN(80)) * time.Second * time.Duration(w.rng("register").IntN(2))
	}
	issued := w.lockedNow().Add(delay)
	l := &simLease{
		ref: LeaseRef{ID: id, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}, password: value,
		exclusive: answer.Settings.Checkout == Exclusive, issued: issued,
		expires: issued.Add(answer.Lease.TTL), maxTTL: answer.Lease.MaxTTL,
	}
	if n.dead() || n.deposed() || w.odds.lost > 0 && w.rng("lease lost").Float64() < w.odds.lost/2 {
		l.lost = true
	}
	if l.exclusive {
		for _, o := range w.leases {
			if o.ref.ID == id && !o.ended && w.lockedNow().Before(o.expires) {
				w.mu.Unlock()
				w.violation("I3", "two live exclusive leases on %s: %s and %s", id.InstanceID, o.password, value)
				w.mu.Lock()
			}
		}
	}
	w.leases = append(w.leases, l)
	return l
}

// loseUnregistered: a crash of the whole node loses leases that Vault had not registered yet.
func (w *world) loseUnregistered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.leases {
		if l.issued.After(w.lockedNow()) {
			l.lost = true
		}
	}
}

// endLeases is Vault's expiration manager: leases whose time has come are revoked until that works.
func (w *world) endLeases(ctx context.Context) {
	w.mu.Lock()
	var due []*simLease
	for _, l := range w.leases {
		if !l.revoked && (l.ended || !w.lockedNow().Before(l.expires)) {
			l.ended = true
			if !l.lost {
				due = append(due, l)
			}
		}
	}
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
	w.mu.Lock()
	defer w.mu.Unlock()
	l.revoked = true
	if before != nil && before.current() != nil && before.current().Number == l.ref.Version && before.Due == nil && before.lastOf(l.ref) {
		w.expected[l.ref.ID]++
	}
	for _, o := range w.leases {
		if o.password == l.password && !o.revoked && !o.lost {
			return
		}
	}
	if a := w.forbidden(l.ref.ID); a == l.password {
		w.burned[l.password] = true
	}
}

// forbidden returns the current version's password if it must not be read.
func (w *world) forbidden(id ID) string {
	a := w.record(id)
	if a == nil || a.current() == nil || a.Due == nil || !a.Due.Reason.ForbidsReading() {
		return ""
	}
	return a.current().Password
}

// lastOf reports whether the nonce is the only one of the current version.
func (a *Account) lastOf(ref LeaseRef) bool {
	if _, ok := a.Leases[ref.Nonce]; !ok {
		return false
	}
	for nonce, l := range a.Leases {
		if nonce != ref.Nonce && l.Version == a.current().Number {
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
	limit := l.issued.Add(maxTTL)
	l.expires = w.lockedNow().Add(ttl)
	if l.expires.After(limit) {
		l.expires = limit
	}
	w.lines = append(w.lines, time.Now().Format("15:04:05.000 ")+"renewed "+l.password+" to "+l.expires.Format("15:04:05"))
}

// settleBound is the longest time that the protocol may need to become quiet once nothing fails any
// more: late requests, windows, backoffs, a few rotations.
const settleBound = 3 * time.Hour

// converge stops the faults, lets every lease end, and checks that everything comes to rest (I4, I8).
func (w *world) converge(ctx context.Context) {
	w.mu.Lock()
	w.odds = odds{}
	w.crashAt = nil
	w.quiet = time.Now()
	for _, l := range w.leases {
		if !l.lost && !l.ended {
			l.expires = w.lockedNow()
		}
	}
	w.mu.Unlock()
	w.cloud.locked(func() { w.cloud.refuse = false })
	w.tracef("nothing fails from now on")
	w.recoverNode()
	w.ensureBound(ctx)
	for end := time.Now().Add(settleBound); ; {
		w.endLeases(ctx)
		why := ""
		for _, b := range w.specs {
			if s := w.unsettled(b.ID); s != "" {
				why = s
			}
		}
		if why == "" {
			break
		}
		if time.Now().After(end) || len(w.violations()) > 0 {
			w.violation("I8", "%s", why)
			return
		}
		time.Sleep(37 * time.Second)
		w.recoverNode()
	}
	w.checkStored()
}

// unsettled says what keeps an account from the goal: its server has the current version, which, in
// leased mode, nobody knows.
func (w *world) unsettled(id ID) string {
	a := w.record(id)
	has, byHand, gone := w.server(id)
	switch {
	case gone || byHand:
		return ""
	case a == nil:
		return "no record of " + id.String()
	case a.Pending != nil || a.Due != nil || len(a.OldUnresolved) > 0 || len(a.Candidates) > 0:
		return id.String() + " is not at rest: " + describe(a)
	case a.current() == nil:
		return ""
	case a.current().Password != has:
		return fmt.Sprintf("%s: server has %s: %s", id, has, describe(a))
	case a.Settings.Mode != Leased:
		return ""
	case len(a.Leases) > 0:
		return id.String() + " still counts leases: " + describe(a)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.handed[has]; ok {
		return fmt.Sprintf("%s: a client has known the server's password %s since %s: %s", id, has, at.Format("15:04:05"), describe(a))
	}
	return ""
}

// checkDeadlines checks I4 while the world runs: no version outlives its deadline by more than 60 s
// once nothing has failed for a settle window.
func (w *world) checkDeadlines() {
	for _, b := range w.specs {
		a := w.record(b.ID)
		if a == nil || a.Settings.Mode != Leased || a.current() == nil || a.current().Until.IsZero() {
			continue
		}
		has, byHand, gone := w.server(b.ID)
		if byHand || gone || has != a.current().Password {
			continue
		}
		since := later(a.current().Until.Add(slack), w.quiet.Add(settleBound))
		if !w.faulty {
			since = a.current().Until.Add(slack)
		}
		if over := w.now().Sub(since); over > time.Minute+a.Settings.MinResetInterval {
			w.violation("I4", "%s outlives its deadline by %s: %s", has, over, describe(a))
		}
	}
}

// checkResets checks I5 in a history without faults: only what was asked for has been reset.
func (w *world) checkResets() {
	if w.faulty {
		return
	}
	for _, b := range w.specs {
		got := 0
		w.cloud.locked(func() { got = len(w.cloud.resets[b.InstanceID]) })
		want := w.expected[b.ID]
		if every := b.Settings.Period; every > 0 {
			want += int(time.Since(w.began) / every)
		}
		if got > want {
			w.violation("I5", "%d resets of %s, but only %d reasons for one", got, b.InstanceID, want)
		}
	}
}
