package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// Leases is what a session needs of Vault; engine.Client has it.
type Leases interface {
	// Renew extends a lease and returns for how long it is good from now on.
	Renew(ctx context.Context, leaseID string, increment time.Duration) (time.Duration, error)
	// GiveBack ends a lease.
	GiveBack(ctx context.Context, leaseID string) error
}

// Lease is what Vault has given. Without an ID there is none: the password of a static role has no lease.
type Lease struct {
	ID        string
	TTL       time.Duration
	Renewable bool
}

// LeaseOf is the lease of a password.
func LeaseOf(p *engine.Password) Lease { return Lease{p.LeaseID, p.LeaseDuration, p.Renewable} }

const (
	// renewTime bounds one try to renew a lease.
	renewTime = 30 * time.Second
	// shortestPause is the least time between two tries.
	shortestPause = time.Second
)

// Held is a lease that is kept alive.
type Held struct {
	leases Leases
	lease  Lease
	warn   func(string)

	cancel context.CancelFunc
	done   chan struct{} // closed when nothing is renewed any more
	ended  chan struct{} // closed when the lease has ended by itself

	mu     sync.Mutex
	until  time.Time
	latest time.Time // until may be later than known: the answer of a renewal was lost
}

// Hold keeps a lease alive: it renews it by its own TTL at half of its time, so that it never has more than that before it. warn is told,
// once each, that a renewal failed, that the lease will not last longer, and that it has ended.
func Hold(leases Leases, lease Lease, warn func(string)) *Held {
	ctx, cancel := context.WithCancel(context.Background())
	until := time.Now().Add(lease.TTL)
	h := &Held{
		leases: leases, lease: lease, warn: warn,
		cancel: cancel, done: make(chan struct{}), ended: make(chan struct{}), until: until, latest: until,
	}
	if lease.ID == "" {
		close(h.done)
		return h
	}
	go func() {
		defer close(h.done)
		h.keep(ctx)
	}()
	return h
}

// Lease is the lease that is held.
func (h *Held) Lease() Lease { return h.lease }

// Until is when the lease ends unless it is renewed. It means nothing without a lease.
func (h *Held) Until() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until
}

// Latest is when the lease ends unless it is renewed, even if Vault has renewed it and the answer was lost.
func (h *Held) Latest() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest
}

// Ended is closed when the lease has ended by itself.
func (h *Held) Ended() <-chan struct{} { return h.ended }

// keep renews the lease until it has ended or ctx is done.
func (h *Held) keep(ctx context.Context) {
	failed := false
	pause := h.lease.TTL / 2
	renewing := h.lease.Renewable
	for {
		if !renewing {
			pause = time.Until(h.Until())
		}
		if !sleep(ctx, min(pause, time.Until(h.Until()))) {
			return
		}
		if time.Until(h.Until()) <= 0 {
			h.warn("the lease has ended; the password is replaced now")
			close(h.ended)
			return
		}
		if !renewing {
			continue
		}
		gained, gone, err := h.renew(ctx)
		left := time.Until(h.Until())
		switch {
		case ctx.Err() != nil:
			return
		case gone:
			h.warn(fmt.Sprintf("the lease has ended before its time (%v); the password is replaced now", err))
			close(h.ended)
			return
		case err != nil:
			if !failed {
				h.warn(fmt.Sprintf("the lease is not renewed (%v); if that stays so, it ends at %s", err, clock(h.Until())))
			}
			failed = true
			pause = max(left/4, shortestPause)
		case !gained:
			h.warn(fmt.Sprintf("the lease cannot last longer than until %s; the password is replaced then", clock(h.Until())))
			renewing = false
		default:
			failed, pause = false, max(left/2, shortestPause)
		}
	}
}

// renew tries once. gained says that the lease lasts longer now, gone that Vault knows it no more.
func (h *Held) renew(ctx context.Context) (gained, gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	asked := time.Now()
	h.mu.Lock()
	before := h.latest
	if wanted := asked.Add(renewTime + h.lease.TTL); wanted.After(before) {
		h.latest = wanted
	}
	h.mu.Unlock()
	d, err := h.leases.Renew(ctx, h.lease.ID, h.lease.TTL)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if !lost(err) {
			h.latest = before
		}
		return false, engine.IsInvalid(err), err
	}
	until := time.Now().Add(d)
	gained = until.Sub(h.until) >= time.Second // Vault counts whole seconds
	h.until, h.latest = until, until
	return gained, false, nil
}

// lost reports whether Vault may have done what it was asked: there was no answer.
func lost(err error) bool {
	var e *engine.Error
	return !errors.As(err, &e) || e.Status == 0
}

// GiveBack stops the renewals and ends the lease. Without a lease, or surely after its end, there is nothing to do.
func (h *Held) GiveBack(ctx context.Context) error {
	h.Keep()
	if h.lease.ID == "" || time.Now().After(h.Latest()) {
		return nil
	}
	return h.leases.GiveBack(ctx, h.lease.ID)
}

// Keep stops the renewals and leaves the lease as it is.
func (h *Held) Keep() {
	h.cancel()
	<-h.done
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

// sleep reports whether d has passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
