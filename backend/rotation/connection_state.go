package rotation

import (
	"sync"
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

	looks lookQueue
}

// connected is the connection's provider, nil where that is to be made. It waits for nothing.
func (n *connectionState) connected() *Connection {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live
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

// requestsPerSecond is the connection's limit, or 1 before it is known.
func (n *connectionState) requestsPerSecond() float64 {
	if live := n.connected(); live != nil {
		return live.RequestsPerSecond
	}
	return 1
}

// forget has the connection made again at its next use. The limiter and the breaker's memory stay.
func (n *connectionState) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live = nil
	n.configs++
}

// limiterFor is the connection's limiter, with the limit of a configuration that is not in use yet.
func (n *connectionState) limiterFor(requestsPerSecond float64) *limiter {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live == nil {
		n.limiter.setRate(requestsPerSecond)
	}
	return n.limiter
}
