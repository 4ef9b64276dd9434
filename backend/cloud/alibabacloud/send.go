package alibabacloud

import (
	"context"
	"net/url"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// dateWindow is how far a request's date may be from the cloud's clock: 15 minutes, which no page at hand confirms for
	// version 3 of the signature.
	dateWindow = 15 * time.Minute
	// clockSkew is how far ahead of the cloud our clock may be for the request to be taken at all. Signed so, a request
	// stays acceptable for that much longer than the window.
	clockSkew = dateWindow
)

// sender sends requests that are signed with the keys of a source.
type sender struct {
	client  *client
	limiter cloud.Limiter
	timeout time.Duration
	source  *keySource
}

// ask makes one call, and repeats only one that certainly did nothing: one that the cloud throttled while a client waits,
// and once one whose parameters it did not read. It waits for the limiter, bounds the exchange and translates its error.
func (d *sender) ask(ctx context.Context, a action, parameters url.Values, answer any, secrets ...string) error {
	return cloud.RetryThrottled(ctx, func() error {
		err := d.askOnce(ctx, a, parameters, answer, secrets...)
		if bodyUnread(err) {
			err = d.askOnce(ctx, a, parameters, answer, secrets...)
		}
		return err
	})
}

// askOnce is ask for a call that is not repeated.
func (d *sender) askOnce(ctx context.Context, a action, parameters url.Values, answer any, secrets ...string) error {
	k, err := d.source.get(ctx)
	if err != nil {
		return err
	}
	if err := d.limiter.Wait(ctx, a.name); err != nil {
		return err
	}
	return d.exchange(ctx, a, k, parameters, answer, secrets...)
}

// exchange sends one request at once. Temporary keys that the cloud no longer accepts are dropped, so that the next call
// fetches others.
func (d *sender) exchange(ctx context.Context, a action, k keys, parameters url.Values, answer any, secrets ...string) error {
	if err := ctx.Err(); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: a.String() + ": abandoned before it was sent", Err: err}
	}
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	began := time.Now()
	err := d.client.call(ctx, a, k, parameters, answer)
	if err == nil {
		cloud.Measured(d.limiter, a.name, began, nil)
		return nil
	}
	failure := translate(d.source.origin, a, err, append(secrets, k.secret, k.token)...)
	cloud.Measured(d.limiter, a.name, began, failure)
	d.source.refused(k, failure)
	return failure
}

// bodyUnread reports a refusal after which the client writes parameters into the query.
func bodyUnread(err error) bool {
	refusal, ok := asAPIError(err)
	return ok && refusal.bodyUnread
}
