package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// situate describes the present for plan. The caller holds e.mu.
func (c *Core) situate(e *entry) situation {
	clock := c.clock.read()
	now := clock.now
	s := situation{now: now, clock: clock, ownSchedule: e.rec.NextRotation.Equal(e.ownNext),
		held: e.held.over(now), nextPoll: e.pollAt}
	n := c.connection(e.id.Connection)
	s.stopped = n.brake.holds(now)
	if e.rec.Due != nil && !e.id.isGroup() {
		if until := c.turns.taken(serverOf(e.rec), e); !until.IsZero() {
			s.turn = now.Add(time.Until(until))
		}
	}
	n.mu.Lock()
	live := n.live
	n.mu.Unlock()
	if live != nil {
		s.traits = live.traits
		s.joint = live.joint
	}
	if e.id.isGroup() {
		s.look, s.together = e.nextLook(), e.together
	} else if id, member := e.rec.group(); member {
		s.group = c.entry(id).known.Load()
	}
	if live != nil {
		s.place = live.moved(now)
	}
	s.settles = func(t Attempt) time.Time {
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
			return e.held.until // the window is not known yet: the worker connects, or says why it cannot
		}
		window := settleWindow(*traits, t.Barrier, live)
		first, ok := e.seen[t.ID]
		if !ok {
			return now.Add(window)
		}
		return now.Add(window - time.Since(first))
	}
	return s
}

// waits is what the account's rotation waits for. The caller holds e.mu.
func (c *Core) waits(e *entry) waiting {
	if e.rec == nil || e.rec.Due == nil {
		return waiting{}
	}
	s := c.situate(e)
	if open, retry, _ := c.connection(e.id.Connection).breaker.state(s.now); open {
		s.breaker = waiting{s.now.Add(max(retry, time.Second)), ForConnection}
	}
	return e.rec.waits(s)
}

// settleWindow is the time after which nothing that an attempt sent can take effect any more
// (rule 10), counted from when the attempt was first seen: the time it may wait to be signed and
// sent, the exchange itself, the life of its signature, and the operation where the cloud does not
// order it with the next one: that of another method (barrier) it never orders.
func settleWindow(t cloud.ResetTraits, barrier bool, v *Connection) time.Duration {
	w := sendPatience(v) + v.RequestTimeout + t.SignatureLifetime + clockSkew
	if !t.Serial || barrier {
		w += t.LongestOperation
	}
	return w
}

// settle closes the attempts whose window has passed. Where an attempt has none of its own it is the connection's,
// which is made known first if it is not; that sends nothing.
func (c *Core) settle(ctx context.Context, e *entry, rec *Account, s situation) error {
	var ids []string
	unknown := ""
	for _, t := range rec.settling(s.traits) {
		switch {
		case t.Window == 0 && (s.traits == nil || s.traits(t.Method) == nil):
			unknown = t.Method
		case !s.settles(t).After(s.now):
			ids = append(ids, t.ID)
		}
	}
	switch {
	case len(ids) > 0:
		return c.apply(ctx, e, settled{attempts: ids, at: s.now, lost: c.backoff(rec,
			errors.New("the cloud has not shown how the reset ended for as long as it may take"), false)})
	case s.traits == nil:
		if _, _, err := c.connect(ctx, e.id.Connection); err != nil {
			c.hold(e, err)
		} else {
			c.unhold(e)
		}
	case unknown != "":
		c.hold(e, fmt.Errorf("the account has an open attempt by the reset method %q, which this plugin version does not have; run the one that made it", unknown))
	}
	return nil
}
