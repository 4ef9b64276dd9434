package rotation

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// ready finds out whether an attempt makes sense now, and gets what it needs: the operation that the cloud
// shows before it, and what the reset method asked for. The caller ends the account's turn with leaveTurn.
func (x *executor) ready(ctx context.Context, e *entry, rec *Account, to session) (operation, prepared string, ok bool, err error) {
	if operation, ok, err = x.seenBefore(ctx, e, to); !ok {
		return "", "", false, err
	}
	prepared, ok = x.prepared(ctx, e, rec, to.reset)
	return operation, prepared, ok, nil
}

// prepareTimeout bounds what a reset method needs to ask before it can send a password.
const prepareTimeout = 2 * time.Minute

// prepared asks for what the reset method needs before an attempt can be made; ok is false if the
// account is to wait.
func (x *executor) prepared(ctx context.Context, e *entry, rec *Account, r cloud.PasswordResetter) (prepared string, ok bool) {
	if !prepares(r, rec) {
		return "", true
	}
	p := r.(cloud.ResetPreparer)
	call, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	prepared, err := p.PrepareReset(call, resetOf(rec, draft{}, "", ""))
	if err != nil {
		x.delay(e, err)
		return "", false
	}
	return prepared, true
}

// seenBefore looks at the instance before an attempt: what the cloud shows as its latest operation,
// and whether the attempt makes sense now. The caller ends the account's turn with leaveTurn.
func (x *executor) seenBefore(ctx context.Context, e *entry, to session) (operation string,
	ok bool, err error) {
	// The turn begins before the look, so that no other account's reset comes between the look and the attempt.
	if ok, err := x.takeTurn(ctx, e, to.reset.ResetTraits().Serial); !ok {
		return "", false, err // the end of the other's is planned for
	}
	rec, found, err := x.record(ctx, to, cloud.ResetRef{InstanceID: e.id.InstanceID})
	if err != nil {
		x.delay(e, err)
		return "", false, nil
	}
	if !found || rec.Gone {
		return "", false, x.missing(ctx, e, found, to.Place)
	}
	x.present(e)
	if rec.State == cloud.OperationRunning && to.reset.ResetTraits().Serial {
		x.delayFor(e, protocol.ForOperation, cloud.Errorf(cloud.Refused, "another operation runs on instance %s; its end is waited for",
			e.id.InstanceID))
		return "", false, nil
	}
	return rec.OperationID, true, nil
}

// MissApart is the least time between two looks that both miss an instance, for it to be believed that the instance does
// not exist any more: a list may be incomplete once, and for some time.
const MissApart = 5 * time.Minute

// missing retires an account whose instance the cloud says is terminated, or does not know in two looks, MissApart or
// more apart and with none in between that knows it. What place says is trusted only where rule 18 says so.
func (x *executor) missing(ctx context.Context, e *entry, terminated bool, place Place) error {
	e.mu.Lock()
	if e.rec != nil && !(place.Same(e.rec.Place) && e.rec.TrustsHere()) {
		err := e.rec.NotProvenError()
		e.mu.Unlock()
		x.delay(e, err)
		return nil
	}
	if e.attempts.missedSince.IsZero() {
		e.attempts.missedSince = time.Now()
	}
	again := !terminated && time.Since(e.attempts.missedSince) < MissApart
	e.mu.Unlock()
	if again {
		x.delay(e, cloud.Errorf(cloud.NotFound,
			"the cloud does not show instance %s; since a list may be incomplete for some time, it is asked again", e.id.InstanceID))
		return nil
	}
	x.present(e)
	return x.apply(ctx, e, protocol.InstanceGone{At: x.opts.Now(), Place: place})
}

// present notes that the cloud knows the instance.
func (x *executor) present(e *entry) {
	e.mu.Lock()
	e.attempts.missedSince = time.Time{}
	e.mu.Unlock()
}

// resetOf is what is asked of a reset method for an account's attempt. That of a preparation is zero.
func resetOf(a *Account, t draft, value, prepared string) cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{a.InstanceID}, Username: a.Username, Password: value, ForceStop: a.Settings.ForceStop,
		Platform: a.Facts.Platform, Prepared: prepared, Name: t.Name, Order: t.Order, NotAfter: t.notAfter, Expires: t.expires}
}
