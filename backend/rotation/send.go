package rotation

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// draft is an attempt that is about to be recorded, and the time past which its request is not sent any
// more. That counts from before the record is written: another node may see the attempt, and count its
// settle window, from the moment at which the write lands, however late storage answers this one.
type draft struct {
	protocol.Attempt
	sendBy time.Time
	// expires is for Reset.Expires.
	expires time.Time
	// notAfter is when the server must not begin with the change any more, by its own clock (rule 19); zero: it keeps no order.
	notAfter time.Time
}

// newAttempt makes an attempt for a request that has an id of our own and an order number, where the method takes such.
func (x *executor) newAttempt(operation string, of request, to session) (draft, error) {
	id, err := x.opts.NewID()
	if err != nil {
		return draft{}, err
	}
	t := protocol.Attempt{ID: id, Started: x.opts.Now(), Method: to.method, SeenOperation: operation, Place: to.Place, Name: of.name,
		Order: of.order}
	traits := to.reset.ResetTraits()
	bound := boundOf(to.reset, to.Connection)
	t.Window = settleWindow(traits, bound, false, to.Connection)
	t.FenceWindow = settleWindow(traits, bound, true, to.Connection)
	t.Serial = traits.Serial
	_, t.Cleans = to.reset.(cloud.ResetCleaner)
	d := draft{Attempt: t, sendBy: time.Now().Add(sendPatience(to.Connection)), expires: bound.Expires}
	if of.order > 0 {
		d.notAfter = x.clock.read().Earliest().Add(cloud.OrderDeadline)
	}
	return d, nil
}

// request is what the attempts of one request to the cloud have in common.
type request struct {
	name  string // our own id (rule 20); empty: the method takes none
	order int64  // of the value (rule 19); 0: the method keeps none
}

// newRequest makes one for some accounts, whose value is the same.
func (x *executor) newRequest(value string, to session, accounts ...*Account) (request, error) {
	var r request
	traits := to.reset.ResetTraits()
	if traits.OwnIDs {
		id, err := x.opts.NewID()
		if err != nil {
			return request{}, err
		}
		r.name = id
	}
	if !traits.KeepsOrder {
		return r, nil
	}
	for _, a := range accounts {
		same := a.Pending != nil && a.Pending.Password == value && !a.Pending.Rejected
		r.order = max(r.order, a.NextOrder(x.opts.Now(), same))
	}
	return r, nil
}

func (x *executor) newPassword(ctx context.Context, rec *Account, to session) (string, error) {
	policy := rec.Settings.PasswordPolicy
	if policy == "" {
		policy = to.PasswordPolicy
	}
	value, err := x.opts.Generate(ctx, policy, to.Provider.PasswordRules(rec.Facts.Instance(rec.InstanceID)), rec.Username)
	if err != nil {
		return "", fmt.Errorf("no password could be made: %w", err)
	}
	return value, nil
}

// send makes the one cloud call of a recorded attempt and records what is known of it then.
func (x *executor) send(ctx context.Context, e *entry, rec *Account, t draft, prepared string, to session) error {
	return x.conclude(ctx, e, rec, t.Attempt, x.call(ctx, to, resetOf(rec, t, rec.Pending.Password, prepared), t.sendBy), false, to)
}

// outcome is what is known of a reset request when its call returns.
type outcome struct {
	sent    bool
	started cloud.ResetStarted
	err     error
}

// call waits for the limiter and sends one reset request, signed then. Past sendBy it sends nothing.
func (x *executor) call(ctx context.Context, to session, reset cloud.Reset, sendBy time.Time) outcome {
	ctx = cloud.WithSendDeadline(ctx, sendBy)
	wait, cancel := context.WithDeadline(ctx, sendBy)
	err := to.state.limiter.Wait(wait, to.reset.ResetTraits().Action)
	cancel()
	if err != nil || cloud.SendDeadlinePassed(ctx) {
		return outcome{}
	}
	call, cancel := context.WithTimeout(ctx, to.RequestTimeout)
	defer cancel()
	// A panic may have come after the request was sent: its outcome is unknown.
	started, err := guard.Get(x.opts.Logger, "a reset at connection "+to.state.name,
		func() (cloud.ResetStarted, error) { return to.reset.StartReset(call, reset) })
	to.state.breaker.reportCall(ctx, x.opts.Now(), err)
	return outcome{sent: true, started: started, err: err}
}

// conclude records what is known of an account's attempt. shared says that the request named other
// accounts too, so that a refusal may be about one of those.
func (x *executor) conclude(ctx context.Context, e *entry, rec *Account, t protocol.Attempt, o outcome, shared bool, to session) error {
	if !o.sent {
		return x.recordOutcome(ctx, e, protocol.AttemptNotSent{Attempt: t.ID})
	}
	x.clearDelay(e)
	x.opts.Monitor.AttemptSent(e.id.Connection)
	started, err := o.started, o.err
	if err == nil && !started.Done && started.RequestID == "" {
		err = cloud.Errorf(cloud.Unknown, "the cloud accepted the reset without an id under which it shows the outcome")
	}
	switch kind := cloud.KindOf(err); {
	case err == nil && started.Done:
		err := x.recordOutcome(ctx, e, protocol.AttemptConfirmed{Attempt: t.ID, RequestID: started.RequestID, At: x.opts.Now()})
		if next, gone := x.get(ctx, e.id); err == nil && gone == nil && next != nil && next.LastVersion > rec.LastVersion {
			x.logRotated(next)
		}
		return err
	case err == nil:
		x.pollAfter(e, to)
		return x.recordOutcome(ctx, e, protocol.AttemptAccepted{Attempt: t.ID, RequestID: started.RequestID})
	case !kind.CertainlyNothingDone():
		x.pollAfter(e, to)
		next := "the same password will be sent again"
		if t.Name != "" { // rule 20
			next = "the cloud is asked for the request by its id, and the same password is sent again if it shows none"
		}
		x.opts.Logger.Warn("reset with unknown outcome; "+next, "account", e.id.String(), "error", err)
		return x.recordOutcome(ctx, e, protocol.OutcomeUnknown{Attempt: t.ID, Backoff: x.backoff(rec, err, false)})
	default:
		x.opts.Logger.Warn("reset refused", "account", e.id.String(), "kind", string(kind), "error", err)
		if err := x.recordOutcome(ctx, e, protocol.AttemptRefused{Attempt: t.ID, PasswordRefused: kind == cloud.PasswordRefused, Shared: shared,
			// What refuses one value after the other is not asked every few minutes.
			Backoff: x.backoff(rec, err, kind != cloud.PasswordRefused)}); err != nil {
			return err
		}
		if kind == cloud.NotFound && !shared {
			return x.missing(ctx, e, false, to.Place)
		}
		return nil
	}
}

// pollAfter leaves the cloud the usual time before it is asked for an outcome.
func (x *executor) pollAfter(e *entry, to session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts.pollAt = x.opts.Now().Add(to.reset.ResetTraits().PollInterval)
}

// recordOutcome is apply for what is known only to this process until it is written: it tries three times.
// If all fail nothing is lost, since the attempt itself is recorded: it stays open.
func (x *executor) recordOutcome(ctx context.Context, e *entry, ev protocol.Event) error {
	var err error
	for range 3 {
		if err = x.apply(ctx, e, ev); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}
