package rotation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The model cloud's figures. They are those of section 3's assumptions, not of any real cloud.
const (
	simTimeout      = 10 * time.Second
	simLifetime     = 5 * time.Minute
	simLongest      = 8 * time.Minute
	simGrace        = 30 * time.Second
	simPoll         = 6 * time.Second
	simInitialDelay = 10 * time.Minute
)

// simCloud is the cloud, with its servers. It survives every crash.
type simCloud struct {
	w      *world
	serial bool // it refuses a second operation on an instance while one runs

	mu      sync.Mutex
	servers map[string]*simServer
	nextID  int
	// resets are the accepted values per instance, in order.
	resets map[string][]string
	// times are when the accepted resets left, in order.
	times  []time.Time
	refuse bool // an outage
	calls  int  // all requests, answered or not
}

// simServer is one server, and what the cloud shows of it.
type simServer struct {
	id         string
	account    ID
	password   string
	initial    string    // the cloud's copy of the initial password; "" once cleared
	readyAt    time.Time // when the initial password appears
	operation  string    // the latest operation, as it is
	state      cloud.OperationState
	shown      string // the latest operation, as the record shows it
	shownState cloud.OperationState
	running    int
	// flying counts, by value, the requests and operations that may still set that value.
	flying map[string]int
	gone   bool
	// byHand is set while nothing is promised: a person changed the password, or had Vault forget it.
	byHand bool
}

// show makes the record visible, at once or after a lag.
func (s *simServer) show() { s.shown, s.shownState = s.operation, s.state }

func (c *simCloud) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// traffic is how many requests there were, and when the accepted resets left.
func (c *simCloud) traffic() (calls int, resets []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, slices.Clone(c.times)
}

// values are the different values that a server was asked to take, in order.
func (c *simCloud) values(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Compact(slices.Clone(c.resets[id]))
}

func (c *simCloud) newID(kind string) string {
	c.nextID++
	return fmt.Sprintf("%s-%d", kind, c.nextID)
}

// fly notes that a request for these servers is under way.
func (c *simCloud) fly(ids []string, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	for _, id := range ids {
		c.servers[id].flying[value]++
	}
}

// land is the end of fly. The caller holds c.mu.
func (s *simServer) land(value string) {
	if s.flying[value]--; s.flying[value] == 0 {
		delete(s.flying, value)
	}
}

// arrive is the cloud's side of a reset request: it takes all instances or none.
func (c *simCloud) arrive(ids []string, value string, signed time.Time) (cloud.ResetStarted, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if err := c.refusal(id, signed); err != nil {
			for _, id := range ids {
				c.servers[id].land(value)
			}
			return cloud.ResetStarted{}, err
		}
	}
	c.times = append(c.times, signed)
	op := c.newID("op")
	for _, id := range ids {
		c.begin(c.servers[id], op, value)
	}
	return cloud.ResetStarted{RequestID: op}, nil
}

// refusal is why the cloud does not take a reset of an instance; nil if it does. The caller holds c.mu.
func (c *simCloud) refusal(id string, signed time.Time) error {
	w, s, o := c.w, c.servers[id], c.w.odds()
	switch {
	case c.refuse:
		return simUnknown("reset")
	case time.Since(signed) > simLifetime:
		return cloud.Errorf(cloud.Denied, "signature expired")
	case s.gone:
		return cloud.Errorf(cloud.NotFound, "no such instance")
	case c.serial && s.running > 0:
		return cloud.Errorf(cloud.Refused, "another operation runs")
	case w.fault("throttle", id, o.refuse):
		return w.throttled(id)
	case w.fault("password refused", id, o.password):
		return cloud.Errorf(cloud.PasswordRefused, "the password is too simple")
	}
	return nil
}

// throttled is a throttling cloud's answer, which may say when to come back.
func (w *world) throttled(who string) error {
	e := cloud.Errorf(cloud.Throttled, "slow down")
	if w.fault("retry after", who, 0.5) {
		e.RetryAfter = w.duration("retry after by", who, time.Minute)
	}
	return e
}

// begin starts an accepted operation on one server. The caller holds c.mu.
func (c *simCloud) begin(s *simServer, op, value string) {
	w, o := c.w, c.w.odds()
	for other := range s.flying {
		if other != value {
			w.violation("I9", "the cloud takes %s for %s while %s may still be set", value, s.id, other)
		}
	}
	s.operation, s.state = op, cloud.OperationRunning
	s.running++
	c.resets[s.id] = append(c.resets[s.id], value)
	w.tracef("cloud accepts reset(%s) on %s as %s", value, s.id, op)
	if w.fault("lag", s.id, o.lag) {
		lag := 5 * time.Second
		if w.fault("long lag", s.id, 0.1) {
			lag = 2 * simGrace
		}
		time.AfterFunc(w.duration("lag by", s.id, lag), func() { c.locked(s.show) })
	} else {
		s.show()
	}
	takes := 500*time.Millisecond + w.duration("takes", s.id, 8*time.Second)
	if w.fault("slow", s.id, o.late) {
		takes = w.duration("slow by", s.id, simLongest-time.Second)
	}
	fails := w.fault("failed", s.id, o.failed)
	applied := !fails || w.fault("failed although applied", s.id, 0.5)
	time.AfterFunc(takes, func() { c.finish(s, op, value, fails, applied) })
}

// finish ends an operation: the server has the new password, or not, and the record says so, or not.
func (c *simCloud) finish(s *simServer, op, value string, fails, applied bool) {
	c.mu.Lock()
	s.running--
	s.land(value)
	state := cloud.OperationSuccess
	if fails {
		state = cloud.OperationFailed
	}
	if applied { // though an instance that vanished may come back
		s.password = value
		s.byHand = false
	}
	if s.operation == op {
		s.state = state
		s.show()
	}
	c.w.tracef("operation %s on %s ends: %s, applied %v: the server has %s", op, s.id, state, applied, s.password)
	c.mu.Unlock()
	c.w.checkStored(s.account)
}

// overwrite lets a foreign operation replace the record, if the cloud allows one now.
func (c *simCloud) overwrite(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.servers[id]
	if s.gone || c.serial && s.running > 0 {
		return
	}
	s.operation, s.state = c.newID("foreign"), cloud.OperationSuccess
	s.show()
	c.w.tracef("foreign operation %s on %s", s.operation, id)
}

// vanish lets the cloud lose an instance, or find it again.
func (c *simCloud) vanish(id string, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[id].gone = gone
	c.w.faulty.Store(true)
	c.w.tracef("instance %s: gone is %v", id, gone)
}
