package rotation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/salt"
)

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
	jump     float64 // the wall clock is set after a look, or after the attempt is recorded, where requests expire soon
}

// world is one simulated history: a disk, a cloud, the nodes that came and went, and what Vault, its
// clients and operators know. The invariants are checked at every change.
//
// A history depends on its seed alone. Every random number comes from a stream that belongs to one
// actor and one kind of event, and no two goroutines act at the same instant: whoever has been woken
// waits for its own random fraction of a millisecond first (see simNode.turn).
type world struct {
	places *simPlaces // nil: the connection leads to the cloud
	t      *testing.T
	seed   uint64
	disk   *simDisk
	cloud  *simCloud
	specs  []Binding

	trouble atomic.Pointer[odds]
	faulty  atomic.Bool // anything went wrong in this history

	mu       sync.Mutex
	streams  map[stream]*rand.Rand
	lines    []line
	broken   []string // violations
	points   int
	crashAt  map[int]bool // which half points crash the node: 2i before point i, 2i+1 after it
	node     *simNode
	nodes    int
	clients  int
	skew     atomic.Int64  // of the wall clock, a time.Duration
	setBack  time.Duration // by how much it was set back in all
	braked   time.Duration // the longest pause of a brake at the end
	leases   []*simLease
	handed   map[string]time.Time // password -> when it was last handed out
	first    map[string]time.Time // password -> when it was first handed out
	asked    map[ID]bool          // accounts whose rotation an operator has asked for
	freed    simFreed             // values whose leases an operator's rotation has ended
	burned   map[string]bool      // passwords whose last lease has ended
	expected map[ID]int           // resets that something asked for
	ticks    map[ID]int           // scheduled rotations that the record went through
	words    map[ID]int           // an operator's
	fenced   map[ID]time.Time     // when a barrier was last seen before an account
	unbound  map[ID]bool          // accounts that their role was taken from
	readers  simReaders
	numbers  map[simUser]int // the highest number of a version
	began    time.Time
	quiet    time.Time // since when nothing goes wrong
	joins    simJoins
	shared   bool          // a server has two users
	timeout  time.Duration // of a request; 0: simTimeout
}

// simConnection is the connection of nearly all accounts.
const simConnection = "conn"

func newWorld(t *testing.T, seed uint64, method simMethod, o odds) *world {
	w := &world{t: t, seed: seed, disk: newSimDisk(), streams: map[stream]*rand.Rand{},
		handed: map[string]time.Time{}, first: map[string]time.Time{}, asked: map[ID]bool{}, freed: newSimFreed(), burned: map[string]bool{},
		expected: map[ID]int{}, ticks: map[ID]int{},
		fenced: map[ID]time.Time{}, unbound: map[ID]bool{}, readers: newSimReaders(), words: map[ID]int{}, numbers: map[simUser]int{},
		began: time.Now(), quiet: time.Now()}
	w.disk.set(salt.DefaultLocation, []byte("salt")) // else it is a random one, and with it the names of what is stored
	w.cloud = &simCloud{w: w, method: method, servers: map[string]*simServer{}, resets: map[string][]string{}}
	w.trouble.Store(&o)
	w.faulty.Store(o != odds{})
	return w
}

// odds are the present ones.
func (w *world) odds() odds { return *w.trouble.Load() }

// pass lets virtual time go by. In a synctest bubble the clock jumps: nothing waits, and nothing races with it.
func pass(d time.Duration) { time.Sleep(d) }

// stream names a source of random numbers: what is drawn for whom, on which node (0: none).
type stream struct {
	what, who string
	node      int
}

// rng returns the random stream of a name. The caller holds w.mu.
func (w *world) rng(s stream) *rand.Rand {
	r := w.streams[s]
	if r == nil {
		hash := uint64(14695981039346656037) // FNV-1a
		add := func(b byte) { hash = (hash ^ uint64(b)) * 1099511628211 }
		for i := range len(s.what) {
			add(s.what[i])
		}
		add(0)
		for i := range len(s.who) {
			add(s.who[i])
		}
		add(byte(s.node))
		r = rand.New(rand.NewPCG(w.seed, hash))
		w.streams[s] = r
	}
	return r
}

// number draws from [0, n).
func (w *world) number(what, who string, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng(stream{what: what, who: who}).IntN(n)
}

// duration draws from [0, limit), to the nanosecond, so that two events hardly ever share an instant.
func (w *world) duration(what, who string, limit time.Duration) time.Duration {
	return time.Duration(w.number(what, who, int(limit)))
}

// fault reports whether something goes wrong, with probability p.
func (w *world) fault(what, who string, p float64) bool {
	if p <= 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng(stream{what: what, who: who}).Float64() < p
}

// now is the wall clock of the active node, which Vault and the plugin share.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

// line is one event of the trace. It becomes text only if somebody wants to read it, which nobody does
// in a history that goes well; so args must not change afterwards.
type line struct {
	at     time.Time
	format string
	args   []any
}

func (w *world) tracef(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lockedTracef(format, args...)
}

func (w *world) lockedTracef(format string, args ...any) {
	w.lines = append(w.lines, line{time.Now(), format, args})
}

// violation notes that an invariant of the package's doc comment does not hold.
func (w *world) violation(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lockedViolation(invariant, format, args...)
}

func (w *world) lockedViolation(invariant, format string, args ...any) {
	w.lockedTracef("VIOLATION of "+invariant+": "+format, args...)
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
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", w.seed)
	for _, l := range w.lines {
		b.WriteString(l.at.Format("15:04:05.000000 "))
		fmt.Fprintf(&b, l.format, l.args...)
		b.WriteByte('\n')
	}
	return b.String()
}

func (w *world) fail(t *testing.T, what string) {
	t.Helper()
	t.Fatalf("%s: violated %v\n%s", what, w.violations(), w.trace())
}

type crashPhase int

const (
	noCrash crashPhase = iota
	crashBefore
	crashAfter
)

// point is a place where a node may die.
func (w *world) point(what, who string) crashPhase {
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
	if p := w.odds().crash; p > 0 {
		if r := w.rng(stream{what: "crash " + what, who: who}); r.Float64() < p {
			return crashBefore + crashPhase(r.IntN(2))
		}
	}
	return noCrash
}

// bind makes an account whose server the cloud has; ensureBound writes its role.
func (w *world) bind(s Settings) ID {
	return w.bindUser(ID{Connection: simConnection, InstanceID: fmt.Sprintf("i-%d", len(w.specs)+1), Username: "root"}, "role", s)
}

// bindUser is bind for a user of a name, perhaps a second one of its server.
func (w *world) bindUser(id ID, role string, s Settings) ID {
	w.cloud.add(id)
	if s.CanReset && s.ResetMethod == "" {
		s.ResetMethod = string(w.cloud.method)
	}
	w.specs = append(w.specs, Binding{ID: id, Provider: "sim", Role: role, Settings: s})
	return id
}
