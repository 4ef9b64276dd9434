package rotation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// The model cloud's figures. They are those of section 3's assumptions, not of any real cloud.
const (
	simTimeout      = 10 * time.Second
	simLifetime     = 5 * time.Minute
	simLongest      = 8 * time.Minute
	simGrace        = 30 * time.Second
	simPoll         = 2 * time.Second
	simInitialDelay = 10 * time.Minute
)

// simCloud is the cloud, with its servers. It survives every crash.
type simCloud struct {
	w      *world
	serial bool

	mu      sync.Mutex
	servers map[string]*simServer
	nextID  int
	// resets counts the accepted values per instance, in order.
	resets map[string][]string
	refuse bool // an outage
}

type simServer struct {
	id         string
	password   string
	initial    string // the cloud's copy of the initial password; "" once cleared
	operation  string // the latest operation, as it is
	state      cloud.OperationState
	shown      string // the latest operation, as the record shows it
	shownState cloud.OperationState
	running    int
	gone       bool
	byHand     bool // the operator changed the password; nothing is promised until it is imported
}

// show makes the record visible, at once or after a lag.
func (s *simServer) show() { s.shown, s.shownState = s.operation, s.state }

func (c *simCloud) newID(kind string) string {
	c.nextID++
	return fmt.Sprintf("%s-%d", kind, c.nextID)
}

// simProvider is one node's way to the cloud.
type simProvider struct {
	n    *simNode
	gate cloud.Gate
}

var (
	_ cloud.PasswordResetter       = (*simProvider)(nil)
	_ cloud.InitialPasswordReader  = (*simProvider)(nil)
	_ cloud.InitialPasswordClearer = (*simProvider)(nil)
)

func (p *simProvider) traits() cloud.ResetTraits {
	return cloud.ResetTraits{Action: "reset", BatchSize: 100, SignatureLifetime: simLifetime, Serial: p.n.w.cloud.serial,
		LongestOperation: simLongest, VisibilityGrace: simGrace, PollInterval: simPoll}
}

func (p *simProvider) ResetTraits() cloud.ResetTraits { return p.traits() }

// latency is the time of one way; a fault makes it longer than any client waits.
func (p *simProvider) latency(stream string) time.Duration {
	w := p.n.w
	return time.Millisecond + time.Duration(w.number("latency "+stream, 400))*time.Millisecond
}

func simUnknown(what string) error { return cloud.Errorf(cloud.Unknown, "%s: no answer", what) }

// StartReset is a crash point: before the request leaves, and after the cloud accepted it.
func (p *simProvider) StartReset(ctx context.Context, r cloud.Reset) (cloud.ResetStarted, error) {
	w, c, id := p.n.w, p.n.w.cloud, r.InstanceIDs[0]
	if p.n.dead() {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unavailable, "dead")
	}
	p.n.paced("reset")
	crash := w.point(p.n, "reset "+id)
	if crash == crashBefore {
		p.n.die("before the reset of " + id + " was sent")
		return cloud.ResetStarted{}, simUnknown("reset")
	}
	if w.fault("unsent "+id, w.odds.refuse) {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unavailable, "cannot connect")
	}
	signed := time.Now()
	w.tracef("node %d sends reset(%s) to %v", p.n.id, r.Password, r.InstanceIDs)
	type result struct {
		started cloud.ResetStarted
		err     error
	}
	answer := make(chan result, 1)
	lost := w.fault("answer lost "+id, w.odds.lost)
	delay := p.latency(id)
	if w.fault("late "+id, w.odds.late) {
		delay = time.Duration(w.number("late by "+id, int(simLifetime/time.Second))) * time.Second
	}
	time.AfterFunc(delay, func() {
		started, err := c.arrive(r.InstanceIDs, r.Password, signed)
		if crash == crashAfter {
			p.n.die("after the cloud took the reset of " + id)
			lost = true
		}
		if !lost {
			answer <- result{started, err}
		}
	})
	select {
	case a := <-answer:
		return a.started, a.err
	case <-ctx.Done():
		return cloud.ResetStarted{}, simUnknown("reset")
	}
}

// arrive is the cloud's side of a reset request: it takes all instances or none.
func (c *simCloud) arrive(ids []string, value string, signed time.Time) (cloud.ResetStarted, error) {
	w := c.w
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if err := c.refusal(id, signed); err != nil {
			return cloud.ResetStarted{}, err
		}
	}
	op := c.newID("op")
	for _, id := range ids {
		s := c.servers[id]
		s.operation, s.state = op, cloud.OperationRunning
		s.running++
		c.resets[id] = append(c.resets[id], value)
		w.tracef("cloud accepts reset(%s) on %s as %s", value, id, op)
		if lag := w.number("lag "+id, 5000); w.fault("lag "+id, w.odds.lag) {
			time.AfterFunc(time.Duration(lag)*time.Millisecond, func() { c.locked(func() { s.show() }) })
		} else {
			s.show()
		}
		takes := 500*time.Millisecond + time.Duration(w.number("takes "+id, 8000))*time.Millisecond
		if w.fault("slow "+id, w.odds.late) {
			takes = time.Duration(w.number("slow by "+id, int(simLongest/time.Second)-1)) * time.Second
		}
		fails := w.fault("failed "+id, w.odds.failed)
		applied := !fails || w.fault("failed although applied "+id, 0.5)
		time.AfterFunc(takes, func() { c.finish(s, op, value, fails, applied) })
	}
	return cloud.ResetStarted{RequestID: op}, nil
}

