package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// poll looks at the cloud's record of the pending's accepted attempt.
func (x *executor) poll(ctx context.Context, e *entry, rec *Account, to session) error {
	traits := to.reset.ResetTraits()
	ref := cloud.ResetRef{InstanceID: e.id.InstanceID}
	graceOver := false
	e.mu.Lock()
	e.attempts.pollAt = x.opts.Now().Add(traits.PollInterval)
	for _, t := range rec.Pending.Attempts {
		if t.Polled() && t.Place.Same(to.Place) {
			ref.RequestID, ref.Name, ref.Sent = t.RequestID, t.Name, t.Started
			if first, ok := e.attempts.shown[t.ID]; ok && time.Since(first) > traits.VisibilityGrace {
				graceOver = true
			}
		}
	}
	e.mu.Unlock()
	record, found, err := x.record(ctx, to, ref)
	if err != nil {
		x.delay(e, err)
		return nil
	}
	x.clearDelay(e)
	if !found || record.Gone {
		return x.missing(ctx, e, found, to.Place)
	}
	x.present(e)
	message := text.Line(record.Message, cloud.MaxText, rec.Pending.Password)
	if message == "" {
		message = "the cloud reported that the reset failed, without a reason"
	}
	before := rec.LastVersion
	next, err := x.update(ctx, e, protocol.OperationObserved{
		Record: record, GraceOver: graceOver, At: x.opts.Now(), Place: to.Place,
		Backoff: x.backoff(rec, errors.New(message), false),
		Lost:    x.backoff(rec, errors.New(shownInstead(record, ref.RequestID, rec.Pending.Password)), false),
	})
	switch {
	case errors.Is(err, protocol.ErrNoChange) || errors.Is(err, protocol.ErrStale):
		return nil
	case err == nil && next.Pending != nil && next.Pending.Brake.Unshown > rec.Pending.Brake.Unshown:
		x.warnUnshown(next)
	case err == nil && next.LastVersion > before:
		x.logRotated(next)
	case err == nil && record.State == cloud.OperationFailed:
		x.opts.Logger.Warn("the cloud reported a failed reset; the password is kept", "account", e.id.String(), "reason", message)
	}
	return err
}

// shownInstead says what the cloud shows, for people who must find out why it is not an attempt's outcome.
func shownInstead(r cloud.ResetRecord, requestID, secret string) string {
	own := text.Line(requestID, maxID, secret)
	switch r.OperationID {
	case "":
		return fmt.Sprintf("the cloud shows no operation, and so no outcome of the reset that it accepted as %s", own)
	case requestID:
		return fmt.Sprintf("the cloud accepted the reset as %s, the id of an operation that it had shown before", own)
	}
	state := cmp.Or(text.Line(string(r.State), maxID, secret), "no state")
	return fmt.Sprintf("the cloud shows operation %s (%s) and not the outcome of the reset that it accepted as %s",
		text.Line(r.OperationID, maxID, secret), state, own)
}

// warnUnshown tells that an attempt's outcome will not be shown.
func (x *executor) warnUnshown(a *Account) {
	b := a.Pending.Brake
	if !a.Braked() {
		x.opts.Logger.Warn("the outcome of a reset is not shown; the same password will be sent again", "account", a.String(), "shown",
			b.Shown.String(), "attempts", b.Unshown)
		return
	}
	x.opts.Logger.Error("account is braked: the cloud does not show what became of its resets", "account", a.String(), "shown",
		b.Shown.String(),
		"attempts", b.Unshown, "not_before", b.NotBefore.UTC().Format(time.RFC3339))
}
