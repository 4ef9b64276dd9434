// Package rootcred replaces the credential that a connection uses, in durable steps: note that one is asked for, ask, store it
// beside the old one, prove that it works, use it, delete the old one. What is cut short is finished later. The record of it is
// the connection's (connection.RootRotation).
package rootcred

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Rotator replaces the credentials of a mount's connections. While it works on one, nobody else changes that
// connection's credential.
type Rotator struct {
	Deps

	mu      sync.Mutex
	running map[string]bool
	// retry is when the background tries again to finish a rotation that failed.
	retry map[string]retry
}

// Deps is what the rotations need of the mount.
type Deps struct {
	Connections *connection.Store
	Core        *rotation.Core
	Log         func() hclog.Logger
	Now         func() time.Time
	// Sleep waits, or returns early with the context's error.
	Sleep func(ctx context.Context, d time.Duration) error
}

// New makes the rotator of a mount.
func New(deps Deps) *Rotator { return &Rotator{Deps: deps} }

type retry struct {
	at    time.Time
	delay time.Duration
}

// Claim claims a connection and returns what releases it, or false if somebody has it.
func (r *Rotator) Claim(name string) (end func(), ok bool) {
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

// IsRunning reports whether this process works on the credential of a connection.
func (r *Rotator) IsRunning(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[name]
}

// Delays between the background's tries to finish a rotation.
const (
	firstRetry = time.Minute
	lastRetry  = time.Hour
)

// mayRetry reports whether the background may try now.
func (r *Rotator) mayRetry(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !now.Before(r.retry[name].at)
}

// tried notes the outcome of a try.
func (r *Rotator) tried(name string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.retry, name)
		return
	}
	if r.retry == nil {
		r.retry = map[string]retry{}
	}
	delay := min(max(2*r.retry[name].delay, firstRetry), lastRetry)
	r.retry[name] = retry{now.Add(delay), delay}
}
