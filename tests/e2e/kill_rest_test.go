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
	// mostRevoked is how many of the accounts that settle lose their leases in the end, and watchFor how long they are
	// watched then: several times what a rotation takes.
	mostRevoked = 5
	watchFor    = 10 * time.Second
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
		secret, err := c.through().TryRead(deadline, a.creds(), "wait", c.wait)
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
	a.mu.Lock()
	a.settling = account["old_unresolved"] == true
	a.mu.Unlock()
}

// countRotations adds what became of the accounts to the counters, after [siege.rest].
func (s *siege) countRotations() {
	for _, a := range s.targets {
		values, _ := checkValues(s.world.Attempts(a.id))
		s.mu.Lock()
		s.counters["rotations"] += values
		s.counters["rotations after the first"] += max(values-1, 0)
		if a.settling {
			s.counters["accounts that settle"]++
		}
		s.mu.Unlock()
	}
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

// waitWhileSettling ends the leases of accounts that settle: the rotation that is due then waits, since the server could
// still get the value before from a request that was lost. So no value is sent, and no password is handed out.
func (s *siege) waitWhileSettling(t *testing.T) {
	t.Helper()
	attempts := map[*target]int{}
	for _, a := range s.targets {
		account := s.Read(t, a.account()).Data
		if account["old_unresolved"] != true || len(attempts) == mostRevoked || s.hasLostLease(t, a, account) {
			continue
		}
		attempts[a] = len(s.world.Attempts(a.id))
		if err := s.Client.Sys().RevokePrefixWithContext(t.Context(), a.creds()); err != nil {
			t.Fatalf("revoke the leases of %s: %v", a.id, err)
		}
		harness.Eventually(t, revokedWithin, "a due account", func() error {
			if reason := s.Read(t, a.account()).Data["due_reason"]; reason != "revoked" {
				return fmt.Errorf("due_reason of %s is %v, its leases are %v", a.id, reason, s.Read(t, a.account()).Data["leases"])
			}
			return nil
		})
	}
	if len(attempts) == 0 {
		t.Error("no account settles: no outcome of a reset has remained unknown, so the faults have not done their part")
		return
	}
	harness.Always(t, watchFor, "revoked accounts that settle", func() error {
		for a, before := range attempts {
			if now := len(s.world.Attempts(a.id)); now != before {
				return fmt.Errorf("%s: another value was sent", a.id)
			}
			if _, err := s.TryRead(t.Context(), a.creds()); harness.Status(err) != http.StatusServiceUnavailable {
				return fmt.Errorf("%s: a read gives error %w, want status 503", a.id, err)
			}
		}
		return nil
	})
}

// hasLostLease tells whether the account has a lease that Vault does not know: its reader's process was killed after the
// lease had been recorded and before Vault had the answer. Nobody can revoke it, so the account becomes due at its end.
func (s *siege) hasLostLease(t *testing.T, a *target, account map[string]any) bool {
	t.Helper()
	recorded, _ := account["leases"].([]any)
	return len(recorded) > len(s.List(t, "sys/leases/lookup/"+a.creds()+"/"))
}
