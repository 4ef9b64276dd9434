package rotation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/helper/salt"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Options are what a Core needs of its surroundings.
type Options struct {
	// Storage is the mount's storage view. A deposed node's writes must fail.
	Storage logical.Storage
	Logger  hclog.Logger
	// Connect makes the provider of a connection, whose calls wait for the limiter; nil: there are none.
	Connect func(ctx context.Context, connection string, gate cloud.Limiter) (*Connection, error)
	// Generate makes a password by a policy ("": the built-in generator) that keeps to the rules.
	Generate func(ctx context.Context, policy string, rules password.Rules, username string) (string, error)
	// Decrypt decrypts the ciphertext of an initial password with the key that the settings name, or
	// else the instance's key-pair name does.
	Decrypt func(ctx context.Context, c Ciphertext) (string, error)
	// Now is the wall clock, which Vault's lease times follow; nil: time.Now. The core acts upon it only
	// where the monotonic clock does not speak against it; see clock.go. Settle windows do not use it: they
	// are counted monotonically.
	Now func() time.Time
	// Random feeds the jitter of retries, in [0,1); nil: math/rand.
	Random func() float64
	// NewID makes nonces and attempt ids; nil: 128 random bits.
	NewID func() (string, error)

	// turn is called where a goroutine has just been woken, or starts, and holds no lock. A simulation
	// decides there who of several goes first, which makes its histories repeatable. Only tests set it.
	turn func(ctx context.Context, id ID)
}

// Ciphertext is an initial password as the cloud has it, and what is needed to choose the key.
type Ciphertext struct {
	ID    ID
	Key   string // the role's key; may be empty
	Facts Facts
	Value string
	// Fingerprint asks the cloud for the fingerprint of the instance's key pair, for error messages.
	Fingerprint func(context.Context) (string, error)
}

// Connection is a connection as the core sees it.
type Connection struct {
	Provider          cloud.Provider
	ProviderName      string
	RequestsPerSecond float64
	RequestTimeout    time.Duration
	PasswordPolicy    string
	// Place is where the requests of Provider go, and as whom. Both come from one snapshot of the connection.
	Place Place
	// Trusted is an operator's word that this place is the cloud of the connection's existing accounts.
	Trusted bool
	// Doubted is set while it is not known whether the credentials are those of the same cloud account as before.
	Doubted bool
	// ForgetGoneAfter is after what time accounts are forgotten whose servers are gone; 0: never.
	ForgetGoneAfter time.Duration
}

// Core owns the accounts of one mount: their records, leases and rotations. It is the only code that
// changes an account or asks a cloud to set a password. All methods are safe for concurrent use.
type Core struct {
	opts  Options // its Now is the clock's
	clock *clock

	mu       sync.Mutex
	entries  map[ID]*entry
	conns    map[string]*connectionState
	queues   map[string]*queue
	bindings []*locksutil.LockEntry // rule 15: one lock for whatever binds one instance and user
	initials []*locksutil.LockEntry // rule 23: see initial.go
	turns    turns
	running  bool
	loading  bool
	loadedAt time.Time

	saltLock sync.Mutex
	salt     *salt.Salt // nil: it has not been read yet

	// ctx ends with Stop; background work runs under it.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New makes a Core that does nothing by itself until Start.
func New(o Options) *Core {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.NewID == nil {
		o.NewID = randomID
	}
	if o.Connect == nil {
		o.Connect = func(context.Context, string, cloud.Limiter) (*Connection, error) {
			return nil, protocol.Errorf(Unavailable, "there are no connections")
		}
	}
	if o.turn == nil {
		o.turn = func(context.Context, ID) {}
	}
	clock := newClock(o.Now, time.Now)
	o.Now = clock.now
	ctx, cancel := context.WithCancel(context.Background())
	return &Core{opts: o, clock: clock, entries: map[ID]*entry{}, conns: map[string]*connectionState{}, queues: map[string]*queue{},
		bindings: locksutil.CreateLocks(), initials: locksutil.CreateLocks(), ctx: ctx, cancel: cancel}
}

func randomID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// Start begins background work: it rebuilds the schedule from storage and rotates what is due. Reads
// work at once. It is called where storage may be written, and once.
func (c *Core) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running || c.ctx.Err() != nil {
		return
	}
	c.running, c.loading = true, true
	for _, q := range c.queues {
		c.startQueue(q)
	}
	c.clock.started()
	c.wg.Add(2)
	go c.loadAll()
	go c.watchClock()
}

