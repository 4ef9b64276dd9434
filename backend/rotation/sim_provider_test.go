package rotation

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// simProvider is one node's way to the cloud.
type simProvider struct {
	n    *simNode
	gate cloud.Limiter
	// connection is its name: each has a limit of its own.
	connection string
	// clock is what the cloud's answers have told of its clock, which is the true one.
	clock cloud.RemoteClock
}

var (
	_ cloud.PasswordResetters      = (*simProvider)(nil)
	_ cloud.PasswordResetter       = simResetter{}
	_ cloud.ResetPreparer          = simPreparer{}
	_ cloud.ResetBounder           = simBounder{}
	_ cloud.ResetCleaner           = simCleaner{}
	_ cloud.InitialPasswordReader  = (*simProvider)(nil)
	_ cloud.InitialPasswordClearer = (*simProvider)(nil)
)

// Resetter implements cloud.PasswordResetters.
func (p *simProvider) Resetter(method string) cloud.PasswordResetter {
	r := simResetter{p, simMethod(method)}
	switch r.method {
	case commandMethod:
		return simPreparer{r}
	case expiringMethod:
		return simBounder{r}
	case orderedMethod, recordedMethod:
		return simCleaner{r}
	}
	return r
}

// simResetter is one node's way to have passwords set by one method.
type simResetter struct {
	*simProvider
	method simMethod
}

// simPreparer needs to ask the guest for something first.
type simPreparer struct{ simResetter }

// simBounder can have a request expire soon.
type simBounder struct{ simResetter }

// simMargin is how much longer such a request counts than it lives.
const simMargin = time.Minute

// BoundReset implements cloud.ResetBounder.
func (p simBounder) BoundReset(d time.Duration) cloud.ResetBound {
	p.n.w.disturb("look")
	at, err := p.clock.Earliest(p.clocks())
	if err != nil {
		return cloud.ResetBound{}
	}
	life := d + cloud.RemoteClockError + time.Second
	return cloud.ResetBound{Expires: at.Add(life), Within: life + simMargin}
}

// clocks are those of the node.
func (p *simProvider) clocks() cloud.Clocks {
	return cloud.Clocks{Mono: time.Now(), Wall: p.n.w.now().Round(0)}
}

// ResetTraits implements cloud.PasswordResetter.
func (p simResetter) ResetTraits() cloud.ResetTraits {
	t := cloud.ResetTraits{Action: "reset", BatchSize: 100, PollBatch: 100, SignatureLifetime: simLifetime, Serial: p.method.isSerial(),
		LongestOperation: p.method.longestTrait(), VisibilityGrace: simGrace, PollInterval: simPoll,
		KeepsOrder: p.method.keepsOrder(), OwnIDs: p.method.ownIDs()}
	if p.method == commandMethod || p.method.answers() || p.method == recordedMethod {
		t.BatchSize, t.PollBatch = 1, 1
	}
	return t
}

// Prepares implements cloud.ResetPreparer.
func (simPreparer) Prepares(cloud.Platform) bool { return true }

// PrepareReset implements cloud.ResetPreparer. It is a crash point, and may fail.
func (p simPreparer) PrepareReset(ctx context.Context, r cloud.Reset) (string, error) {
	if r.Password != "" {
		p.n.w.violation("I10", "%s is given away before it is recorded", r.Password)
	}
	key := ""
	err := p.call(ctx, "prepare", r.InstanceIDs[0], func(c *simCloud) error {
		key = "key of " + r.InstanceIDs[0]
		return nil
	})
	return key, err
}

func simUnknown(what string) error { return cloud.Errorf(cloud.Unknown, "%s: no answer", what) }

// StartReset implements cloud.PasswordResetter. It is a crash point: before the request leaves, and
// after the cloud took it.
func (p simResetter) StartReset(ctx context.Context, r cloud.Reset) (cloud.ResetStarted, error) {
	w, c, id, o := p.n.w, p.n.w.cloud, r.InstanceIDs[0], p.n.w.odds()
	if p.n.dead() {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unavailable, "dead")
	}
	if p.method == commandMethod && r.Prepared != "key of "+id {
		w.violation("I10", "a command for %s was prepared with %q", id, r.Prepared)
	}
	if ordered := p.method.keepsOrder(); ordered != (r.Order > 0) || p.method.ownIDs() != (r.Name != "") || ordered == r.NotAfter.IsZero() {
		w.violation("I10", "a request by the method %s has order %d, deadline %s, name %q", p.method, r.Order, r.NotAfter, r.Name)
	}
	if late := time.Until(r.NotAfter); late > cloud.OrderDeadline && !w.faulty.Load() {
		w.violation("I10", "a request may be carried out for %s", late)
	}
	p.n.paced(p.connection + " reset")
	crash := w.point("reset", id)
	if crash == crashBefore {
		p.n.die("before", "reset", id)
		return cloud.ResetStarted{}, simUnknown("reset")
	}
	if w.fault("unsent", id, o.refuse) {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unavailable, "cannot connect")
	}
	w.disturb("record")
	signed := time.Now()
	w.tracef("node %d sends %s reset(%s) to %v", p.n.id, p.method, r.Password, r.InstanceIDs)
	for _, id := range r.InstanceIDs {
		w.checkSent(c.user(id, r.Username).account, r.Password)
	}
	c.fly(p.method, r.InstanceIDs, r.Username, r.Password)
	answers := make(chan simAnswer, 1)
	lost := w.fault("answer lost", id, o.lost)
	c.locked(func() { lost = lost || c.lies.lost })
	delay := time.Millisecond + w.duration("latency of a reset", id, 400*time.Millisecond)
	if w.fault("late", id, o.late) {
		lives := simLifetime
		if !r.Expires.IsZero() {
			lives = time.Until(r.Expires)
		}
		delay = w.duration("late by", id, lives+lives/20)
	}
	time.AfterFunc(delay, func() {
		c.arrive(p.method, r, signed, func(a simAnswer) {
			if !lost && crash != crashAfter {
				answers <- a
			}
		})
		if crash == crashAfter {
			p.n.die("after", "reset", id)
		}
	})
	select {
	case a := <-answers:
		return a.started, a.err
	case <-ctx.Done():
		return cloud.ResetStarted{}, simUnknown("reset")
	}
}

