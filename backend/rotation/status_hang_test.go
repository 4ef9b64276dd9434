package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
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
		_, err := c.Read(t.Context(), e.id, Reader{}, 0)
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

// TestNobodyWaitsForAConnectionThatIsBeingMadeToSeeTheStatus: to make one storage is read, which may hang.
func TestNobodyWaitsForAConnectionThatIsBeingMadeToSeeTheStatus(t *testing.T) {
	s := &slowStorage{}
	a := leasedAccount()
	if err := saveAccount(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	reached, release := make(chan struct{}, 10), make(chan struct{})
	connect := func(context.Context, string, cloud.Limiter) (*Connection, error) {
		reached <- struct{}{}
		<-release
		return &Connection{RequestsPerSecond: 7}, nil
	}
	c := New(Options{Storage: s, Now: func() time.Time { return t0 }, Connect: connect})
	t.Cleanup(c.Stop)
	e := c.entry(a.ID)
	e.mu.Lock()
	if err := c.load(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	e.mu.Unlock()
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(t.Context(), a.ID, Reader{}, 0)
		read <- err
	}()
	<-reached
	answered := make(chan Status, 1)
	go func() { answered <- c.Status() }()
	select {
	case got := <-answered:
		is(t, "accounts", got.Accounts["ready"], 1)
		is(t, "requests a second", got.Connections[a.Connection].RequestsPerSecond, 1)
	case <-time.After(10 * time.Second):
		t.Fatal("status waits for storage")
	}
	select {
	case err := <-read:
		t.Errorf("the read did not hang: %v", err)
	default:
	}
	close(release)
	if err := <-read; err != nil {
		t.Error(err)
	}
	is(t, "requests a second", c.Status().Connections[a.Connection].RequestsPerSecond, 7)
}

// TestAConnectionThatChangesWhileItIsBeingMadeIsMadeAnew: what was made of the earlier configuration is not used.
func TestAConnectionThatChangesWhileItIsBeingMadeIsMadeAnew(t *testing.T) {
	reached, goOn := make(chan struct{}, 10), make(chan Place)
	c := New(Options{Storage: &slowStorage{}, Connect: func(context.Context, string, cloud.Limiter) (*Connection, error) {
		reached <- struct{}{}
		return &Connection{RequestsPerSecond: 1, Place: <-goOn}, nil
	}})
	t.Cleanup(c.Stop)
	used := make(chan Place, 1)
	go func() {
		live, err := c.connect(t.Context(), "prod")
		if err != nil {
			t.Error(err)
		}
		used <- live.Place
	}()
	<-reached
	n := c.connection("prod")
	n.mu.Lock()
	before := n.configs
	n.mu.Unlock()
	forgotten := make(chan struct{})
	go func() { c.ForgetConnection("prod"); close(forgotten) }()
	for changed := false; !changed; pauseForOthers() {
		n.mu.Lock()
		changed = n.configs != before
		n.mu.Unlock()
	}
	goOn <- "old"
	<-reached
	goOn <- "new"
	is(t, "place", <-used, "new")
	<-forgotten
	is(t, "place in use", n.connected().Place, "new")
}
