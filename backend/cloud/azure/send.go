package azure

import (
	"context"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// sender sends requests with the tokens of a source.
type sender struct {
	client  *client
	limiter cloud.Limiter
	timeout time.Duration
	tokens  *tokenSource
}

// ask makes one call of ARM, and repeats only one that certainly did nothing: one that the cloud throttled while a client
// waits. It waits for the limiter, bounds the exchange and translates its error. answer may be nil.
func (d *sender) ask(ctx context.Context, a action, r request, answer any, secrets ...string) error {
	return cloud.RetryThrottled(ctx, func() error {
		bearer, err := d.tokens.get(ctx)
		if err != nil {
			return err
		}
		if err := d.limiter.Wait(ctx, a.name); err != nil {
			return err
		}
		return d.send(ctx, a, r, bearer, answer, secrets)
	})
}

// exchange makes one call of ARM by exactly one request at once: whoever calls it has waited for the limiter. A token that
// is about to end costs a request of its own before.
func (d *sender) exchange(ctx context.Context, a action, r request, answer any, secrets ...string) error {
	bearer, err := d.tokens.get(ctx)
	if err != nil {
		return err
	}
	return d.send(ctx, a, r, bearer, answer, secrets)
}

// send sends one request. A token that the cloud does not accept is dropped, so that the next call gets another.
func (d *sender) send(ctx context.Context, a action, r request, bearer string, answer any, secrets []string) error {
	if err := ctx.Err(); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: a.String() + ": abandoned before it was sent", Err: err}
	}
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	began := time.Now()
	err := d.client.call(ctx, a, r, bearer, answer)
	if err == nil {
		cloud.Measured(d.limiter, a.name, began, nil)
		return nil
	}
	failed := translate(d.tokens.origin, a, err, append(secrets, bearer)...)
	cloud.Measured(d.limiter, a.name, began, failed)
	if statusOf(err) == http.StatusUnauthorized {
		d.tokens.refused(bearer)
	}
	return failed
}
