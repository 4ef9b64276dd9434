package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// schedule puts an account where its plan wants it. The caller holds e.mu and its record is loaded.
//
// A plan is also made of what other locks guard: whose turn it is on the server, what the group offers, whether the connection may
// go on. If that changes after it was looked at, whoever changes it asks for a look, perhaps before the account is put where the
// older plan wants it. So an account that was asked for meanwhile is looked at once more.
func (p *planner) schedule(e *entry) {
	asked := e.asked.Load()
	p.follow(e)
	if e.asked.Load() != asked {
		p.scheduleAt(e, protocol.StepNone, p.opts.Now())
	}
}

// follow makes the plan and puts the account where that wants it.
func (p *planner) follow(e *entry) {
	if e.rec == nil {
		p.unschedule(e)
		return
	}
	input := p.planInput(e)
	st, at := e.rec.Plan(input)
	switch st {
	case protocol.StepNone:
		p.unschedule(e)
	case protocol.StepCheck, protocol.StepClean: // it may wait for long behind others, but what else there is to do at a time does not
		input.NoSpare = true
		again := time.Time{}
		if other, then := e.rec.Plan(input); other != protocol.StepNone {
			again = then
		}
		p.queues.PutSpare(e.id.Connection, &e.slot, e, at, again)
	default:
		p.scheduleAt(e, st, at)
	}
}

// ask has an account looked at now, since something has changed that its record does not tell. The caller has made that change, and
// need not hold e.mu.
func (p *planner) ask(e *entry) {
	e.asked.Add(1)
	p.scheduleAt(e, protocol.StepNone, p.opts.Now())
}

// scheduleAt puts an account into its queue, or moves it there. StepNone only asks for its plan.
func (p *planner) scheduleAt(e *entry, st protocol.Step, at time.Time) {
	class := workqueue.Local
	switch {
	case st == protocol.StepPoll || st == protocol.StepJoint:
		class = workqueue.Begun
	case st.CallsCloud():
		class = workqueue.Remote
	}
	p.queues.Put(e.id.Connection, &e.slot, e, class, at)
}

func (p *planner) unschedule(e *entry) { p.queues.Remove(e.id.Connection, &e.slot) }

// hurry moves a due account before others of its connection, because a client waits for it; with a group its
// members.
func (p *planner) hurry(e *entry) {
	if e.group != nil {
		if g := e.group.record.Load(); g != nil {
			for _, id := range g.Members {
				p.hurryOne(p.entry(id))
			}
		}
	}
	p.hurryOne(e)
}

func (p *planner) hurryOne(e *entry) { p.queues.Hurry(e.id.Connection, &e.slot) }
