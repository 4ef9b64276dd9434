//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	// convergeWithin bounds the time until an account is readable after the faults have ended: the longest back-off that
	// a handful of failures leads to, the connection's breaker and a rotation.
	convergeWithin = 3 * time.Minute
	// revokedWithin bounds the time until Vault has revoked what was given back: it repeats a revocation that failed,
	// with pauses that grow from 10 s.
	revokedWithin = 3 * time.Minute
)

// settleDown reads every password and logs in with it.
func (s *siege) settleDown(t *testing.T) {
	t.Helper()
	began := time.Now()
	queue := make(chan *target, len(s.targets))
	for _, a := range s.targets {
		queue <- a
	}
	close(queue)
	var readers sync.WaitGroup
	for range 2 * siegeClients {
		c := &client{siege: s, t: t}
		readers.Go(func() {
			for a := range queue {
				c.converge(t.Context(), a)
			}
		})
	}
	readers.Wait()
	t.Logf("every account was read %s after the faults had ended", time.Since(began).Round(time.Second))
}

// converge waits until an account is at rest and readable, and proves the password over SSH.
func (c *client) converge(ctx context.Context, a *target) {
	deadline, cancel := context.WithTimeout(ctx, convergeWithin)
	defer cancel()
	for {
		secret, err := c.TryRead(deadline, a.creds(), "wait", "20s")
		if err == nil {
			g, err := c.check(a, secret)
			if err != nil {
				c.broken("%s, afterwards: %v", a.id, err)
				return
			}
			c.login(ctx, &held{target: a, password: g.password})
			return
		}
		if !pause(deadline, 500*time.Millisecond) {
			c.broken("%s cannot be read %s after the faults have ended: %v", a.id, convergeWithin, err)
			return
		}
	}
}

// rest checks what is left when everything has come to rest.
func (s *siege) rest(t *testing.T, a *target) {
	t.Helper()
	attempts := s.world.Attempts(a.id)
	values, faults := checkValues(attempts)
	for _, fault := range append(faults, checkGrants(attempts, s.grants[a.id])...) {
		s.broken("%s: %s", a.id, fault)
	}
	account := s.Read(t, a.account()).Data
	if account["candidates"] != json.Number("0") || account["pending_since"] != nil || account["due_reason"] != nil {
		s.broken("%s: not at rest: %v", a.id, account)
	}
	if current := fmt.Sprint(account["current_version"]); current != fmt.Sprint(values) {
		s.broken("%s: the cloud was asked to set %d values, and the account has come to version %s", a.id, values, current)
	}
	s.mu.Lock()
	s.counters["rotations"] += values
	s.counters["rotations after the first"] += max(values-1, 0)
	if account["old_unresolved"] == true {
		s.counters["accounts that settle"]++
	}
	s.mu.Unlock()
}

// leasesEnded waits until Vault knows none of the leases any more whose revocation it has acknowledged.
func (s *siege) leasesEnded(t *testing.T) {
	t.Helper()
	for _, grants := range s.grants {
		for _, g := range grants {
			if !g.ended {
				continue
			}
			harness.Eventually(t, revokedWithin, "the end of lease "+g.lease, func() error {
				_, err := s.Client.Sys().LookupWithContext(t.Context(), g.lease)
				if harness.Status(err) != http.StatusBadRequest {
					return fmt.Errorf("looking it up gives error %w, want that it is invalid", err)
				}
				return nil
			})
		}
	}
}

// countAttempts adds the requests that wanted to set a password, by what went wrong with them, to the counters.
func (s *siege) countAttempts() {
	for _, entry := range s.world.Log(0) {
		if entry.Password == "" {
			continue
		}
		s.count("attempts")
		for _, fault := range entry.Faults {
			s.count("attempts: " + string(fault))
		}
	}
}
