package rotation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// The model cloud's figures. They are those of section 3's assumptions, not of any real cloud.
const (
	simTimeout  = 10 * time.Second
	simLifetime = 5 * time.Minute
	simLongest  = 8 * time.Minute
	// simLongestSerial is longer than the settle window of a serial cloud, which does not contain it.
	simLongestSerial = 25 * time.Minute
	// simLongestOrdered is far longer than the deadline, and simGuestLag how far a guest's clock may be behind.
	simLongestOrdered = 3 * time.Hour
	simGuestLag       = 5 * time.Minute
	simGrace          = 30 * time.Second
	simPoll           = 6 * time.Second
	simInitialDelay   = 10 * time.Minute
	simMostRecords    = 25
)

// simMethod is one way to have passwords set, after the forms that clouds offer.
type simMethod string

const (
	// serialMethod: an operation on the instance, of which the cloud runs one at a time and shows the
	// latest one.
	serialMethod simMethod = "serial"
	// serialElsewhere is the same through other hosts of the cloud: these do not know what runs through the first ones.
	serialElsewhere simMethod = "serial elsewhere"
	// overlappingMethod: the same, but a second one starts while the first runs.
	overlappingMethod simMethod = "overlapping"
	// commandMethod: a command in the guest, each with a record of its own. It needs something of the
	// guest first, and its failures may say that nothing was changed.
	commandMethod simMethod = "command"
	// expiringMethod is serial, and a request's expiry can be fixed by the cloud's own clock, which its answers tell.
	expiringMethod simMethod = "expiring"
	// orderedMethod: a command whose script keeps the order of values and a deadline, under an id of our own. The agent may run it
	// hours late, and again. The cloud keeps so many records of them for each server and takes no further one.
	orderedMethod simMethod = "ordered"
	// recordedMethod is the same where a server may have its records carried out later, or once more: see recorded.
	recordedMethod simMethod = "recorded"
	// answeringMethod: the answer to the request comes when the password is set.
	answeringMethod simMethod = "answering"
	// sessionMethod: a session in which a script keeps the order of values and a deadline, and whose answer comes when that has ended. No
	// cloud keeps anything of it; only what the server says of a larger order is shown, by this process.
	sessionMethod simMethod = "session"
)

var simMethods = []simMethod{serialMethod, overlappingMethod, commandMethod, answeringMethod, orderedMethod}

// isSerial reports whether the cloud runs one operation of the method on an instance at a time.
func (m simMethod) isSerial() bool {
	return m == serialMethod || m == serialElsewhere || m == expiringMethod
}

// keepsOrder reports whether the server keeps the order of the method's values.
func (m simMethod) keepsOrder() bool { return m.ownIDs() || m == sessionMethod }

// ownIDs reports whether requests have ids of our own, under which the cloud keeps commands for agents.
func (m simMethod) ownIDs() bool { return m == orderedMethod || m == recordedMethod }

// answers reports whether the answer comes when all is over.
func (m simMethod) answers() bool { return m == answeringMethod || m == sessionMethod }

// longest is how long an operation may take. A serial cloud's may take longer than a settle window.
func (m simMethod) longest() time.Duration {
	switch {
	case m.isSerial():
		return simLongestSerial
	case m.keepsOrder():
		return simLongestOrdered
	}
	return simLongest
}

// longestTrait is what the method says of it.
func (m simMethod) longestTrait() time.Duration {
	if m.keepsOrder() {
		return simGuestLag
	}
	return m.longest()
}

// simAnswer is the cloud's answer to a reset request.
type simAnswer struct {
	started cloud.ResetStarted
	err     error
}

// simCloud is the cloud, with its servers. It survives every crash.
type simCloud struct {
	w      *world
	method simMethod // that accounts use unless they say otherwise

	mu      sync.Mutex
	servers map[string]*simServer // by instance: its root
	nextID  int
	// resets are the accepted values per instance, in order.
	resets map[string][]string
	// times are when the accepted resets left, in order.
	times  []time.Time
	refuse bool // an outage
	calls  int  // all requests, answered or not
	lies   lies
	// expiring counts the accepted requests whose expiry was fixed.
	expiring int
	deaf     string // a connection that is not answered any more, but for resets
}