// Stop ends background work and waits for it. Steps under way are cut short: whatever they had
// recorded is taken up by the next Start, here or on another node.
func (c *Core) Stop() {
	c.mu.Lock()
	c.running = false
	c.cancel()
	c.mu.Unlock()
	c.wg.Wait()
}

// entry is an account in memory: its cached record, and what a process knows beyond it.
type entry struct {
	id ID

	// mu guards the rest and every read-change-write of the record. It is held over storage, never
	// over a cloud call.
	mu     sync.Mutex
	loaded bool
	rec    *Account // nil: no such account
	// dropped is set for good when the account was forgotten: another entry may stand for its id then.
	dropped bool
	// changed is closed and replaced when the record changes.
	changed chan struct{}
	// seen is when this process first saw an attempt that is open (rule 10), monotonically.
	seen map[string]time.Time
	// shown is when this process first saw an attempt accepted, for the visibility grace.
	shown map[string]time.Time
	// pollAt and held are the worker's; notes of failures that left no trace in the record.
	pollAt     time.Time
	delayed    protocol.Waiting
	delays     int
	panics     int // steps in a row that have panicked
	delayCause hint.Text
	// ownNext is the next scheduled rotation, if this process has stored it.
	ownNext time.Time
	// missedSince is when the first of the looks was, monotonically, that have missed the instance since one knew it.
	missedSince time.Time
	fetching    chan struct{} // closed when the initial password's reader is done
	// changes counts the changes of a group's members, and agreed is the count at which all of them
	// were seen to have its value.
	changes, agreed atomic.Uint64
	// known is a group's record, for the plans of its members, which must not wait for it. seenChanges is the
	// count of changes at the last look at the members, lastLook when that was, and together whether some of
	// them are to be sent its value in a joint request.
	known       atomic.Pointer[Account]
	snapshot    atomic.Pointer[Account] // the last record that was cached, for who must not wait for mu
	seenChanges uint64
	lastLook    time.Time
	together    bool

	// line is where clients wait whose changes may share a write; leased tells them before they hold mu
	// that reading this account needs one.
	line   eventQueue
	leased atomic.Bool
	// sending is set during the worker's step that has taken its server's turn (see turns).
	sending atomic.Bool
	server  server // zero: the record has not been read yet

	// located is the snapshot of the connection whose place the record has noted.
	located atomic.Pointer[Connection]

	// slot is the scheduler's part, guarded by its queue.
	slot slot
}

func (c *Core) entry(id ID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[id]
	if e == nil {
		e = &entry{id: id}
		if id.IsGroup() {
			e.changes.Store(1) // not looked at yet
		}
		c.entries[id] = e
	}
	return e
}

// inMemory returns an account that is in memory, or nil.
func (c *Core) inMemory(id ID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[id]
}

// load makes the record present. The caller holds e.mu.
func (c *Core) load(ctx context.Context, e *entry) error {
	if e.dropped {
		e.rec, e.loaded = nil, true
	}
	if e.loaded {
		return nil
	}
	a, err := loadAccount(ctx, c.opts.Storage, e.id)
	if err != nil {
		return err
	}
	c.setRecord(e, a)
	e.located.Store(nil) // another node may have noted another place
	c.noteAttempts(e)
	c.noteBrake(e, nil)
	c.keepTurn(e)
	return nil
}

// update applies an event to the current record and writes the result, in one write, which may hold
// other clients' changes too (see coalesce.go). It returns the record as it is then; with ErrNoChange or ErrStale too. A
// failed write may have landed, so the record is read again before anybody uses it. The caller does not hold e.mu.
func (c *Core) update(ctx context.Context, e *entry, ev protocol.Event) (*Account, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.updateLocked(ctx, e, ev)
}

