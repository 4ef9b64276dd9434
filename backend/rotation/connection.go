package rotation

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// connectionState is one connection's shared state: its provider, limiter and breaker, and the collector
// that makes one request out of many looks at operation records.
type connectionState struct {
	name    string
	limiter *limiter
	breaker breaker
	brake   connectionBrake

	// connecting is held while the provider is made, which may take as long as storage does; mu never is.
	connecting sync.Mutex

	mu      sync.Mutex
	live    *Connection // nil: to be connected
	configs int         // counts the changes of the configuration

	looks   []look
	looking bool
}

// connection returns the state of a connection, which exists once for a name.
func (c *Core) connection(name string) *connectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.conns[name]
	if n == nil {
		n = &connectionState{name: name, limiter: newLimiter(1)}
		c.conns[name] = n
	}
	return n
}

// connected is the connection's provider, nil where that is to be made. It waits for nothing.
func (n *connectionState) connected() *Connection {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live
}

// connect returns the connection's provider, making it if need be.
func (c *Core) connect(ctx context.Context, name string) (*connectionState, *Connection, error) {
	n := c.connection(name)
	if live := n.connected(); live != nil {
		return n, live, nil
	}
	n.connecting.Lock()
	defer n.connecting.Unlock()
	for {
		n.mu.Lock()
		live, configs := n.live, n.configs
		n.mu.Unlock()
		if live != nil {
			return n, live, nil
		}
		live, err := c.opts.Connect(ctx, name, n.limiter)
		if err != nil {
			return n, nil, err
		}
		if n.use(live, configs) {
			return n, live, nil
		}
	}
}

// use makes a provider the connection's, unless the configuration has changed since it was made.
func (n *connectionState) use(live *Connection, configs int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.configs != configs {
		return false
	}
	n.limiter.setRate(live.RequestsPerSecond)
	n.live = live
	return true
}

// ForgetConnection is to be called when a connection's configuration has changed or was deleted: the
// next use connects again. The limiter and the breaker's memory stay.
func (c *Core) ForgetConnection(name string) {
	n := c.connection(name)
	n.mu.Lock()
	n.live = nil
	n.configs++
	n.mu.Unlock()
	// Retry at once with the new credentials.
	n.breaker.report(c.opts.Now(), nil)
	// It is made again at once, which sends nothing: its accounts see then whether it leads to another place.
	_, _, err := c.connect(c.ctx, name)
	if err != nil {
		c.opts.Logger.Debug("the connection cannot be used now", "connection", name, "error", err)
	}
	for _, e := range c.entriesOf(name) {
		c.clearDelay(e)
		c.scheduleAt(e, protocol.StepNone, c.opts.Now())
	}
}

// requestsPerSecond is the connection's limit, or 1 before it is known.
func (n *connectionState) requestsPerSecond() float64 {
	if live := n.connected(); live != nil {
		return live.RequestsPerSecond
	}
	return 1
}

// look is one account's question for an operation record.
type look struct {
	ref      cloud.ResetRef
	resetter cloud.PasswordResetter
	timeout  time.Duration
	answer   chan<- lookAnswer
}

type lookAnswer struct {
	record cloud.ResetRecord
	found  bool
	err    error
}

