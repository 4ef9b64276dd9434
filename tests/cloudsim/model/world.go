package model

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Cloud names a simulated cloud with the plugin's provider names.
type Cloud string

// The simulated clouds.
const (
	AWS              Cloud = "aws"
	TencentCloud     Cloud = "tencentcloud"
	HuaweiCloud      Cloud = "huaweicloud"
	OpenTelekomCloud Cloud = "opentelekomcloud"
	OpenStack        Cloud = "openstack"
	AlibabaCloud     Cloud = "alibabacloud"
	Azure            Cloud = "azure"
)

// Clouds lists all simulated clouds.
func Clouds() []Cloud {
	return []Cloud{AWS, TencentCloud, HuaweiCloud, OpenTelekomCloud, OpenStack, AlibabaCloud, Azure}
}

// DefaultOperationTime is how long an asynchronous operation of a server
// takes unless Options say otherwise. Real ones take tens of seconds.
const DefaultOperationTime = 200 * time.Millisecond

// Options configure a World. The zero value is usable.
type Options struct {
	// Seed feeds the source of identifiers.
	Seed uint64
	// Now is the wall clock; default time.Now.
	Now func() time.Time
	// OperationTime is the length of an asynchronous operation; default
	// DefaultOperationTime.
	OperationTime time.Duration
	// RateLimits overrides DefaultRateLimits. Requests a second for a
	// "cloud:service:action"; a missing or zero entry means no limit.
	RateLimits map[string]int
	// LogLimit bounds the number of kept log entries; default 100,000.
	LogLimit int
}

// World is the state of all simulated clouds.
type World struct {
	opts Options
	done chan struct{}

	// late counts work started by Later; Close waits for it.
	late sync.WaitGroup

	mu       sync.Mutex
	ids      *rand.Rand
	offset   time.Duration
	closed   bool
	events   eventQueue
	eventSeq int

	accounts map[accountID]*Account
	projects map[projectID]*Project
	users    map[userID]*User
	keys     map[accessKeyID]*AccessKey
	roles    map[roleID]*Role
	agencies map[agencyID]*Agency
	appCreds map[string]*AppCredential
	// federation is who trusts whom on Azure.
	federation federation

	pairs   map[keyPairID]*KeyPair
	servers map[string]*server
	// invocations are the history of commands, oldest first; byCommand finds
	// one; waiting are those whose agent did not answer, and unseen those
	// that an agent which does not answer will run without a word.
	invocations []*invocation
	byCommand   map[invocationID]*invocation
	waiting     []*invocation
	unseen      []*invocation
	order       []string // server ids in order of creation

	faults   []*fault
	faultSeq int
	holds    map[int]*hold
	holdSeq  int

	log      []Entry
	logSeq   int
	rates    map[string]*rate
	attempts map[string][]*Attempt
	counters counters
}

// NewWorld makes an empty world.
func NewWorld(o Options) *World {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OperationTime <= 0 {
		o.OperationTime = DefaultOperationTime
	}
	if o.RateLimits == nil {
		o.RateLimits = DefaultRateLimits()
	}
	if o.LogLimit <= 0 {
		o.LogLimit = 100_000
	}
	return &World{
		opts:     o,
		done:     make(chan struct{}),
		ids:      rand.New(rand.NewPCG(o.Seed, 0x636c6f7564707773)),
		accounts: map[accountID]*Account{},
		projects: map[projectID]*Project{},
		users:    map[userID]*User{},
		keys:     map[accessKeyID]*AccessKey{},
		roles:    map[roleID]*Role{},
		agencies: map[agencyID]*Agency{},
		appCreds: map[string]*AppCredential{},
		pairs:    map[keyPairID]*KeyPair{},
		servers:  map[string]*server{},

		byCommand: map[invocationID]*invocation{},
		holds:     map[int]*hold{},
		rates:     map[string]*rate{},
		attempts:  map[string][]*Attempt{},
	}
}

// Close ends all waits (delays, held answers) and waits for late requests.
func (w *World) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
	w.mu.Unlock()
	w.late.Wait()
}

// Done is closed by Close.
func (w *World) Done() <-chan struct{} { return w.done }

// Now is the wall clock, against which signatures and tokens are judged.
func (w *World) Now() time.Time { return w.opts.Now() }

// OperationTime is how long an asynchronous operation takes.
func (w *World) OperationTime() time.Duration { return w.opts.OperationTime }

// OperationNow is the clock of operations: the wall clock plus everything
// that Advance added.
func (w *World) OperationNow() time.Time {
	defer w.enter()()
	return w.now()
}

// Advance moves the operation clock forward, so that running operations end
// and initial passwords appear without a wait.
func (w *World) Advance(d time.Duration) {
	defer w.enter()()
	if d > 0 {
		w.offset += d
	}
	w.settle()
}

// Later runs f after d on the wall clock unless the world is closed first.
// It stands for a request that was delayed on its way to the cloud.
func (w *World) Later(d time.Duration, f func()) {
	w.late.Go(func() {
		if w.pause(d) {
			f()
		}
	})
}

// pause waits on the wall clock; false means that the world was closed.
func (w *World) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.done:
		return false
	}
}

// enter locks the world, settles what is due, and returns the unlock.
func (w *World) enter() func() {
	w.mu.Lock()
	w.settle()
	return w.mu.Unlock
}

// now is OperationNow under the lock.
func (w *World) now() time.Time { return w.opts.Now().Add(w.offset) }