func (c *Core) updateLocked(ctx context.Context, e *entry, ev protocol.Event) (*Account, error) {
	if err := c.load(ctx, e); err != nil {
		return nil, err
	}
	if e.rec == nil {
		return nil, protocol.Errorf(NotFound, "there is no account %s", e.id)
	}
	next, err := protocol.Transition(e.rec, ev)
	if err != nil {
		return e.rec, err
	}
	next, joined := c.coalesce(e, next)
	err = c.put(ctx, e, next)
	finish(joined, err)
	if err != nil {
		return nil, err
	}
	c.schedule(e)
	return next, nil
}

// put writes a record and makes it the cached one. The caller holds e.mu.
func (c *Core) put(ctx context.Context, e *entry, next *Account) error {
	if e.dropped {
		return protocol.Errorf(Unavailable, "account %s was forgotten meanwhile, since its server is gone; try again", e.id)
	}
	before := e.rec
	known := false
	defer func() {
		if !known { // a panic: the write may have landed
			e.rec, e.loaded = nil, false
		}
	}()
	if err := saveAccount(ctx, c.opts.Storage, next); err != nil {
		e.rec, e.loaded = nil, false
		c.scheduleAt(e, protocol.StepNone, c.opts.Now().Add(protocol.MinBackoff)) // look again, whatever became of the write
		return err
	}
	if e.rec == nil || !e.rec.NextRotation.Equal(next.NextRotation) {
		e.ownNext = next.NextRotation
	}
	c.setRecord(e, next)
	known = true
	c.noteAttempts(e)
	c.noteBrake(e, before)
	c.keepTurn(e)
	e.notify()
	c.pokeGroup(next)
	return nil
}

// setRecord makes a record the cached one. The caller holds e.mu.
func (c *Core) setRecord(e *entry, a *Account) {
	if e.id.IsGroup() {
		if before := e.known.Swap(a); a != nil {
			c.pokeMembers(e, before, a)
		}
	}
	e.rec, e.loaded = a, true
	e.snapshot.Store(a)
	e.leased.Store(a != nil && a.Settings.Mode == Leased)
}

// nextChange returns a channel that is closed at the record's next change. The caller holds e.mu.
func (e *entry) nextChange() <-chan struct{} {
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// disagree reports whether the members of a group may not all have its value.
func (e *entry) disagree() bool { return e.changes.Load() != e.agreed.Load() }

// notify wakes who waits for a change of the record. The caller holds e.mu.
func (e *entry) notify() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// noteAttempts keeps the times at which open attempts were first seen.
func (c *Core) noteAttempts(e *entry) {
	if e.rec == nil || e.rec.Pending == nil && len(e.rec.OldUnresolved) == 0 {
		e.seen, e.shown = nil, nil
		return
	}
	now := time.Now()
	seen, shown := map[string]time.Time{}, map[string]time.Time{}
	note := func(t protocol.Attempt) {
		seen[t.ID] = now
		if first, ok := e.seen[t.ID]; ok {
			seen[t.ID] = first
		}
		if t.RequestID == "" {
			return
		}
		shown[t.ID] = now
		if first, ok := e.shown[t.ID]; ok {
			shown[t.ID] = first
		}
	}
	for _, t := range e.rec.OldUnresolved {
		note(t)
	}
	if p := e.rec.Pending; p != nil {
		for _, t := range p.Attempts {
			note(t)
		}
	}
	e.seen, e.shown = seen, shown
}

// Invalidate drops what is cached under a storage key that another node has changed.
func (c *Core) Invalidate(key string) {
	if key == salt.DefaultLocation {
		c.saltLock.Lock()
		defer c.saltLock.Unlock()
		c.salt = nil
		return
	}
	id, ok := idOfKey(key)
	if !ok {
		return
	}
	e := c.entry(id)
	e.mu.Lock()
	e.rec, e.loaded = nil, false
	e.mu.Unlock()
	c.scheduleAt(e, protocol.StepNone, c.opts.Now())
}

// idOfKey is the inverse of accountKey.
func idOfKey(key string) (ID, bool) {
	if rest, ok := strings.CutPrefix(key, GroupPrefix); ok {
		connection, role, ok := strings.Cut(rest, "/")
		return GroupID(connection, role), ok
	}
	rest, ok := strings.CutPrefix(key, AccountPrefix)
	if !ok {
		return ID{}, false
	}
	id, err := ParseID(rest)
	return id, err == nil
}
