package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// begin makes a new value, records it with its first attempt, and only then sends it.
func (c *Core) begin(ctx context.Context, e *entry, rec *Account, to session) error {
	defer c.leaveTurn(e)
	if rec.NoRoomForValue() {
		c.delay(e, rec.TooManyPlaces())
		return nil
	}
	operation, prepared, ok, err := c.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	value := rec.CandidateToResend()
	if value == "" {
		if value, err = c.newPassword(ctx, rec, to); err != nil {
			c.delay(e, err)
			return nil
		}
	}
	t, err := c.newAttempt(operation, to)
	if err != nil {
		return err
	}
	next, err := c.update(ctx, e, protocol.RotationStarted{Password: value, Attempt: t.Attempt})
	if err != nil {
		if errors.Is(err, protocol.ErrStale) {
			return nil
		}
		return err
	}
	return c.send(ctx, e, next, t, prepared, to)
}

// retry records another attempt of the same value, and sends it.
func (c *Core) retry(ctx context.Context, e *entry, rec *Account, to session) error {
	defer c.leaveTurn(e)
	operation, prepared, ok, err := c.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	t, err := c.newAttempt(operation, to)
	if err != nil {
		return err
	}
	next, err := c.update(ctx, e, protocol.AttemptRepeated{Attempt: t.Attempt})
	if err != nil {
		if errors.Is(err, protocol.ErrStale) {
			return nil
		}
		return err
	}
	return c.send(ctx, e, next, t, prepared, to)
}

// ready finds out whether an attempt makes sense now, and gets what it needs: the operation that the cloud
// shows before it, and what the reset method asked for. The caller ends the account's turn with leaveTurn.
func (c *Core) ready(ctx context.Context, e *entry, rec *Account, to session) (operation, prepared string, ok bool, err error) {
	if operation, ok, err = c.seenBefore(ctx, e, to); !ok {
		return "", "", false, err
	}
	prepared, ok = c.prepared(ctx, e, rec, to.reset)
	return operation, prepared, ok, nil
}

// prepareTimeout bounds what a reset method needs to ask before it can send a password.
const prepareTimeout = 2 * time.Minute

// prepared asks for what the reset method needs before an attempt can be made; ok is false if the
// account is to wait.
func (c *Core) prepared(ctx context.Context, e *entry, rec *Account, r cloud.PasswordResetter) (prepared string, ok bool) {
	if !prepares(r, rec) {
		return "", true
	}
	p := r.(cloud.ResetPreparer)
	call, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	prepared, err := p.PrepareReset(call, resetOf(rec, "", ""))
	if err != nil {
		c.delay(e, err)
		return "", false
	}
	return prepared, true
}

// draft is an attempt that is about to be recorded, and the time past which its request is not sent any
// more. That counts from before the record is written: another node may see the attempt, and count its
// settle window, from the moment at which the write lands, however late storage answers this one.
type draft struct {
	protocol.Attempt
	sendBy time.Time
}

func (c *Core) newAttempt(operation string, to session) (draft, error) {
	id, err := c.opts.NewID()
	if err != nil {
		return draft{}, err
	}
	t := protocol.Attempt{ID: id, Started: c.opts.Now(), Method: to.method, SeenOperation: operation, Place: to.Place}
	traits := to.reset.ResetTraits()
	t.Window = settleWindow(traits, false, to.Connection)
	t.FenceWindow = settleWindow(traits, true, to.Connection)
	t.Serial = traits.Serial
	return draft{
		Attempt: t,
		sendBy:  time.Now().Add(sendPatience(to.Connection)),
	}, nil
}

// sendPatience is how long an attempt may take from before it is recorded, and wait for the connection's
// limiter, until it is signed. Past it the request is not sent any more.
func sendPatience(v *Connection) time.Duration {
	patience := limiterTimeout
	if v.RequestsPerSecond > 0 {
		patience += time.Duration(2 / v.RequestsPerSecond * float64(time.Second))
	}
	return patience
}

