package ssh

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// until waits for what other goroutines bring about.
func until(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("waited in vain")
		}
	}
}

func (s *server) running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// TestOneSessionAtAHostAndSomeInAll holds sessions open and counts them.
func TestOneSessionAtAHostAndSomeInAll(t *testing.T) {
	private, key := sshserver.NewPair(t)
	s := newServer(t, key)
	s.hold = make(chan struct{})
	hosts := inventoryOf()
	for n := range 6 {
		h := s.host(fmt.Sprint("web-", n))
		hosts.hosts[h.Name] = h
	}
	p := connection(t, private, hosts, cloud.Values{"max_sessions": "3"})
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			r := reset("Some-Secret-123", 1)
			r.InstanceIDs = []string{fmt.Sprint("web-", n%6)}
			if _, err := start(t, p, r); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, func() bool { return s.running() == 3 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, name := range []string{"web-0", "web-5"} {
		if leave, err := p.turns.enter(ctx, name); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("a fourth session at %s: %v", name, err)
			leave()
		}
	}
	close(s.hold)
	all.Wait()
	if s.most != 3 {
		t.Errorf("%d sessions at a time, want 3", s.most)
	}
	if n := len(p.turns.hosts); n != 0 {
		t.Errorf("%d hosts are remembered", n)
	}
}

// TestOneHostHoldsUpNoOther: who waits for a host has none of the connection's sessions.
func TestOneHostHoldsUpNoOther(t *testing.T) {
	turns := newTurns(2)
	leave, err := turns.enter(t.Context(), "hangs")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			if _, err := turns.enter(ctx, "hangs"); err == nil {
				t.Error("a second session at one host")
			}
		})
	}
	until(t, func() bool { turns.mu.Lock(); defer turns.mu.Unlock(); return turns.hosts["hangs"].users == 6 })
	soon, end := context.WithTimeout(t.Context(), 5*time.Second)
	defer end()
	for range 3 {
		other, err := turns.enter(soon, "lives")
		if err != nil {
			t.Fatal(err)
		}
		other()
	}
	cancel()
	waiting.Wait()
}
