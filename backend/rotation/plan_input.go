package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// planInput describes the present for plan. The caller holds e.mu.
func (p *planner) planInput(e *entry) protocol.PlanInput {
	clock := p.clock.read()
	now := clock.Now
	s := protocol.PlanInput{Now: now, Clock: clock, OwnSchedule: e.rec.NextRotation.Equal(e.ownNext),
		Held: e.delay.wait.Over(now), NextPoll: e.attempts.pollAt, CheckHeld: e.check.held, CleanHeld: e.cleaning.held}
	n := p.connection(e.id.Connection)
	s.Stopped = n.brake.holds(now)
	if e.rec.Due != nil && !e.id.IsGroup() {
		if until := p.turns.taken(serverOf(e.rec), e.id); !until.IsZero() {
			s.Turn = now.Add(time.Until(until))
		}
	}
	live := n.connected()
	if live != nil {
		s.Traits = live.traits
		s.Joint = live.joint
	}
	if e.id.IsGroup() {
		s.Look, s.Together = e.group.nextLook(), e.group.together
	} else if id, member := e.rec.Group(); member {
		s.Group = p.entry(id).group.record.Load()
	}
	if live != nil {
		s.Place = live.moved(now)
	}
	s.Settles = func(t protocol.Attempt) time.Time {
		if t.Window > 0 {
			return now.Add(e.attempts.left(t, t.Window))
		}
		var traits *cloud.ResetTraits
		if live != nil {
			traits = live.traits(t.Method)
		}
		if traits == nil {
			return e.delay.wait.Until // the window is not known yet: the worker connects, or says why it cannot
		}
		return now.Add(e.attempts.left(t, settleWindow(*traits, cloud.ResetBound{}, t.IsFence, live)))
	}
	return s
}

// waits is what the account's rotation waits for. The caller holds e.mu.
func (p *planner) waits(e *entry) protocol.Waiting {
	if e.rec == nil || e.rec.Due == nil {
		return protocol.Waiting{}
	}
	s := p.planInput(e)
	if open, retry, _ := p.connection(e.id.Connection).breaker.state(s.Now); open {
		s.Breaker = protocol.Waiting{Until: s.Now.Add(max(retry, time.Second)), Cause: protocol.ForConnection}
	}
	return e.rec.WaitsFor(s)
}
