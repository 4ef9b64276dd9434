package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// sendTogether sends a group's value in one joint request to as many members as that takes.
func (x *executor) sendTogether(ctx context.Context, e *entry, g *Account, to session) error {
	plan, err := x.rollout(ctx, g, to.reset)
	if err != nil {
		return err
	}
	next := plan.Together
	if len(next) > 0 {
		next = sameReset(next, to.reset.ResetTraits().BatchSize)
	}
	o := g.Offers()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.group.together = len(next) < len(plan.Together)
		e.group.next = x.opts.Now().Add(protocol.RolloutInterval) // some may be held back, which changes no record
	}()
	join := protocol.MemberJoined{Role: o.Role, Password: o.Password, Batch: o.Batch, Reason: o.Reason, Why: o.Why, Place: o.Place}
	return x.sendBatch(ctx, next, join, to)
}

// sendMember sends its group's value to one member, which has come to its turn in the connection's queue.
func (x *executor) sendMember(ctx context.Context, e *entry, rec *Account, group ID, to session) error {
	if joint(to.reset, rec) && rec.Backoff == nil {
		return nil // the connection was not known when this was planned
	}
	defer x.leaveTurn(e)
	if rec.CandidatesFull() {
		x.delay(e, rec.TooManyCandidates())
		return nil
	}
	operation, prepared, ok, err := x.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	g, err := x.get(ctx, group)
	if err != nil || g == nil {
		return err
	}
	o := g.Offers()
	if o.Batch == "" || rec.Standing(o.Batch) != protocol.IsReady {
		return nil // it is another value by now
	}
	r, err := x.newRequest(o.Password, to, rec)
	if err != nil {
		return err
	}
	t, err := x.newAttempt(operation, r, to)
	if err != nil {
		return err
	}
	next, err := x.update(ctx, e, protocol.MemberJoined{Role: o.Role, Password: o.Password, Batch: o.Batch, Reason: o.Reason, Why: o.Why,
		Place: o.Place, Attempt: t.Attempt})
	if errors.Is(err, protocol.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	return x.send(ctx, e, next, t, prepared, to)
}

// sameReset takes the accounts that fit into one request with the first: same user, same force_stop, same
// platform.
func sameReset(members []*Account, size int) []*Account {
	var out []*Account
	for _, m := range members {
		if m.Username == members[0].Username && m.Settings.ForceStop == members[0].Settings.ForceStop &&
			m.Facts.Platform == members[0].Facts.Platform && len(out) < size {
			out = append(out, m)
		}
	}
	return out
}

// part is one account's share of a batch request.
type part struct {
	entry     *entry
	rec       *Account
	operation string // that the cloud shows before the request
	// prepared is for one instance: methods that need it take one a request (see sameReset).
	prepared string
	attempt  draft
}

// sendBatch looks at each account's instance, then records the value and an attempt in each account, and
// only then sends one request for those that were recorded. What is known of the request then is
// recorded in each of them. All looks come before the first record, since an attempt may not wait long.
func (x *executor) sendBatch(ctx context.Context, members []*Account, ev protocol.MemberJoined, to session) error {
	defer func() {
		for _, m := range members {
			x.leaveTurn(x.entry(m.ID))
		}
	}()
	parts := make([]*part, len(members))
	for i, m := range members {
		parts[i] = &part{entry: x.entry(m.ID), rec: m}
	}
	ready, failed := x.sideBySide(ctx, parts, func(p *part) (ok bool, err error) {
		p.operation, p.prepared, ok, err = x.ready(ctx, p.entry, p.rec, to)
		return ok, err
	})
	recs := make([]*Account, len(ready))
	for i, p := range ready {
		recs[i] = p.rec
	}
	r, err := x.newRequest(ev.Password, to, recs...)
	if err != nil {
		return err
	}
	parts, err = x.sideBySide(ctx, ready, func(p *part) (bool, error) { return x.join(ctx, p, r, ev, to) })
	if err != nil {
		failed = err
	}
	if len(parts) == 0 {
		return failed
	}
	reset, sendBy := jointReset(parts, ev.Password)
	out := x.call(ctx, to, reset, sendBy)
	for _, p := range parts {
		if err := x.conclude(ctx, p.entry, p.rec, p.attempt.Attempt, out, len(parts) > 1, to); err != nil {
			failed = err
		}
	}
	return failed
}

// jointReset is the request for all parts, and until when it may be sent. Each part's windows are counted by its own attempt, so the
// request keeps the earliest of their times.
func jointReset(parts []*part, value string) (reset cloud.Reset, sendBy time.Time) {
	first := parts[0]
	reset, sendBy = resetOf(first.rec, first.attempt, value, first.prepared), first.attempt.sendBy
	for _, p := range parts[1:] {
		reset.InstanceIDs = append(reset.InstanceIDs, p.rec.InstanceID)
		sendBy = earliest(sendBy, p.attempt.sendBy)
		reset.NotAfter = earliest(reset.NotAfter, p.attempt.notAfter)
		reset.Expires = earliest(reset.Expires, p.attempt.expires) // an attempt that was recorded without one has the longer window
	}
	return reset, sendBy
}

// earliest is the earlier of two times. Zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// sideBySide does something for each part and returns those for which it says so, in the order of their
// instance ids, with an error if there was any.
func (x *executor) sideBySide(ctx context.Context, parts []*part, do func(*part) (bool, error)) ([]*part, error) {
	var mu sync.Mutex
	var kept []*part
	var failed error
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Go(func() {
			x.opts.turn(ctx, p.entry.id)
			ok, err := guard.Get(x.opts.Logger, "a step of account "+p.entry.id.String(), func() (bool, error) { return do(p) })
			mu.Lock()
			defer mu.Unlock()
			if ok {
				kept = append(kept, p)
			}
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	slices.SortFunc(kept, func(a, b *part) int { return strings.Compare(a.rec.InstanceID, b.rec.InstanceID) })
	return kept, failed
}

// join records the value and an attempt in one account. It does not where that is not to be sent now, as
// while the role's reset method is being changed and the account does not have the group's yet.
func (x *executor) join(ctx context.Context, p *part, r request, ev protocol.MemberJoined, to session) (ok bool, err error) {
	if p.attempt, err = x.newAttempt(p.operation, r, to); err != nil {
		return false, err
	}
	ev.Attempt = p.attempt.Attempt
	rec, err := x.update(ctx, p.entry, ev)
	if errors.Is(err, protocol.ErrStale) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.rec = rec
	return true, nil
}
