package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// seenBefore looks at the instance before an attempt: what the cloud shows as its latest operation,
// and whether the attempt makes sense now. The caller ends the account's turn with flights.leave.
func (c *Core) seenBefore(ctx context.Context, e *entry, n *connection, live *Connection, r cloud.PasswordResetter) (operation string, ok bool, err error) {
	// The turn begins before the look, so that no other account's reset comes between the look and the attempt.
	if r.ResetTraits().Serial {
		if err := c.loadUsers(ctx, e.id); err != nil {
			return "", false, err
		}
		if !c.flights.begin(e) {
			c.hold(e, cloud.Errorf(cloud.Refused, "another account of instance %s is being rotated; the end of that is waited for", e.id.InstanceID))
			return "", false, nil
		}
	}
	rec, found, err := c.record(ctx, n, r, live.RequestTimeout, cloud.ResetRef{InstanceID: e.id.InstanceID})
	if err != nil {
		c.hold(e, err)
		return "", false, nil
	}
	if !found || rec.Gone {
		return "", false, c.missing(ctx, e, found, live.Place)
	}
	c.present(e)
	if rec.State == cloud.OperationRunning && r.ResetTraits().Serial {
		c.hold(e, cloud.Errorf(cloud.Refused, "another operation runs on instance %s; its end is waited for", e.id.InstanceID))
		return "", false, nil
	}
	return rec.OperationID, true, nil
}

// maxReason is how many characters of what a cloud says about a failed reset are kept.
const maxReason = 300

// poll looks at the cloud's record of the pending's accepted attempt.
func (c *Core) poll(ctx context.Context, e *entry, rec *Account, n *connection, live *Connection, r cloud.PasswordResetter) error {
	traits := r.ResetTraits()
	ref := cloud.ResetRef{InstanceID: e.id.InstanceID}
	graceOver := false
	e.mu.Lock()
	e.pollAt = c.opts.Now().Add(traits.PollInterval)
	for _, t := range rec.Pending.Attempts {
		if t.polled() && (t.Place.same(live.Place) || c.opts.rules.pollAnywhere) {
			ref.RequestID = t.RequestID
			if first, ok := e.shown[t.ID]; ok && time.Since(first) > traits.VisibilityGrace {
				graceOver = true
			}
		}
	}
	e.mu.Unlock()
	record, found, err := c.record(ctx, n, r, live.RequestTimeout, ref)
	if err != nil {
		c.hold(e, err)
		return nil
	}
	c.unhold(e)
	if !found || record.Gone {
		return c.missing(ctx, e, found, live.Place)
	}
	c.present(e)
	message := text.Line(record.Message, maxReason, rec.Pending.Password)
	if message == "" {
		message = "the cloud reported that the reset failed, without a reason"
	}
	before := rec.LastVersion
	next, err := c.update(ctx, e, observed{
		record: record, graceOver: graceOver, at: c.opts.Now(), place: live.Place,
		backoff: c.backoff(rec, errors.New(message)),
	})
	switch {
	case errors.Is(err, errNoChange) || errors.Is(err, errStale):
		return nil
	case err == nil && next.LastVersion > before:
		c.opts.Logger.Info("account rotated", "account", e.id.String(), "version", next.LastVersion)
	case err == nil && record.State == cloud.OperationFailed:
		c.opts.Logger.Warn("the cloud reported a failed reset; the password is kept", "account", e.id.String(), "reason", message)
	}
	return err
}

// missing retires an account whose instance the cloud says is terminated, or does not know twice in a
// row: a listing may miss an instance once.
// What place says is believed only where rule 18 says so.
func (c *Core) missing(ctx context.Context, e *entry, terminated bool, place Place) error {
	e.mu.Lock()
	if e.rec != nil && !(place.same(e.rec.Place) && e.rec.believed()) {
		err := e.rec.notProven()
		e.mu.Unlock()
		c.hold(e, err)
		return nil
	}
	e.misses++
	again := !terminated && e.misses < 2
	e.mu.Unlock()
	if again {
		c.hold(e, cloud.Errorf(cloud.NotFound, "the cloud does not know instance %s; it is asked once more", e.id.InstanceID))
		return nil
	}
	c.present(e)
	return c.apply(ctx, e, vanished{at: c.opts.Now(), place: place})
}

// present notes that the cloud knows the instance.
func (c *Core) present(e *entry) {
	e.mu.Lock()
	e.misses = 0
	e.mu.Unlock()
}
