package aws

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// sender makes the requests of one set of keys.
type sender struct {
	limiter cloud.Limiter
	timeout time.Duration // of one request; 0: none
	keys    *keySource
}

// request is one action of a service, as the SDK's clients offer it.
type request[In, Out, Option any] = func(context.Context, In, ...Option) (Out, error)

// send makes one request, and repeats only one that the cloud throttled while a client waits: it gets the
// keys to sign with, waits for the limiter, bounds the exchange by the request timeout and translates the
// SDK's error, which repeats none of the secrets. Fetching or renewing temporary keys takes a request of its own, before it.
func send[In, Out, Option any](ctx context.Context, s sender, c call, request request[In, Out, Option], in In,
	secrets ...string) (Out, error) {
	var out Out
	err := cloud.RetryThrottled(ctx, func() (err error) {
		out, err = sendOnce(ctx, s, c, request, in, secrets...)
		return err
	})
	return out, err
}

// sendOnce is send for a request that is not repeated when throttled.
func sendOnce[In, Out, Option any](ctx context.Context, s sender, c call, request request[In, Out, Option], in In,
	secrets ...string) (Out, error) {
	return exchange(ctx, s, c, request, in, func(ctx context.Context) error { return s.limiter.Wait(ctx, c.action) }, secrets...)
}

// sendAtOnce makes exactly one request, for a caller that has waited for the limiter already. No error repeats
// one of the secrets, which the request may hold.
func sendAtOnce[In, Out, Option any](ctx context.Context, s sender, c call, request request[In, Out, Option], in In,
	secrets ...string) (Out, error) {
	return exchange(ctx, s, c, request, in, func(ctx context.Context) error { return cloud.Unlimited{}.Wait(ctx, c.String()) }, secrets...)
}

func exchange[In, Out, Option any](ctx context.Context, s sender, c call, request request[In, Out, Option], in In,
	wait func(context.Context) error, secrets ...string) (Out, error) {
	var none Out
	ctx, used, err := s.keys.pin(ctx)
	if err != nil {
		return none, err
	}
	if err := wait(ctx); err != nil {
		return none, err
	}
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	began := time.Now()
	out, err := request(ctx, in)
	if err != nil {
		failure := translate(s.keys.origin, c, err, secrets...)
		cloud.Measured(s.limiter, c.action, began, failure)
		s.keys.refused(used, failure)
		return none, failure
	}
	cloud.Measured(s.limiter, c.action, began, nil)
	return out, nil
}
