package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// planInput describes the present for plan. The caller holds e.mu.
func (c *Core) planInput(e *entry) protocol.PlanInput {
	clock := c.clock.read()
	now := clock.Now
	s := protocol.PlanInput{Now: now, Clock: clock, OwnSchedule: e.rec.NextRotation.Equal(e.ownNext),
		Held: e.delayed.Over(now), NextPoll: e.pollAt}
	n := c.connection(e.id.Connection)
	s.Stopped = n.brake.holds(now)
	if e.rec.Due != nil && !e.id.IsGroup() {
		if until := c.turns.taken(serverOf(e.rec), e); !until.IsZero() {
			s.Turn = now.Add(time.Until(until))
		}
	}
	n.mu.Lock()
	live := n.live
	n.mu.Unlock()
	if live != nil {
		s.Traits = live.traits
		s.Joint = live.joint
	}
	if e.id.IsGroup() {
		s.Look, s.Together = e.nextLook(), e.together
	} else if id, member := e.rec.Group(); member {
		s.Group = c.entry(id).known.Load()
	}
	if live != nil {
		s.Place = live.moved(now)
	}
	s.Settles = func(t protocol.Attempt) time.Time {
		if t.Window > 0 {
			first, ok := e.seen[t.ID]
			if !ok {
				return now.Add(t.Window)
			}
			return now.Add(t.Window - time.Since(first))
		}
		var traits *cloud.ResetTraits
		if live != nil {
			traits = live.traits(t.Method)
		}
		if traits == nil {
			return e.delayed.Until // the window is not known yet: the worker connects, or says why it cannot
		}
		window := settleWindow(*traits, t.IsFence, live)
		first, ok := e.seen[t.ID]
		if !ok {
			return now.Add(window)
		}
		return now.Add(window - time.Since(first))
	}
	return s
}

// waits is what the account's rotation waits for. The caller holds e.mu.
func (c *Core) waits(e *entry) protocol.Waiting {
	if e.rec == nil || e.rec.Due == nil {
		return protocol.Waiting{}
	}
	s := c.planInput(e)
	if open, retry, _ := c.connection(e.id.Connection).breaker.state(s.Now); open {
		s.Breaker = protocol.Waiting{Until: s.Now.Add(max(retry, time.Second)), Cause: protocol.ForConnection}
	}
	return e.rec.WaitsFor(s)
}

// settleWindow is the time after which nothing that an attempt sent can take effect any more
// (rule 10), counted from when the attempt was first seen: the time it may wait to be signed and
// sent, the exchange itself, the life of its signature, and the operation where the cloud does not
// order it with the next one: that of another method (barrier) it never orders.
func settleWindow(t cloud.ResetTraits, barrier bool, v *Connection) time.Duration {
	w := sendPatience(v) + v.RequestTimeout + t.SignatureLifetime + protocol.ClockSkew
	if !t.Serial || barrier {
		w += t.LongestOperation
	}
	return w
}

// settle closes the attempts whose window has passed. Where an attempt has none of its own it is the connection's,
// which is made known first if it is not; that sends nothing.
func (c *Core) settle(ctx context.Context, e *entry, rec *Account, s protocol.PlanInput) error {
	var ids []string
	unknown := ""
	for _, t := range rec.Settling(s.Traits) {
		switch {
		case t.Window == 0 && (s.Traits == nil || s.Traits(t.Method) == nil):
			unknown = t.Method
		case !s.Settles(t).After(s.Now):
			ids = append(ids, t.ID)
		}
	}
	switch {
	case len(ids) > 0:
		return c.apply(ctx, e, protocol.AttemptsSettled{Attempts: ids, At: s.Now, Lost: c.backoff(rec,
			errors.New("the cloud has not shown how the reset ended for as long as it may take"), false)})
	case s.Traits == nil:
		if _, _, err := c.connect(ctx, e.id.Connection); err != nil {
			c.delay(e, err)
		} else {
			c.clearDelay(e)
		}
	case unknown != "":
		c.delay(e, fmt.Errorf(
			"the account has an open attempt by the reset method %q, which this plugin version does not have; run the one that made it", unknown))
	}
	return nil
}
