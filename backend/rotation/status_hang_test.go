package rotation

import (
	"testing"
	"time"
)

// TestNobodyWaitsForAWriteThatHangsToSeeAnAccount: status and accounts/ tell what was known before it.
func TestNobodyWaitsForAWriteThatHangsToSeeAnAccount(t *testing.T) {
	c, s, e, _ := crowded(t, nil)
	hold, read := make(chan struct{}), make(chan error, 1)
	s.mu.Lock()
	s.hold = hold
	s.mu.Unlock()
	before := s.count()
	go func() {
		_, err := c.Read(t.Context(), e.id, 0)
		read <- err
	}()
	for s.count() == before {
		pauseForOthers()
	}
	answered := make(chan Status, 1)
	go func() { answered <- c.Status() }()
	select {
	case got := <-answered:
		is(t, "accounts", got.Accounts["ready"], 1)
		is(t, "leases", got.Leases, 1)
	case <-time.After(10 * time.Second):
		t.Fatal("status waits for storage")
	}
	view, err := c.Inspect(t.Context(), e.id)
	if err != nil || view == nil || len(view.Leases) != 1 || view.State != "ready" {
		t.Errorf("inspected: %+v, %v", view, err)
	}
	close(hold)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if view, err = c.Inspect(t.Context(), e.id); err != nil || len(view.Leases) != 2 {
		t.Errorf("afterwards: %+v, %v", view, err)
	}
}
