package rotation

import (
	"context"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"time"
)

// Reader is who reads, and through which role.
type Reader struct {
	// Role is the one that the read was made through: an account that has left it meanwhile is not handed
	// out. Empty: any.
	Role string
	// Owner stands for the entity or token whose leases are counted together; empty: they are not.
	Owner string
}

type readerKey struct{}

// WithReader returns a context for the reads of r.
func WithReader(ctx context.Context, r Reader) context.Context {
	return context.WithValue(ctx, readerKey{}, r)
}

func readerOf(ctx context.Context) Reader {
	r, _ := ctx.Value(readerKey{}).(Reader)
	return r
}

// withdrawTime bounds what a withdrawal may take of a request that nobody waits for any more.
const withdrawTime = 30 * time.Second

// withdraw takes back the lease of an answer that cannot be given, because its caller has gone.
func (c *Core) withdraw(ctx context.Context, e *entry, nonce string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	var err error
	for range 3 {
		err = c.updateCoalesced(ctx, e, protocol.LeaseWithdrawn{Nonce: nonce, At: c.opts.Now()})
		if err == nil || protocol.IsNoChange(err) || isNotFound(err) {
			return
		}
	}
	c.opts.Logger.Warn("a lease that nobody was given could not be taken back; it ends by its time", "account", e.id.String(), "error", err)
}

// hungUp is nil unless the caller of a read has gone.
func hungUp(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Error{Kind: Unavailable, Message: "the request has ended before its answer; nothing was handed out", Err: err}
	}
	return nil
}