// simServer is one user of one server. Most servers have one.
type simServer struct {
	*simMachine
	account  ID
	password string
	initial  string    // the cloud's copy of the initial password; "" once cleared
	readyAt  time.Time // when the initial password appears
	// shownInitial are the initial passwords that the cloud has shown.
	shownInitial map[string]bool
	accepted     int // how many resets the cloud took
	// flying counts, by value, the requests and operations that may still set that value.
	flying map[string]int
	// byHand is set while nothing is promised: a person changed the password, or had Vault forget it.
	byHand bool
	// order is that of the value, where a script has set it; 0: something else did. hand is set where a person did.
	order int64
	hand  bool
	// largest is the largest order of the resets that the cloud took.
	largest int64
	// login is what a check finds of the user, seen are the passwords that checks have found, and tried is when one logged in.
	login cloud.UserState
	seen  []string
	tried []time.Time
}

// simMachine is one server, and what the cloud shows of it.
type simMachine struct {
	id         string
	users      []*simServer // the first one is the server's root
	operation  string       // the latest operation, as it is
	state      cloud.OperationState
	shown      string // the latest operation, as the record shows it
	shownState cloud.OperationState
	shownSaid  string
	said       string                       // the cloud's text about the latest operation
	running    map[simMethod]int            // operations of the serial methods
	commands   map[string]cloud.ResetRecord // by id, as the cloud shows them
	named      map[string]string            // the ids of those that are kept, by ours
	removed    map[string]bool              // by id, those that were removed
	untidy     bool                         // a record may be left, since its account was deleted
	recorded   []*recorded                  // what a start has carried out (again)
	stopped    bool                         // for some time
	gone       bool
	looks      int               // at its record
	elsewhere  cloud.ResetRecord // the latest operation that other hosts of the cloud know
	// version is the sum of its accounts' when the resets of times left, in order.
	version int
	times   []time.Time
	refused bool // some were refused
	// hangs and refuses are guests that never carry out what they are told, and that refuse every password.
	hangs, refuses bool
}

// add gives an account's user a server. Users of other names than root come after it.
func (c *simCloud) add(id ID) *simServer {
	initial := "initial-" + id.InstanceID
	root := c.servers[id.InstanceID]
	if root != nil {
		initial += "-" + id.Username
	}
	s := &simServer{account: id, password: initial, initial: initial, flying: map[string]int{}, shownInitial: map[string]bool{}}
	if root != nil {
		s.simMachine = root.simMachine
	} else {
		s.simMachine = &simMachine{id: id.InstanceID, running: map[simMethod]int{}, commands: map[string]cloud.ResetRecord{},
			named: map[string]string{}, removed: map[string]bool{}}
		c.servers[id.InstanceID] = s
	}
	s.users = append(s.users, s)
	return s
}

// user is the user of a server that has a name.
func (c *simCloud) user(instance, name string) *simServer {
	for _, s := range c.servers[instance].users {
		if s.account.Username == name {
			return s
		}
	}
	panic("server " + instance + " has no user " + name)
}

// of is an account's user.
func (c *simCloud) of(id ID) *simServer { return c.user(id.InstanceID, id.Username) }

// show makes the record visible, at once or after a lag.
func (s *simMachine) show() { s.shown, s.shownState, s.shownSaid = s.operation, s.state, s.said }

// record is what the cloud shows of a reset, or of the latest operation. The caller holds c.mu.
func (s *simServer) record(method simMethod, requestID string) cloud.ResetRecord {
	if method == commandMethod || method == answeringMethod || method.keepsOrder() {
		return s.commands[requestID]
	}
	if method == serialElsewhere {
		return s.elsewhere
	}
	return cloud.ResetRecord{OperationID: s.shown, State: s.shownState, Message: s.shownSaid}
}

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

// allValues are the values that a server was asked to take, once for each reset.
func (c *simCloud) allValues(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.resets[id])
}

func (c *simCloud) newID(kind string) string {
	c.nextID++
	return fmt.Sprintf("%s-%d", kind, c.nextID)
}

// fly notes that a request for these servers is under way, unless the server refuses it once it has a later value.
func (c *simCloud) fly(method simMethod, ids []string, user, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	for _, id := range ids {
		if method.keepsOrder() {
			break
		}
		c.user(id, user).flying[value]++
	}
}

// land is the end of fly. The caller holds c.mu.
func (s *simServer) land(method simMethod, value string) {
	if method.keepsOrder() {
		return
	}
	if s.flying[value]--; s.flying[value] == 0 {
		delete(s.flying, value)
	}
}

