package backend

import (
	"context"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const ()

// rootRotations are the rotations that this process works on. While there is one, nobody else changes
// the connection's credential.
type rootRotations struct {
	mu      sync.Mutex
	running map[string]bool
	// retry is when the background tries again to finish one that failed.
	retry map[string]rootRetry
}

type rootRetry struct {
	at    time.Time
	delay time.Duration
}

// begin claims a connection and returns what releases it, or false if somebody has it.
func (r *rootRotations) begin(name string) (end func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[name] {
		return nil, false
	}
	if r.running == nil {
		r.running = map[string]bool{}
	}
	r.running[name] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, name)
	}, true
}

func (r *rootRotations) isRunning(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[name]
}

// Delays between the background's tries to finish a rotation.
const (
	firstRootRetry = time.Minute
	lastRootRetry  = time.Hour
)

// mayRetry reports whether the background may try now.
func (r *rootRotations) mayRetry(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !now.Before(r.retry[name].at)
}

// tried notes the outcome of a try.
func (r *rootRotations) tried(name string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.retry, name)
		return
	}
	if r.retry == nil {
		r.retry = map[string]rootRetry{}
	}
	delay := min(max(2*r.retry[name].delay, firstRootRetry), lastRootRetry)
	r.retry[name] = rootRetry{now.Add(delay), delay}
}

// clock is the mount's: by it caches age, retries wait and earlier keys and credentials are kept. When a password is
// due, the core's clock says, which watches whether the wall clock is right.
type clock struct {
	now func() time.Time
	// sleep waits, or returns early with the context's error.
	sleep func(ctx context.Context, d time.Duration) error
}

func wallClock() clock { return clock{now: time.Now, sleep: cloud.Sleep} }
