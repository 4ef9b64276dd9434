package rotation

import (
	"sort"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Status is the state of a mount's accounts and connections, as this process knows it.
type Status struct {
	// Running is false where this node does no background work.
	Running bool
	// Loading is set while the schedule is being rebuilt from storage; the counts are not complete then.
	Loading bool
	// Accounts counts accounts by View.State.
	Accounts map[string]int
	Leases   int
	// Due is the number of due accounts, OldestDue since when the longest waiting one has been due.
	Due       int
	OldestDue time.Time
	// Oldest is the account or group that has been due for longest.
	Oldest Waiting
	// Late is the longest time for which a due account's role has let its rotation go on. Accounts that wait
	// for their own role's min_reset_interval or rotation_window are not late.
	Late time.Duration
	// Drifted is how many accounts' servers do not have the current version, as far as checks have shown.
	Drifted int
	// Rebuilt is how many accounts' servers seem to have been rebuilt since the current version was recorded.
	Rebuilt int
	// Queued is how many accounts have something to do at some time.
	Queued int
	// Failing are the accounts with errors, those that have failed most often first, at most
	// maxFailing of them.
	Failing      []Failing
	FailingCount int
	// Causes sum up why they fail, those of most accounts first.
	Causes []FailureCause
	// ByConnection and ByRole count the accounts of each.
	ByConnection, ByRole map[string]*Tally
	Connections          map[string]ConnectionStatus
}

// Waiting is an account whose rotation is due.
type Waiting struct {
	ID         ID
	WaitingFor protocol.Cause
	NextTry    time.Time
}

// Failing is an account whose last try failed.
type Failing struct {
	ID        ID
	State     string
	Failures  int
	LastError hint.Text
	// WaitingFor and NextTry are those of View.
	WaitingFor protocol.Cause
	NextTry    time.Time
}

// ConnectionStatus is the state of a connection's limiter and breaker.
type ConnectionStatus struct {
	RequestsPerSecond float64
	// Waiting is how many requests wait for the limiter, by API action.
	Waiting map[string]int
	// Working is how many workers may be calling the cloud at the moment.
	Working int
	Queued  int
	// BreakerOpen is set while the connection's cloud does not answer, and is not asked.
	BreakerOpen bool
	RetryIn     time.Duration
	// Braked is how many accounts are braked, Stopped whether the connection begins no new rotation for that.
	Braked    int
	Stopped   bool
	LastError hint.Text
}

const maxFailing = 100

// Status looks at what is in memory; it waits for no storage and calls no cloud.
func (c *Core) Status() Status {
	s := Status{Running: c.isRunning(), Loading: c.isLoading(), Accounts: map[string]int{}, Connections: map[string]ConnectionStatus{},
		ByConnection: map[string]*Tally{}, ByRole: map[string]*Tally{}}
	summed := Causes{}
	var v View // one for all: a fleet has many
	for _, e := range c.listed() {
		if leases, known := c.outlined(&v, e); known {
			s.count(&v, leases, e.id.IsGroup())
			if failed := v.Failed(); !failed.IsZero() {
				summed.Add(&v, failed)
			}
		}
	}
	s.Causes = summed.Sorted()
	sort.Slice(s.Failing, func(i, j int) bool { return s.Failing[i].Failures > s.Failing[j].Failures })
	s.FailingCount = len(s.Failing)
	s.Failing = s.Failing[:min(len(s.Failing), maxFailing)]

	now := c.opts.Now()
	for _, n := range c.all() {
		queued, calling := c.queues.Counts(n.name)
		s.Queued += queued
		open, retry, cause := n.breaker.state(now)
		braked, stopped := n.brake.state()
		s.Connections[n.name] = ConnectionStatus{Braked: braked, Stopped: stopped, RequestsPerSecond: n.requestsPerSecond(),
			Waiting: n.limiter.waiting(), Working: calling,
			Queued: queued, BreakerOpen: open, RetryIn: retry, LastError: cause}
	}
	return s
}

// known is the account as far as it is in memory, or nil.
func (c *Core) known(e *entry) *View {
	if !e.mu.TryLock() { // it is held while the record is written, which may take as long as storage does
		return c.viewSnapshot(e)
	}
	defer e.mu.Unlock()
	if e.rec == nil {
		return nil
	}
	return c.view(e)
}

// outlined fills the outline of an account, as far as it is in memory, and tells how many leases it has.
func (c *Core) outlined(v *View, e *entry) (leases int, known bool) {
	if e.mu.TryLock() {
		defer e.mu.Unlock()
	} else if e = e.asStored(); e == nil { // it is held, as in known
		return 0, false
	}
	if e.rec == nil {
		return 0, false
	}
	return len(c.outline(v, e).Leases), true
}

// count adds an outline. A group has leases and can fail, but it is no account.
func (s *Status) count(v *View, leases int, group bool) {
	tallyOf(s.ByConnection, v.ID.Connection, v.ID.Connection).add(v, leases, group)
	if v.Role != "" {
		tallyOf(s.ByRole, v.Role, v.ID.Connection).add(v, leases, group)
	}
	s.Leases += leases
	if !group {
		s.Accounts[v.State]++
	}
	if v.Due != nil && v.Gone.IsZero() {
		s.Due++
		if s.OldestDue.IsZero() || v.Due.Since.Before(s.OldestDue) {
			s.OldestDue = v.Due.Since
			s.Oldest = Waiting{v.ID, v.WaitingFor, v.NextTry}
		}
		s.Late = max(s.Late, v.Late)
	}
	if v.Drifted {
		s.Drifted++
	}
	if !v.Rebuilt.IsZero() {
		s.Rebuilt++
	}
	if failed := v.Failed(); !failed.IsZero() {
		s.Failing = append(s.Failing, Failing{ID: v.ID, State: v.State, Failures: max(v.Failures, 1), LastError: failed,
			WaitingFor: v.WaitingFor, NextTry: v.NextTry})
	}
}
