package rotation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// limiter paces the requests of one connection: each API action has its own limiter with a burst of 1,
// and interactive callers pass before background ones. It implements cloud.Limiter.
type limiter struct {
	mu    sync.Mutex
	limit rate.Limit
	lanes map[string]*actionQueue
	// monitor is told of waits and of requests; nil: nobody is.
	monitor    Monitor
	connection string
}

// pace is the share of a connection's limit that its requests take. Spaced by exactly the limit, a request
// that the network delays and a later one that it does not delay are too near each other at the cloud, which
// then sees one too many within a second. The rest gives them about 40 ms, at any limit.
const pace = 0.96

func newLimiter(requestsPerSecond float64) *limiter {
	return &limiter{limit: paced(requestsPerSecond), lanes: map[string]*actionQueue{}}
}

func paced(requestsPerSecond float64) rate.Limit { return rate.Limit(pace * requestsPerSecond) }

// setRate changes the limit of all actions.
func (g *limiter) setRate(requestsPerSecond float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = paced(requestsPerSecond)
	for _, l := range g.lanes {
		l.limiter.SetLimit(g.limit)
	}
}

// waiting counts the requests that wait, by action.
func (g *limiter) waiting() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := map[string]int{}
	for action, l := range g.lanes {
		l.mu.Lock()
		if n := len(l.interactive) + len(l.background); n > 0 {
			out[action] = n
		}
		l.mu.Unlock()
	}
	return out
}

// actionQueue is one API action's queue.
type actionQueue struct {
	limiter *rate.Limiter

	mu          sync.Mutex
	interactive []chan struct{}
	background  []chan struct{}
	passed      int // interactive turns since the last background one
	serving     bool
}

// Wait implements cloud.Limiter.
func (g *limiter) Wait(ctx context.Context, action string) error {
	began := time.Now()
	err := g.wait(ctx, action)
	if g.monitor != nil {
		g.monitor.LimiterWait(g.connection, time.Since(began))
	}
	return err
}

// Took implements cloud.Meter.
func (g *limiter) Took(action string, took time.Duration, err error) {
	if g.monitor != nil {
		g.monitor.CloudRequest(g.connection, action, took, err)
	}
}

func (g *limiter) wait(ctx context.Context, action string) error {
	g.mu.Lock()
	l := g.lanes[action]
	if l == nil {
		l = &actionQueue{limiter: rate.NewLimiter(g.limit, 1)}
		g.lanes[action] = l
	}
	g.mu.Unlock()

	turn := make(chan struct{})
	l.mu.Lock()
	if cloud.IsInteractive(ctx) {
		l.interactive = append(l.interactive, turn)
	} else {
		l.background = append(l.background, turn)
	}
	if !l.serving {
		l.serving = true
		go l.serve() //nolint:gosec,contextcheck // G118: it serves many callers, not the one whose context this is
	}
	l.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if !l.leave(turn) {
			return nil // its turn came at the same moment: use it
		}
		return &cloud.Error{Kind: cloud.Unavailable, Err: fmt.Errorf("%w: %w", cloud.ErrNoTurn, ctx.Err()), Message: action +
			": gave up waiting for the connection's " +
			"max_requests_per_second; raise it if the cloud allows more, or try again"}
	}
}

// maxPassed is how many interactive requests may pass before a background one that waits: enough that
// clients hardly feel it, and so few that rotations go on under any load of clients.
const maxPassed = 4

// serve gives turns until nobody waits. It runs only while somebody does.
func (l *actionQueue) serve() {
	for {
		// The delay is taken before a waiter is chosen, so that one who comes meanwhile and is
		// interactive still goes first.
		// It cannot fail: the burst is 1 and there is no deadline.
		_ = l.limiter.Wait(context.Background())
		l.mu.Lock()
		var turn chan struct{}
		switch {
		case len(l.interactive) > 0 && (l.passed < maxPassed || len(l.background) == 0):
			turn, l.interactive = l.interactive[0], l.interactive[1:]
			l.passed++
		case len(l.background) > 0:
			turn, l.background = l.background[0], l.background[1:]
			l.passed = 0
		}
		if turn != nil {
			close(turn)
		}
		if len(l.interactive)+len(l.background) == 0 {
			l.serving = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// leave takes a waiter out of the queue and reports whether it was still there.
func (l *actionQueue) leave(turn chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range []*[]chan struct{}{&l.interactive, &l.background} {
		for i, t := range *q {
			if t == turn {
				*q = append((*q)[:i:i], (*q)[i+1:]...)
				return true
			}
		}
	}
	return false
}
