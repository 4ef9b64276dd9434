package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Figures are the numbers of a mount, as this process knows them.
type Figures struct {
	// Running and Loading are those of Status.
	Running, Loading bool
	Connections      map[string]*ConnectionFigures
}

// ConnectionFigures are the numbers of one connection and of the accounts that it serves.
type ConnectionFigures struct {
	// Accounts counts accounts by state.
	Accounts map[string]int
	// Failing counts accounts whose last try failed, or that are left out of a shared password.
	Failing int
	Leases  int
	// Due counts accounts whose rotation is due, OldestDue is since when the first of them is.
	Due       int
	OldestDue time.Time
	// Drifted counts accounts whose server does not have the current version, as far as checks have shown.
	Drifted int
	// Late is the longest time for which a due account's role has let its rotation go on.
	Late time.Duration
	// OldestPassword is when the oldest current version was made, by role.
	OldestPassword map[string]time.Time
	// Waiting counts requests that wait for the limiter, by API action.
	Waiting         map[string]int
	Queued, Working int
	// BreakerOpen is set while the cloud does not answer; Stopped while the connection begins no new rotation, since too many
	// of its accounts are braked.
	BreakerOpen, Stopped bool
	Braked               int
}

// Figures looks at what is in memory. It waits for no storage, no cloud and no account that is being written.
func (c *Core) Figures() Figures {
	f := Figures{Running: c.isRunning(), Loading: c.isLoading(), Connections: map[string]*ConnectionFigures{}}
	now := c.opts.Now()
	for _, n := range c.all() {
		of := f.of(n.name)
		of.Queued, of.Working = c.queues.Counts(n.name)
		of.BreakerOpen, _, _ = n.breaker.state(now)
		of.Braked, of.Stopped = n.brake.state()
		of.Waiting = n.limiter.waiting()
	}
	for _, e := range c.listed() {
		if a := e.snapshot.Load(); a != nil {
			f.of(e.id.Connection).count(a, e.failsNow(), now)
		}
	}
	return f
}

func (f *Figures) of(connection string) *ConnectionFigures {
	of := f.Connections[connection]
	if of == nil {
		of = &ConnectionFigures{Accounts: map[string]int{}, OldestPassword: map[string]time.Time{}}
		f.Connections[connection] = of
	}
	return of
}

// failsNow reports whether the last try failed before anything was recorded, as far as that can be seen at once.
func (e *entry) failsNow() bool {
	if !e.mu.TryLock() {
		return false
	}
	defer e.mu.Unlock()
	return !e.delay.cause.IsZero()
}

// count adds a record. A group has leases, is due and can fail, but it is no account.
func (f *ConnectionFigures) count(a *Account, fails bool, now time.Time) {
	f.Leases += len(a.Leases)
	if fails || a.Backoff != nil || !a.LeftOut.IsZero() {
		f.Failing++
	}
	if a.Due != nil && a.Gone.IsZero() {
		f.Due++
		if f.OldestDue.IsZero() || a.Due.Since.Before(f.OldestDue) {
			f.OldestDue = a.Due.Since
		}
		f.Late = max(f.Late, now.Sub(a.AllowedSince(now)))
	}
	if a.IsGroup() {
		return
	}
	f.Accounts[a.State()]++
	if a.Drifted() {
		f.Drifted++
	}
	if v := a.Current(); v != nil && a.Role != "" && a.Gone.IsZero() {
		if oldest, known := f.OldestPassword[a.Role]; !known || v.Created.Before(oldest) {
			f.OldestPassword[a.Role] = v.Created
		}
	}
}

// AccountStates are the states that an account can have.
func AccountStates() []string { return protocol.States() }
