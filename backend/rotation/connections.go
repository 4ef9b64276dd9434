package rotation

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// connections are the connections that the mount's accounts have been asked for through, by name.
type connections struct {
	*env

	mu    sync.Mutex // of conns; nothing is waited for under it
	conns map[string]*connectionState
}

// all are the connections that are known at this moment, in no order.
func (cs *connections) all() []*connectionState {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Values(cs.conns))
}

// connection returns the state of a connection, which exists once for a name.
func (cs *connections) connection(name string) *connectionState {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	n := cs.conns[name]
	if n == nil {
		n = &connectionState{name: name, limiter: newLimiter(1)}
		n.limiter.monitor, n.limiter.connection = cs.opts.Monitor, name
		cs.conns[name] = n
	}
	return n
}

// connect returns a session of a connection, whose provider is made if need be.
func (cs *connections) connect(ctx context.Context, name string) (session, error) {
	n := cs.connection(name)
	if live := n.connected(); live != nil {
		return session{Connection: live, state: n}, nil
	}
	n.connecting.Lock()
	defer n.connecting.Unlock()
	for {
		n.mu.Lock()
		live, configs := n.live, n.configs
		n.mu.Unlock()
		if live != nil {
			return session{Connection: live, state: n}, nil
		}
		live, err := cs.opts.Connect(ctx, name, n.limiter)
		if err != nil {
			return session{state: n}, err
		}
		if n.use(live, configs) {
			return session{Connection: live, state: n}, nil
		}
	}
}
