package rotation

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// maxCleanPause is the longest pause after a record at the cloud could not be removed: it does no harm there for some time.
const maxCleanPause = time.Hour

// clean removes the cloud's record of one attempt whose outcome is stored (rule 21). A failure leaves it for later.
func (x *executor) clean(ctx context.Context, e *entry, rec *Account, to session) error {
	left, ok := rec.Leftover(e.passedOver())
	if !ok {
		return nil
	}
	r, err := to.resetter(left.Method)
	cleaner, cleans := r.(cloud.ResetCleaner)
	if err != nil || !cleans { // the connection, or the plugin, is another one now
		return x.forgetLeftover(ctx, e, left)
	}
	call, cancel := context.WithTimeout(ctx, to.RequestTimeout+limiterTimeout)
	defer cancel()
	if !x.beginClean(e, cancel) {
		return nil
	}
	err = cleaner.CleanReset(call, cloud.ResetRef{InstanceID: e.id.InstanceID, RequestID: left.RequestID, Name: left.Name,
		Sent: left.Sent})
	to.state.breaker.reportCall(ctx, x.opts.Now(), err)
	x.endClean(e, err)
	if err != nil {
		return nil // it is tried again
	}
	return x.forgetLeftover(ctx, e, left)
}

func (x *executor) forgetLeftover(ctx context.Context, e *entry, left protocol.Leftover) error {
	return x.apply(ctx, e, protocol.RecordCleaned{Of: left})
}

// passedOver is how many times a record of the account could not be removed yet.
func (e *entry) passedOver() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cleaning.passed
}

// beginClean notes how to end the removal. It is false if there is no such account any more.
func (x *executor) beginClean(e *entry, cancel context.CancelFunc) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rec == nil {
		return false
	}
	e.cleaning.cancel = cancel
	return true
}

func (x *executor) endClean(e *entry, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &e.cleaning
	c.cancel = nil
	if err == nil {
		c.failures = 0
		return
	}
	c.failures++
	if cloud.KindOf(err) == cloud.NotReady {
		c.passed++
	}
	wait := pause(err, protocol.BackoffDelay(c.failures, maxCleanPause, x.opts.Random()))
	c.held = x.opts.Now().Add(wait)
	x.opts.Logger.Debug("the cloud's record of a reset could not be removed", "account", e.id.String(), "error", err,
		"retry_in", wait.Round(time.Millisecond).String())
}