// ResetRecords implements cloud.PasswordResetter.
func (p simResetter) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	out := map[string]cloud.ResetRecord{}
	err := p.call(ctx, "describe", "", func(c *simCloud) error {
		for _, r := range refs {
			if s := c.servers[r.InstanceID]; s != nil && !s.gone {
				if p.method == recordedMethod && r.RequestID == "" && r.Name == "" {
					c.sweep(s)
				}
				id := r.RequestID
				if id == "" && r.Name != "" {
					id = s.named[r.Name]
				}
				if record, found := c.tell(s, s.record(p.method, id)); found {
					out[r.InstanceID] = record
				}
			}
		}
		return nil
	})
	return out, err
}

// call is one paced request: a crash point before it leaves and after it took effect, with a latency
// and failures.
func (p *simProvider) call(ctx context.Context, action, who string, effect func(*simCloud) error) error {
	if err := p.gate.Wait(ctx, action); err != nil {
		return err
	}
	w, c, o := p.n.w, p.n.w.cloud, p.n.w.odds()
	if p.n.dead() {
		return cloud.Errorf(cloud.Unavailable, "dead")
	}
	p.n.paced(p.connection + " " + action)
	crash := w.point(action, who)
	if crash == crashBefore {
		p.n.die("before", action, who)
		return simUnknown(action)
	}
	sent := p.clocks()
	timer := time.NewTimer(time.Millisecond + w.duration("latency of "+action, who, 400*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return simUnknown(action)
	}
	if w.fault("throttle "+action, who, o.refuse) {
		return w.throttled(who)
	}
	lost := w.fault("answer lost "+action, who, o.lost/4)
	err := simUnknown(action)
	c.locked(func() {
		c.calls++
		if !c.refuse && c.deaf != p.connection {
			err = effect(c)
		}
	})
	if crash == crashAfter {
		p.n.die("after", action, who)
	}
	if lost || p.n.dead() {
		return simUnknown(action)
	}
	if err == nil {
		p.clock.Learn(time.Now().UTC().Format(http.TimeFormat), sent, p.clocks())
	}
	return err
}

// DescribeInstances implements cloud.Provider; the core does not use it.
func (p *simProvider) DescribeInstances(context.Context, []string) ([]cloud.Instance, error) {
	return nil, nil
}

// FindInstances implements cloud.Provider; the core does not use it.
func (p *simProvider) FindInstances(context.Context, map[string]string) ([]cloud.Instance, error) {
	return nil, nil
}

// Verify implements cloud.Provider.
func (p *simProvider) Verify(context.Context) error { return nil }

// ValidateInstanceID implements cloud.Provider.
func (p *simProvider) ValidateInstanceID(string) error { return nil }

// DefaultUsername implements cloud.Provider.
func (p *simProvider) DefaultUsername(cloud.Instance) string { return "root" }

// PasswordRules implements cloud.Provider.
func (p *simProvider) PasswordRules(cloud.Instance) password.Rules { return password.Rules{} }

// InitialPassword implements cloud.InitialPasswordReader.
func (p *simProvider) InitialPassword(ctx context.Context, id string) (string, error) {
	value := ""
	err := p.call(ctx, "initial", id, func(c *simCloud) error {
		switch s := c.servers[id]; {
		case s.gone:
			return cloud.Errorf(cloud.NotFound, "no such instance")
		case s.initial == "" || time.Now().Before(s.readyAt):
			return cloud.Errorf(cloud.NotReady, "not there")
		default:
			value = "sealed:" + s.initial
			s.shownInitial[s.initial] = true
			return nil
		}
	})
	return value, err
}

// CheckInitialPassword implements cloud.InitialPasswordReader.
func (p *simProvider) CheckInitialPassword(context.Context, string) error { return nil }

// InitialPasswordDelay implements cloud.InitialPasswordReader.
func (p *simProvider) InitialPasswordDelay() time.Duration { return simInitialDelay }

// KeyFingerprint implements cloud.InitialPasswordReader.
func (p *simProvider) KeyFingerprint(context.Context, string) (string, error) { return "", nil }

// ClearInitialPassword implements cloud.InitialPasswordClearer.
func (p *simProvider) ClearInitialPassword(ctx context.Context, id string) error {
	err := p.call(ctx, "clear", id, func(c *simCloud) error {
		c.servers[id].initial = ""
		return nil
	})
	p.n.w.checkStored(p.n.w.cloud.servers[id].account)
	return err
}

func simDecrypt(_ context.Context, c Ciphertext) (string, error) {
	return strings.TrimPrefix(c.Value, "sealed:"), nil
}
