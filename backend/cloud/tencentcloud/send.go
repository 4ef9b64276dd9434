package tencentcloud

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// timestampWindow is how far a request's timestamp may be from the cloud's clock
	// (AuthFailure.SignatureExpire, page 213/33281: five minutes).
	timestampWindow = 5 * time.Minute
	// clockSkew is how far ahead of the cloud our clock may be for the request to be taken at all.
	// Signed so, a request stays acceptable for that much longer than the window.
	clockSkew = timestampWindow
)

// sender sends requests that are signed with the keys of a source.
type sender struct {
	limiter cloud.Limiter
	timeout time.Duration
	source  *keySource
}

// ask makes one call, and repeats only one that the cloud throttled while a client waits: it waits for the
// limiter, bounds the exchange and translates its error.
func (d *sender) ask(ctx context.Context, a action, send func(context.Context, *session) error, secrets ...string) error {
	return cloud.RetryThrottled(ctx, func() error { return d.askOnce(ctx, a, send, secrets...) })
}

// askOnce is ask for a call that is not repeated when throttled.
func (d *sender) askOnce(ctx context.Context, a action, send func(context.Context, *session) error, secrets ...string) error {
	s, err := d.source.get(ctx)
	if err != nil {
		return err
	}
	if err := d.limiter.Wait(ctx, a.name); err != nil {
		return err
	}
	return d.exchange(ctx, a, s, send, secrets...)
}

// exchange sends one request at once. Temporary keys that the cloud no longer accepts are dropped, so
// that the next call fetches others.
func (d *sender) exchange(ctx context.Context, a action, s *session, send func(context.Context, *session) error, secrets ...string) error {
	if err := ctx.Err(); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: a.String() + ": abandoned before it was sent", Err: err}
	}
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	began := time.Now()
	if err := send(ctx, s); err != nil {
		failure := translate(d.source.origin, a, err, append(secrets, s.keys.secret, s.keys.token)...)
		cloud.Measured(d.limiter, a.name, began, failure)
		d.source.refused(s, failure)
		return failure
	}
	cloud.Measured(d.limiter, a.name, began, nil)
	return nil
}
