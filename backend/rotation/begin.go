package rotation

import (
	"context"
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// begin makes a new value, records it with its first attempt, and only then sends it.
func (x *executor) begin(ctx context.Context, e *entry, rec *Account, to session) error {
	defer x.leaveTurn(e)
	if rec.NoRoomForValue() {
		x.delay(e, rec.TooManyPlaces())
		return nil
	}
	operation, prepared, ok, err := x.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	value := rec.CandidateToResend()
	if value == "" {
		if value, err = x.newPassword(ctx, rec, to); err != nil {
			x.delay(e, err)
			return nil
		}
	}
	r, err := x.newRequest(value, to, rec)
	if err != nil {
		return err
	}
	t, err := x.newAttempt(operation, r, to)
	if err != nil {
		return err
	}
	next, err := x.update(ctx, e, protocol.RotationStarted{Password: value, Attempt: t.Attempt})
	if err != nil {
		if errors.Is(err, protocol.ErrStale) {
			return nil
		}
		return err
	}
	return x.send(ctx, e, next, t, prepared, to)
}

// retry records another attempt of the same value, and sends it.
func (x *executor) retry(ctx context.Context, e *entry, rec *Account, to session) error {
	defer x.leaveTurn(e)
	operation, prepared, ok, err := x.ready(ctx, e, rec, to)
	if !ok {
		return err
	}
	r, err := x.newRequest(rec.Pending.Password, to, rec)
	if err != nil {
		return err
	}
	t, err := x.newAttempt(operation, r, to)
	if err != nil {
		return err
	}
	next, err := x.update(ctx, e, protocol.AttemptRepeated{Attempt: t.Attempt})
	if err != nil {
		if errors.Is(err, protocol.ErrStale) {
			return nil
		}
		return err
	}
	return x.send(ctx, e, next, t, prepared, to)
}
