package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// rollout looks at a group's members and decides what its worker is to do.
func (x *executor) rollout(ctx context.Context, g *Account, r cloud.PasswordResetter) (protocol.Rollout, error) {
	members, err := x.members(ctx, g)
	if err != nil {
		return protocol.Rollout{}, err
	}
	known := make([]protocol.GroupMember, len(members))
	stop, o := x.connection(g.Connection).brake.holds(x.opts.Now()), g.Offers()
	for i, m := range members {
		e, together := x.entry(m.ID), joint(r, m)
		e.mu.Lock()
		known[i] = protocol.GroupMember{Account: m, Joint: together, Held: e.delay.failures > 0, HeldUntil: e.delay.wait.Until}
		if begins := m.Pending == nil || m.Pending.Batch != o.Batch; begins && !o.Forced {
			known[i].HeldUntil = protocol.Latest(known[i].HeldUntil, stop.Until) // rule 25
		}
		e.mu.Unlock()
	}
	return protocol.PlanRollout(g, known, x.opts.Now()), nil
}

// rollOut does what needs no cloud on the way of a group's members to its value: the batch, or for those that
// lag behind the current version.
func (x *executor) rollOut(ctx context.Context, e *entry, g *Account) error {
	changes := e.group.changes.Load() // before the look, so that a change during it is not lost
	now := x.opts.Now()
	e.mu.Lock()
	e.group.begun(now)
	e.mu.Unlock()
	to, err := x.connect(ctx, e.id.Connection)
	if err != nil {
		x.delay(e, err)
		return nil
	}
	if m := to.moved(now); m.Changes(g) {
		return x.relocate(ctx, e, m)
	}
	if to, err = to.with(g.Settings.ResetMethod); err != nil {
		x.delay(e, err)
		return nil
	}
	plan, err := x.rollout(ctx, g, to.reset)
	if err != nil {
		return err
	}
	if done, err := x.rollOutElsewhere(ctx, e, g, plan, to); done || err != nil {
		x.looked(e, changes, protocol.Rollout{Next: now.Add(protocol.RolloutInterval), Awaited: 1})
		return err
	}
	batch := g.Offers().Batch
	for _, m := range plan.Supersede {
		if err := x.apply(ctx, x.entry(m.ID), protocol.BatchSuperseded{Batch: batch}); err != nil {
			return err
		}
	}
	for _, m := range plan.LeaveOut {
		if err := x.apply(ctx, x.entry(m.ID), protocol.MemberLeftOut{At: now}); err != nil {
			return err
		}
		x.opts.Logger.Warn("the other accounts of the role do not wait for this one any more", "account", m.String(), "role", g.Role,
			"reason", m.WhyLeftOut().String())
	}
	x.looked(e, changes, plan)
	switch {
	case plan.Replace:
		return x.beginBatch(ctx, e, g, to, true)
	case plan.Agree:
		x.clearDelay(e)
		return x.apply(ctx, e, protocol.BatchConfirmed{Batch: batch, At: now})
	case plan.Due && g.Due == nil:
		return x.apply(ctx, e, protocol.RotationRequested{Reason: protocol.DueJoiner, At: now})
	}
	return nil
}

// looked notes the end of a look at a group's members, as they were at that count of changes.
func (x *executor) looked(e *entry, changes uint64, plan protocol.Rollout) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.group.done(changes, plan, e.rec)
}

// rollOutElsewhere sees to a group's value that was made for another place than the connection has now (rule 18): it
// is given up once no member has an open attempt of it, and who lacks it is not given it. done is set where there
// is nothing else to do.
func (x *executor) rollOutElsewhere(ctx context.Context, e *entry, g *Account, plan protocol.Rollout, to session) (done bool, err error) {
	now := x.opts.Now()
	switch {
	case plan.Agree:
		return false, nil
	case g.Pending == nil && g.CurrentElsewhere() && plan.Awaited > 0 && g.Due == nil:
		return true, x.apply(ctx, e, protocol.RotationRequested{Reason: protocol.DuePlace, At: now})
	case g.Pending == nil || !g.Misplaced():
		return false, nil
	}
	members, err := x.members(ctx, g)
	if err != nil {
		return true, err
	}
	for _, m := range members {
		if p := m.Pending; p != nil && p.Batch == g.Pending.Batch && len(p.Attempts) > 0 {
			return true, nil // the connection may come back before that is settled
		}
	}
	if opens := g.Timetable().NextAllowed(now); opens.After(now) && (g.Due == nil || !g.Due.Forced) {
		return true, nil
	}
	return true, x.beginBatch(ctx, e, g, to, true)
}