// record asks for the operation record of one instance. Questions that come while a request is under
// way or waits for the limiter go out together, in the cloud's batches; where the cloud takes one at a time
// they go out side by side.
func (c *Core) record(ctx context.Context, to session, ref cloud.ResetRef) (cloud.ResetRecord, bool, error) {
	n, r, timeout := to.state, to.reset, to.RequestTimeout
	if pollBatch(r) == 1 {
		call, cancel := context.WithTimeout(ctx, timeout+limiterTimeout)
		defer cancel()
		records, err := guard.Get(c.opts.Logger, "asking connection "+n.name+" for an operation record",
			func() (map[string]cloud.ResetRecord, error) {
				return r.ResetRecords(call, []cloud.ResetRef{ref})
			})
		n.breaker.reportCall(ctx, c.opts.Now(), err)
		c.opts.turn(ctx, ID{Connection: n.name, InstanceID: ref.InstanceID, Username: ""})
		rec, ok := records[ref.InstanceID]
		return rec, ok, err
	}
	answer := make(chan lookAnswer, 1)
	n.mu.Lock()
	n.looks = append(n.looks, look{ref, r, timeout, answer})
	if !n.looking {
		n.looking = true
		c.wg.Add(1)
		go c.collect(n) //nolint:contextcheck // it serves many callers, so it ends with the core and not with one of them
	}
	n.mu.Unlock()
	select {
	case a := <-answer:
		c.opts.turn(ctx, ID{Connection: n.name, InstanceID: ref.InstanceID, Username: ""})
		return a.record, a.found, a.err
	case <-ctx.Done():
		return cloud.ResetRecord{}, false, &cloud.Error{Kind: cloud.Unavailable, Err: ctx.Err(),
			Message: "the operation record was not waited for"}
	}
}

// collect sends the collected questions until there are none.
func (c *Core) collect(n *connectionState) {
	defer c.wg.Done()
	for {
		now, err := guard.Get(c.opts.Logger, "collecting questions for operation records", func() ([]look, error) { return n.nextLooks(), nil })
		if err != nil {
			n.failLooks(err)
		}
		if len(now) == 0 {
			return
		}
		c.askFor(n, now)
	}
}

// failLooks ends all questions, whose collector ends with them.
func (n *connectionState) failLooks(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.looks {
		l.answer <- lookAnswer{err: err}
	}
	n.looks, n.looking = nil, false
}

// nextLooks takes the questions of the next request; with none, the collector has ended.
func (n *connectionState) nextLooks() []look {
	n.mu.Lock()
	defer n.mu.Unlock()
	// One instance may be asked about twice with different request ids; a request answers by
	// instance, so the second waits for the next round. So does one of a newer configuration.
	var now, rest []look
	asked := map[string]bool{}
	for _, l := range n.looks {
		if len(now) == 0 || len(now) < pollBatch(now[0].resetter) && !asked[l.ref.InstanceID] && l.resetter == now[0].resetter {
			asked[l.ref.InstanceID] = true
			now = append(now, l)
		} else {
			rest = append(rest, l)
		}
	}
	n.looks = rest
	if len(now) == 0 {
		n.looking = false
	}
	return now
}

// askFor sends one request for all the questions.
func (c *Core) askFor(n *connectionState, now []look) {
	refs := make([]cloud.ResetRef, len(now))
	for i, l := range now {
		refs[i] = l.ref
	}
	ctx, cancel := context.WithTimeout(c.ctx, now[0].timeout+limiterTimeout)
	records, err := guard.Get(c.opts.Logger, "asking connection "+n.name+" for operation records",
		func() (map[string]cloud.ResetRecord, error) {
			return now[0].resetter.ResetRecords(ctx, refs)
		})
	cancel()
	n.breaker.reportCall(c.ctx, c.opts.Now(), err)
	for _, l := range now {
		rec, ok := records[l.ref.InstanceID]
		l.answer <- lookAnswer{rec, ok, err}
	}
}

func pollBatch(r cloud.PasswordResetter) int {
	t := r.ResetTraits()
	return max(cmp.Or(t.PollBatch, t.BatchSize), 1)
}

// limiterTimeout is how long a background request waits for the connection's limiter.
const limiterTimeout = 30 * time.Second

// Gate is the limiter of a connection, for calls that are made before its configuration is stored: they count like
// all others. requestsPerSecond is the limit of a connection that is not in use yet.
func (c *Core) Gate(name string, requestsPerSecond float64) cloud.Limiter {
	n := c.connection(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live == nil {
		n.limiter.setRate(requestsPerSecond)
	}
	return n.limiter
}
