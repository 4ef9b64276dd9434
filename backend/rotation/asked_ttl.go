package rotation

import (
	"context"
	"time"
)

type askedTTLKey struct{}

// WithTTL makes the reads of a context ask for leases of that TTL. It shortens a lease, and never
// lengthens one.
func WithTTL(ctx context.Context, ttl time.Duration) context.Context {
	return context.WithValue(ctx, askedTTLKey{}, ttl)
}

func askedTTL(ctx context.Context) time.Duration {
	ttl, _ := ctx.Value(askedTTLKey{}).(time.Duration)
	return ttl
}
