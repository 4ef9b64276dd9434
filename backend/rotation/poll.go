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

// seenBefore looks at the instance before an attempt: what the cloud shows as its latest operation,
// and whether the attempt makes sense now. The caller ends the account's turn with leaveTurn.
func (c *Core) seenBefore(ctx context.Context, e *entry, to session) (operation string,
	ok bool, err error) {
	// The turn begins before the look, so that no other account's reset comes between the look and the attempt.
	if ok, err := c.takeTurn(ctx, e, to.reset.ResetTraits().Serial); !ok {
		return "", false, err // the end of the other's is planned for
	}
	rec, found, err := c.record(ctx, to, cloud.ResetRef{InstanceID: e.id.InstanceID})
	if err != nil {
		c.delay(e, err)
		return "", false, nil
	}
	if !found || rec.Gone {
		return "", false, c.missing(ctx, e, found, to.Place)
	}
	c.present(e)
	if rec.State == cloud.OperationRunning && to.reset.ResetTraits().Serial {
		c.delayFor(e, protocol.ForOperation, cloud.Errorf(cloud.Refused, "another operation runs on instance %s; its end is waited for",
			e.id.InstanceID))
		return "", false, nil
	}
	return rec.OperationID, true, nil
}

// poll looks at the cloud's record of the pending's accepted attempt.
func (c *Core) poll(ctx context.Context, e *entry, rec *Account, to session) error {
	traits := to.reset.ResetTraits()
	ref := cloud.ResetRef{InstanceID: e.id.InstanceID}
	graceOver := false
	e.mu.Lock()
	e.pollAt = c.opts.Now().Add(traits.PollInterval)
	for _, t := range rec.Pending.Attempts {
		if t.Polled() && t.Place.Same(to.Place) {
			ref.RequestID = t.RequestID
			if first, ok := e.shown[t.ID]; ok && time.Since(first) > traits.VisibilityGrace {
				graceOver = true
			}
		}
	}
	e.mu.Unlock()
	record, found, err := c.record(ctx, to, ref)
	if err != nil {
		c.delay(e, err)
		return nil
	}
	c.clearDelay(e)
	if !found || record.Gone {
		return c.missing(ctx, e, found, to.Place)
	}
	c.present(e)
	message := text.Line(record.Message, cloud.MaxText, rec.Pending.Password)
	if message == "" {
		message = "the cloud reported that the reset failed, without a reason"
	}
	before := rec.LastVersion
	next, err := c.update(ctx, e, protocol.OperationObserved{
		Record: record, GraceOver: graceOver, At: c.opts.Now(), Place: to.Place,
		Backoff: c.backoff(rec, errors.New(message), false),
		Lost:    c.backoff(rec, errors.New(shownInstead(record, ref.RequestID, rec.Pending.Password)), false),
	})
	switch {
	case errors.Is(err, protocol.ErrNoChange) || errors.Is(err, protocol.ErrStale):
		return nil
	case err == nil && next.Pending != nil && next.Pending.Brake.Unshown > rec.Pending.Brake.Unshown:
		c.warnUnshown(next)
	case err == nil && next.LastVersion > before:
		c.opts.Logger.Info("account rotated", "account", e.id.String(), "version", next.LastVersion)
	case err == nil && record.State == cloud.OperationFailed:
		c.opts.Logger.Warn("the cloud reported a failed reset; the password is kept", "account", e.id.String(), "reason", message)
	}
	return err
}

// maxID is how many characters of an id from a cloud are shown.
const maxID = 100

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
func (c *Core) warnUnshown(a *Account) {
	b := a.Pending.Brake
	if !a.Braked() {
		c.opts.Logger.Warn("the outcome of a reset is not shown; the same password will be sent again", "account", a.String(), "shown",
			b.Shown.String(), "attempts", b.Unshown)
		return
	}
	c.opts.Logger.Error("account is braked: the cloud does not show what became of its resets", "account", a.String(), "shown",
		b.Shown.String(),
		"attempts", b.Unshown, "not_before", b.NotBefore.UTC().Format(time.RFC3339))
}

// MissApart is the least time between two looks that both miss an instance, for it to be believed that the instance does
// not exist any more: a list may be incomplete once, and for some time.
const MissApart = 5 * time.Minute

// missing retires an account whose instance the cloud says is terminated, or does not know in two looks, MissApart or
// more apart and with none in between that knows it. What place says is trusted only where rule 18 says so.
func (c *Core) missing(ctx context.Context, e *entry, terminated bool, place Place) error {
	e.mu.Lock()
	if e.rec != nil && !(place.Same(e.rec.Place) && e.rec.TrustsHere()) {
		err := e.rec.NotProvenError()
		e.mu.Unlock()
		c.delay(e, err)
		return nil
	}
	if e.missedSince.IsZero() {
		e.missedSince = time.Now()
	}
	again := !terminated && time.Since(e.missedSince) < MissApart
	e.mu.Unlock()
	if again {
		c.delay(e, cloud.Errorf(cloud.NotFound,
			"the cloud does not show instance %s; since a list may be incomplete for some time, it is asked again", e.id.InstanceID))
		return nil
	}
	c.present(e)
	return c.apply(ctx, e, protocol.InstanceGone{At: c.opts.Now(), Place: place})
}

// present notes that the cloud knows the instance.
func (c *Core) present(e *entry) {
	e.mu.Lock()
	e.missedSince = time.Time{}
	e.mu.Unlock()
}
