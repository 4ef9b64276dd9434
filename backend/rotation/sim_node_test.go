package rotation

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

const simRate = 10 // requests a second and action

// simNode is one run of the plugin.
type simNode struct {
	w         *world
	id        int
	core      *Core
	isDead    atomic.Bool
	isDeposed atomic.Bool
	ids       atomic.Int64
	mu        sync.Mutex
	last      map[string]time.Time // per action, the last request
}

func (n *simNode) dead() bool    { return n.isDead.Load() }
func (n *simNode) deposed() bool { return n.isDeposed.Load() }

// die is a crash: the node writes and sends nothing any more.
func (n *simNode) die(phase, what, who string) {
	if !n.isDead.Swap(true) {
		n.w.tracef("node %d dies %s %s %s", n.id, phase, what, who)
	}
}

// paced checks that one process keeps its connection's limit.
func (n *simNode) paced(action string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if last, ok := n.last[action]; ok && now.Sub(last) < time.Second/simRate-time.Microsecond {
		n.w.violation("I7", "two %s requests within %s", action, now.Sub(last))
	}
	n.last[action] = now
}

// clientKey is the context key of a client's name.
type clientKey struct{}

// client makes the context of one more client, whose goroutine takes turns under its own name.
func (w *world) client(ctx context.Context) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients++
	return context.WithValue(ctx, clientKey{}, fmt.Sprintf("client %d", w.clients))
}

const longestTurn = time.Millisecond

// turn keeps goroutines that were woken at the same instant from racing each other.
func (n *simNode) turn(ctx context.Context, id ID) {
	s := stream{what: "turn", who: id.InstanceID, node: n.id}
	if id.InstanceID != "" && id.Connection != simConnection {
		s.who = id.String()
	}
	if name, ok := ctx.Value(clientKey{}).(string); ok {
		s.who = name
	} else if id.InstanceID == "" {
		s.who = "dispatcher of " + id.Connection
	}
	n.w.mu.Lock()
	d := time.Duration(n.w.rng(s).IntN(int(longestTurn)))
	n.w.mu.Unlock()
	pass(d)
}

// newID makes ids that are unique over all nodes and easy to read in a trace.
func (n *simNode) newID() (string, error) {
	return fmt.Sprintf("n%d-%d", n.id, n.ids.Add(1)), nil
}

// start makes a new active node on the surviving disk.
func (w *world) start() {
	w.mu.Lock()
	w.nodes++
	n := &simNode{w: w, id: w.nodes, last: map[string]time.Time{}}
	w.node = n
	w.mu.Unlock()
	n.core = New(Options{
		Storage: simStorage{n},
		Logger:  hclog.NewNullLogger(),
		Now:     w.now,
		Random:  func() float64 { return 0.5 },
		NewID:   n.newID,
		Connect: func(_ context.Context, name string, gate cloud.Limiter) (*Connection, error) {
			provider := &simProvider{n: n, gate: gate, connection: name}
			live := &Connection{Provider: provider, Login: provider.login(), ProviderName: "sim", RequestsPerSecond: simRate,
				RequestTimeout: cmp.Or(w.timeout, simTimeout)}
			if w.places != nil {
				return w.places.connect(live), nil
			}
			return live, nil
		},
		Generate: func(context.Context, string, password.Rules, string) (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return fmt.Sprintf("pw%d", w.rng(stream{what: "password"}).Uint64()), nil
		},
		Decrypt: simDecrypt,
		turn:    n.turn,
	})
	w.tracef("node %d starts", n.id)
	n.core.Start()
	w.t.Cleanup(func() { n.core.Stop() }) // a test that fails must not leave it running
}

// recoverNode replaces a node that died.
func (w *world) recoverNode() {
	if n := w.node; n.dead() {
		stopped := time.Now().Add(4 * longestTurn)
		n.core.Stop()
		pass(time.Until(stopped)) // which goroutines had to take a turn until they stopped is a matter of chance
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
		pass(w.duration("zombie", "", 20*time.Second))
		old.core.Stop()
	}()
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
