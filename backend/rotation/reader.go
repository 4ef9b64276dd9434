package rotation

import (
	"context"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"time"
)

// withdrawTime bounds what a withdrawal may take of a request that nobody waits for any more.
const withdrawTime = 30 * time.Second

// withdraw takes back the lease of an answer that cannot be given, because its caller has gone.
func (c *Core) withdraw(ctx context.Context, e *entry, nonce string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	var err error
	for range 3 {
		err = c.updateCoalesced(ctx, e, protocol.LeaseWithdrawn{Nonce: nonce, At: c.opts.Now()})
		if err == nil || protocol.IsNoChange(err) || isNoRecord(err) {
			return
		}
	}
	c.opts.Logger.Warn("a lease that nobody was given could not be taken back; it ends by its time", "account", e.id.String(), "error", err)
}

// newReader reports whether the record of a static account is to note a reader before it is read. It waits for nothing.
func (e *entry) newReader(by Reader) bool {
	if e.leased.Load() {
		return false
	}
	rec := e.snapshot.Load()
	return rec != nil && rec.Current() != nil && !rec.Current().Given.Knows(by.Client)
}

// hungUp is nil unless the caller of a read has gone.
func hungUp(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Error{Kind: Unavailable, Message: hint.Plain("the request has ended before its answer; nothing was handed out"), Err: err}
	}
	return nil
}