// arrive is the cloud's side of a reset request: it takes all instances or none.
func (c *simCloud) arrive(method simMethod, r cloud.Reset, signed time.Time, answer func(simAnswer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, user, value := r.InstanceIDs, r.Username, r.Password
	for _, id := range ids {
		if err := c.refusal(method, id, r.Expires, signed); err != nil {
			for _, id := range ids {
				c.user(id, user).land(method, value)
			}
			answer(simAnswer{err: err})
			return
		}
	}
	c.times = append(c.times, signed)
	if !r.Expires.IsZero() {
		c.expiring++
	}
	op := c.newID("op")
	for _, id := range ids {
		c.begin(c.user(id, user), &simOperation{method: method, id: op, value: value, answer: answer, sent: signed, order: r.Order,
			notAfter: r.NotAfter, name: r.Name})
	}
	if !method.answers() {
		answer(simAnswer{started: cloud.ResetStarted{RequestID: c.lies.answered(op)}})
	}
}

// simOperation is a reset that the cloud carries out on one server.
type simOperation struct {
	method         simMethod
	id, value      string
	fails, applied bool
	again, ended   bool
	larger         int64      // the order that the server has, which refused the operation for it
	kind           cloud.Kind // of a failure
	answer         func(simAnswer)
	// Of the ordered method: see cloud.Reset.
	sent     time.Time
	order    int64
	notAfter time.Time
	name     string
}

// said is the cloud's text about an operation, which repeats what it was sent.
func (op *simOperation) said() string { return "simulated; what was sent is " + op.value }

// refusal is why the cloud does not take a reset of an instance; nil if it does. The caller holds c.mu.
func (c *simCloud) refusal(method simMethod, id string, expires, signed time.Time) error {
	w, s, o := c.w, c.servers[id], c.w.odds()
	switch {
	case c.refuse:
		return simUnknown("reset")
	case expires.IsZero() && time.Since(signed) > simLifetime, !expires.IsZero() && time.Now().After(expires):
		return cloud.Errorf(cloud.Denied, "signature expired")
	case s.gone:
		return cloud.Errorf(cloud.NotFound, "no such instance")
	case method.isSerial() && s.running[method] > 0:
		return cloud.Errorf(cloud.Refused, "another operation runs")
	case s.stopped && method == recordedMethod:
		return cloud.Errorf(cloud.Refused, "the server does not run")
	case method.ownIDs() && len(s.named) >= simMostRecords:
		return cloud.Errorf(cloud.Refused, "%d commands are kept", len(s.named))
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
func (c *simCloud) begin(s *simServer, op *simOperation) {
	w, o := c.w, c.w.odds()
	for other := range s.flying {
		if other != op.value {
			w.violation("I9", "the cloud takes %s for %s while %s may still be set", op.value, s.id, other)
		}
	}
	if op.method.isSerial() {
		s.running[op.method]++
	}
	if op.name != "" {
		s.named[op.name] = op.id
	}
	s.accepted++
	c.resets[s.id] = append(c.resets[s.id], op.value)
	s.largest = max(s.largest, op.order)
	c.checkRate(s)
	w.tracef("cloud accepts reset(%s) on %s as %s", op.value, s.id, op.id)
	c.set(s, op, cloud.OperationRunning)
	takes := 500*time.Millisecond + w.duration("takes", s.id, 8*time.Second)
	if w.fault("slow", s.id, o.late) {
		takes = w.duration("slow by", s.id, op.method.longest()-time.Second)
	}
	op.fails = w.fault("failed", s.id, o.failed)
	op.applied = !op.fails || w.fault("failed although applied", s.id, 0.5)
	if !op.applied && w.fault("failed without doing anything, and says so", s.id, 0.5) {
		op.kind = cloud.Refused
		if w.fault("the guest refuses the password", s.id, o.password) {
			op.kind = cloud.PasswordRefused
		}
	}
	if kind, ok := c.lies.refuses(); ok {
		op.fails, op.applied, op.kind = true, false, kind
	}
	switch {
	case s.hangs:
		takes, op.fails, op.applied = op.method.longest()-time.Second, true, false
	case s.refuses:
		op.fails, op.applied, op.kind = true, false, cloud.PasswordRefused
	}
	if op.method == recordedMethod && c.keep(s, op) {
		return
	}
	time.AfterFunc(takes, func() { c.finish(s, op) })
}

// set changes an operation's state, and what the cloud shows of it, at once or after a lag. The caller
// holds c.mu.
func (c *simCloud) set(s *simServer, op *simOperation, state cloud.OperationState) {
	w, o := c.w, c.w.odds()
	show := s.show
	switch op.method {
	case sessionMethod:
		if op.larger > 0 {
			s.commands[op.id] = cloud.ResetRecord{OperationID: op.id, State: state, Message: op.said(), Order: op.larger}
		}
		return
	case answeringMethod:
		return
	case serialElsewhere:
		if state == cloud.OperationRunning || s.elsewhere.OperationID == op.id {
			s.elsewhere = cloud.ResetRecord{OperationID: op.id, State: state, Message: op.said()}
		}
		return
	case commandMethod, orderedMethod, recordedMethod:
		r := cloud.ResetRecord{OperationID: c.lies.answered(op.id), Name: op.name, State: state, Message: op.said()}
		if state == cloud.OperationFailed {
			r.Kind, r.Order = op.kind, op.larger
		}
		show = func() {
			if !s.removed[op.id] && s.commands[op.id].State != cloud.OperationSuccess && s.commands[op.id].State != cloud.OperationFailed {
				s.commands[op.id] = r
			}
		}
	default:
		if state == cloud.OperationRunning {
			s.operation, s.said = op.id, op.said()
		}
		if s.operation != op.id {
			return
		}
		s.state = state
	}
	if state != cloud.OperationRunning || !w.fault("lag", s.id, o.lag) {
		show()
		return
	}
	lag := 5 * time.Second
	if w.fault("long lag", s.id, 0.1) {
		lag = 2 * simGrace
	}
	time.AfterFunc(w.duration("lag by", s.id, lag), func() { c.locked(show) })
}

// finish ends an operation: the server has the new password, or not, and the cloud says so, or not.
func (c *simCloud) finish(s *simServer, op *simOperation) {
	c.mu.Lock()
	if op.ended { // a start of the server has carried it out before
		c.mu.Unlock()
		return
	}
	op.ended = true
	if op.method.isSerial() {
		s.running[op.method]--
	}
	s.land(op.method, op.value)
	if op.applied && !s.takes(op) {
		op.fails, op.applied, op.kind = true, false, ""
	}
	state := cloud.OperationSuccess
	if op.fails {
		state = cloud.OperationFailed
	}
	if op.applied { // though an instance that vanished may come back
		s.take(op)
	}
	if w := c.w; op.method.ownIDs() && w.fault("again", s.id, w.odds().late) {
		time.AfterFunc(w.duration("again after", s.id, simLongestOrdered), func() { c.again(s, op) })
	}
	c.set(s, op, state)
	c.w.tracef("operation %s on %s ends: %s, applied %v: the server has %s", op.id, s.id, state, op.applied, s.password)
	c.mu.Unlock()
	if op.method.answers() {
		switch {
		case op.larger > 0:
			op.answer(simAnswer{started: cloud.ResetStarted{RequestID: op.id}})
		case !op.fails:
			op.answer(simAnswer{started: cloud.ResetStarted{Done: true}})
		case op.kind != "":
			op.answer(simAnswer{err: cloud.Errorf(op.kind, "simulated")})
		default:
			op.answer(simAnswer{err: simUnknown("reset")})
		}
	}
	c.w.checkStored(s.account)
}

// takes reports whether the server lets an operation set its value: where it keeps the order it looks at that, and at its own clock,
// which agrees with the node's as far as is promised: what comes later than both may differ is as late as a deadline can say.
func (s *simServer) takes(op *simOperation) bool {
	if !op.method.keepsOrder() {
		return true
	}
	if s.order > op.order {
		op.larger = s.order
		return false
	}
	return time.Since(op.sent) < cloud.OrderDeadline+simGuestLag+protocol.ClockSkew
}

// take sets an operation's value. Where an older one, or one that is run again, comes after a person's, which has no order that would
// keep it out, nothing is promised until the next one.
func (s *simServer) take(op *simOperation) {
	s.byHand = op.method.keepsOrder() && s.hand && (op.again || op.order < s.largest)
	s.password, s.order, s.hand = op.value, op.order, false
}

// again is an agent that runs a command once more. The cloud says nothing of it.
func (c *simCloud) again(s *simServer, op *simOperation) {
	c.mu.Lock()
	repeated := *op
	repeated.again = true
	if s.takes(&repeated) {
		s.take(&repeated)
	}
	c.w.tracef("the agent on %s runs %s again, of order %d: the server has %s, of order %d", s.id, op.id, op.order, s.password, s.order)
	c.mu.Unlock()
	c.w.checkStored(s.account)
}

// overwrite lets a foreign operation replace the record, if the cloud allows one now.
func (c *simCloud) overwrite(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.servers[id]
	if s.gone || s.running[serialMethod]+s.running[serialElsewhere]+s.running[expiringMethod] > 0 {
		return
	}
	s.operation, s.state, s.said = c.newID("foreign"), cloud.OperationSuccess, ""
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
