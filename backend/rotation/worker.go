package rotation

import (
	"context"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// work does the next step of an account, if it is time. There is one worker per account: the queue
// never hands out an account that is being worked on (rule 2). Whatever happens, the queue asks for
// the account's plan again afterwards.
// remote says that it holds a permission to call the cloud.
func (x *executor) work(ctx context.Context, e *entry, remote bool) error {
	rec, s, err := x.presently(ctx, e)
	if err != nil || rec == nil {
		return err
	}
	st, at := rec.Plan(s)
	if st == protocol.StepNone || at.After(s.Now) || st.CallsCloud() && !remote {
		return nil
	}
	switch st {
	case protocol.StepExpire:
		if rec.Ahead(s.Clock.Latest()) {
			return x.apply(ctx, e, protocol.TimesCorrected{Now: s.Now, By: x.clock.back()})
		}
		return x.apply(ctx, e, protocol.LeasesExpired{At: s.Clock.Earliest()})
	case protocol.StepSchedule:
		if rec.Timetable().TooFarAhead(rec.NextRotation, s.Clock.Latest()) {
			return x.apply(ctx, e, protocol.RotationScheduled{At: s.Clock.Latest()})
		}
		return x.apply(ctx, e, protocol.RotationScheduled{At: s.Clock.Earliest()})
	case protocol.StepSettle:
		return x.settle(ctx, e, rec, s)
	case protocol.StepRollout:
		return x.rollOut(ctx, e, rec)
	case protocol.StepPlace:
		return x.relocate(ctx, e, s.Place)
	case protocol.StepMove:
		return x.finishMove(ctx, rec)
	}

	to, err := x.connect(ctx, e.id.Connection)
	if err != nil {
		x.delay(e, err)
		return nil
	}
	if m := to.moved(s.Now); m.Changes(rec) {
		return x.relocate(ctx, e, m)
	}
	switch st {
	case protocol.StepClear:
		return x.clearInitial(ctx, e, to)
	case protocol.StepCheck:
		return x.check(ctx, e, rec, to)
	case protocol.StepClean:
		return x.clean(ctx, e, rec, to)
	}
	if to, err = to.with(rec.Method(st)); err != nil {
		x.delay(e, err)
		return nil
	}
	group, member := rec.Group()
	switch {
	case st == protocol.StepJoint:
		return x.sendTogether(ctx, e, rec, to)
	case st == protocol.StepBegin && rec.IsGroup():
		return x.beginBatch(ctx, e, rec, to, false)
	case st == protocol.StepBegin && member:
		return x.sendMember(ctx, e, rec, group, to)
	}
	switch st {
	case protocol.StepBegin:
		return x.begin(ctx, e, rec, to)
	case protocol.StepRetry:
		return x.retry(ctx, e, rec, to)
	case protocol.StepPoll:
		return x.poll(ctx, e, rec, to)
	}
	return nil
}

// presently returns an account's record, which may be nil, and the present for its plan.
func (x *executor) presently(ctx context.Context, e *entry) (*Account, protocol.PlanInput, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := x.load(ctx, e); err != nil || e.rec == nil {
		return nil, protocol.PlanInput{}, err
	}
	return e.rec, x.planInput(e), nil
}

// clearInitial deletes the cloud's copy of an initial password that is safely stored (rule 17).
func (x *executor) clearInitial(ctx context.Context, e *entry, to session) error {
	clearer, ok := to.Provider.(cloud.InitialPasswordClearer)
	if !ok {
		x.delay(e, fmt.Errorf("provider %s cannot clear initial passwords", to.ProviderName))
		return nil
	}
	call, cancel := context.WithTimeout(ctx, to.RequestTimeout+limiterTimeout)
	err := clearer.ClearInitialPassword(call, e.id.InstanceID)
	cancel()
	to.state.breaker.reportCall(ctx, x.opts.Now(), err)
	if err != nil && cloud.KindOf(err) != cloud.NotFound {
		x.delay(e, err)
		return nil
	}
	x.clearDelay(e)
	return x.apply(ctx, e, protocol.InitialPasswordCleared{At: x.opts.Now(), Place: to.Place})
}