func (c *Core) newPassword(ctx context.Context, rec *Account, to session) (string, error) {
	policy := rec.Settings.PasswordPolicy
	if policy == "" {
		policy = to.PasswordPolicy
	}
	value, err := c.opts.Generate(ctx, policy, to.Provider.PasswordRules(rec.Facts.Instance(rec.InstanceID)), rec.Username)
	if err != nil {
		return "", fmt.Errorf("no password could be made: %w", err)
	}
	return value, nil
}

func resetOf(a *Account, value, prepared string) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{a.InstanceID}, Username: a.Username, Password: value, ForceStop: a.Settings.ForceStop,
		Platform: a.Facts.Platform, Prepared: prepared}
}

// send makes the one cloud call of a recorded attempt and records what is known of it then.
func (c *Core) send(ctx context.Context, e *entry, rec *Account, t draft, prepared string, to session) error {
	return c.conclude(ctx, e, rec, t.Attempt, c.call(ctx, to, resetOf(rec, rec.Pending.Password, prepared), t.sendBy), false, to)
}

// outcome is what is known of a reset request when its call returns.
type outcome struct {
	sent    bool
	started cloud.ResetStarted
	err     error
}

// call waits for the limiter and sends one reset request, signed then. Past sendBy it sends nothing.
func (c *Core) call(ctx context.Context, to session, reset cloud.Reset, sendBy time.Time) outcome {
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
	started, err := guard.Get(c.opts.Logger, "a reset at connection "+to.state.name,
		func() (cloud.ResetStarted, error) { return to.reset.StartReset(call, reset) })
	to.state.breaker.reportCall(ctx, c.opts.Now(), err)
	return outcome{sent: true, started: started, err: err}
}

// conclude records what is known of an account's attempt. shared says that the request named other
// accounts too, so that a refusal may be about one of those.
func (c *Core) conclude(ctx context.Context, e *entry, rec *Account, t protocol.Attempt, o outcome, shared bool, to session) error {
	if !o.sent {
		return c.recordOutcome(ctx, e, protocol.AttemptNotSent{Attempt: t.ID})
	}
	c.clearDelay(e)
	started, err := o.started, o.err
	if err == nil && !started.Done && started.RequestID == "" {
		err = cloud.Errorf(cloud.Unknown, "the cloud accepted the reset without an id under which it shows the outcome")
	}
	switch kind := cloud.KindOf(err); {
	case err == nil && started.Done:
		c.opts.Logger.Info("account rotated", "account", e.id.String())
		return c.recordOutcome(ctx, e, protocol.AttemptConfirmed{Attempt: t.ID, At: c.opts.Now()})
	case err == nil:
		e.mu.Lock()
		e.pollAt = c.opts.Now().Add(to.reset.ResetTraits().PollInterval)
		e.mu.Unlock()
		return c.recordOutcome(ctx, e, protocol.AttemptAccepted{Attempt: t.ID, RequestID: started.RequestID})
	case !kind.CertainlyNothingDone():
		c.opts.Logger.Warn("reset with unknown outcome; the same password will be sent again", "account", e.id.String(), "error", err)
		return c.recordOutcome(ctx, e, protocol.OutcomeUnknown{Attempt: t.ID, Backoff: c.backoff(rec, err, false)})
	default:
		c.opts.Logger.Warn("reset refused", "account", e.id.String(), "kind", string(kind), "error", err)
		if err := c.recordOutcome(ctx, e, protocol.AttemptRefused{Attempt: t.ID, PasswordRefused: kind == cloud.PasswordRefused, Shared: shared,
			// What refuses one value after the other is not asked every few minutes.
			Backoff: c.backoff(rec, err, kind != cloud.PasswordRefused)}); err != nil {
			return err
		}
		if kind == cloud.NotFound && !shared {
			return c.missing(ctx, e, false, to.Place)
		}
		return nil
	}
}

// recordOutcome is apply for what is known only to this process until it is written: it tries three times.
// If all fail nothing is lost, since the attempt itself is recorded: it stays open.
func (c *Core) recordOutcome(ctx context.Context, e *entry, ev protocol.Event) error {
	var err error
	for range 3 {
		if err = c.apply(ctx, e, ev); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}
