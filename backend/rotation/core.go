package rotation

import (
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// Core owns the accounts of one mount: their records, leases and rotations. It is the only code that
// changes an account or asks a cloud to set a password. All methods are safe for concurrent use.
//
// It stands on layers that each know only those below them: the executor does the steps of accounts, the planner says which step
// is next and when, the account store keeps the records, and the connections have the providers.
type Core struct {
	*executor

	running   bool // guarded by lifecycle
	lifecycle sync.Mutex
}

// New makes a Core that does nothing by itself until Start.
func New(o Options) *Core {
	base := newEnv(o)
	conns := &connections{env: base, conns: map[string]*connectionState{}}
	accounts := &accountStore{env: base, entries: map[ID]*entry{}}
	p := &planner{env: base, accountStore: accounts, connections: conns}
	accounts.planning = p
	x := &executor{planner: p, bindings: locksutil.CreateLocks(), initials: newInitialPasswords(base)}
	p.queues = workqueue.New[*entry](queueHost{x}, base.opts.Logger, protocol.MinBackoff)
	return &Core{executor: x}
}

// Start begins background work: it rebuilds the schedule from storage and rotates what is due. Reads
// work at once. It is called where storage may be written, and once.
func (c *Core) Start() {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	if c.running || c.ctx.Err() != nil {
		return
	}
	c.running = true
	c.setLoading(true)
	c.queues.Start(c.ctx)
	c.clock.started()
	c.background(c.loadAll)
	c.background(c.watchClock)
}

// Stop ends background work and waits for it. Steps under way are cut short: whatever they had
// recorded is taken up by the next Start, here or on another node.
func (c *Core) Stop() {
	c.lifecycle.Lock()
	c.running = false
	c.end()
	c.lifecycle.Unlock()
	c.queues.Wait()
	c.wg.Wait()
}

// isRunning reports whether background work is done.
func (c *Core) isRunning() bool {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	return c.running && c.ctx.Err() == nil
}

// Now is the time of day that the core acts upon.
func (c *Core) Now() time.Time { return c.opts.Now() }