// refusal is why the cloud does not take a reset of an instance; nil if it does.
func (c *simCloud) refusal(id string, signed time.Time) error {
	w, s := c.w, c.servers[id]
	switch {
	case c.refuse:
		return simUnknown("reset")
	case time.Since(signed) > simLifetime:
		return cloud.Errorf(cloud.Denied, "signature expired")
	case s == nil || s.gone:
		return cloud.Errorf(cloud.NotFound, "no such instance")
	case c.serial && s.running > 0:
		return cloud.Errorf(cloud.Refused, "another operation runs")
	case w.fault("throttle "+id, w.odds.refuse):
		return cloud.Errorf(cloud.Throttled, "slow down")
	case w.fault("password refused "+id, w.odds.password):
		return cloud.Errorf(cloud.PasswordRefused, "the password is too simple")
	}
	return nil
}

// finish ends an operation: the server has the new password, or not, and the record says so, or not.
func (c *simCloud) finish(s *simServer, op, value string, fails, applied bool) {
	c.mu.Lock()
	s.running--
	state := cloud.OperationSuccess
	if fails {
		state = cloud.OperationFailed
	}
	if applied && !s.gone {
		s.password = value
		s.byHand = false
	}
	if s.operation == op {
		s.state = state
		s.show()
	}
	c.w.tracef("operation %s on %s ends: %s, applied %v: the server has %s", op, s.id, state, applied, s.password)
	c.mu.Unlock()
	c.w.checkStored()
}

func (c *simCloud) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
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

func (p *simProvider) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	w, c := p.n.w, p.n.w.cloud
	if err := p.gate.Wait(ctx, "describe"); err != nil {
		return nil, err
	}
	if err := p.call(ctx, "describe", "describe "+refs[0].InstanceID); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]cloud.ResetRecord{}
	for _, r := range refs {
		if s := c.servers[r.InstanceID]; s != nil && !s.gone {
			out[r.InstanceID] = cloud.ResetRecord{OperationID: s.shown, State: s.shownState, Message: "simulated"}
		}
	}
	_ = w
	return out, nil
}

// call is one request that changes nothing: a crash point, with a latency and failures.
func (p *simProvider) call(ctx context.Context, action, what string) error {
	w, c := p.n.w, p.n.w.cloud
	if p.n.dead() {
		return cloud.Errorf(cloud.Unavailable, "dead")
	}
	p.n.paced(action)
	crash := w.point(p.n, what)
	if crash == crashBefore {
		p.n.die("before " + what)
	}
	select {
	case <-time.After(p.latency(what)):
	case <-ctx.Done():
		return simUnknown(action)
	}
	if crash == crashAfter {
		p.n.die("after " + what)
	}
	down := false
	c.locked(func() { down = c.refuse })
	switch {
	case p.n.dead() || down:
		return simUnknown(action)
	case w.fault(what, w.odds.refuse):
		return cloud.Errorf(cloud.Throttled, "slow down")
	}
	return nil
}

func (p *simProvider) DescribeInstances(context.Context, []string) ([]cloud.Instance, error) {
	return nil, nil
}
func (p *simProvider) FindInstances(context.Context, map[string]string) ([]cloud.Instance, error) {
	return nil, nil
}
func (p *simProvider) Verify(context.Context) error                { return nil }
func (p *simProvider) ValidateInstanceID(string) error             { return nil }
func (p *simProvider) DefaultUsername(cloud.Instance) string       { return "root" }
func (p *simProvider) PasswordRules(cloud.Instance) password.Rules { return password.Rules{} }

func (p *simProvider) InitialPassword(ctx context.Context, id string) (string, error) {
	if err := p.gate.Wait(ctx, "initial"); err != nil {
		return "", err
	}
	if err := p.call(ctx, "initial", "initial password of "+id); err != nil {
		return "", err
	}
	var value string
	p.n.w.cloud.locked(func() { value = p.n.w.cloud.servers[id].initial })
	if value == "" {
		return "", cloud.Errorf(cloud.NotReady, "not there")
	}
	return "sealed:" + value, nil
}

func (p *simProvider) CheckInitialPassword(context.Context, string) error { return nil }
func (p *simProvider) InitialPasswordDelay() time.Duration                { return simInitialDelay }
func (p *simProvider) KeyFingerprint(context.Context, string) (string, error) {
	return "", nil
}

func (p *simProvider) ClearInitialPassword(ctx context.Context, id string) error {
	if err := p.gate.Wait(ctx, "clear"); err != nil {
		return err
	}
	if err := p.call(ctx, "clear", "clear "+id); err != nil {
		return err
	}
	p.n.w.cloud.locked(func() { p.n.w.cloud.servers[id].initial = "" })
	p.n.w.checkStored()
	return nil
}

func simDecrypt(_ context.Context, c Ciphertext) (string, error) {
	return strings.TrimPrefix(c.Value, "sealed:"), nil
}
