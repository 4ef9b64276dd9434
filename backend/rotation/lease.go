package rotation

import (
	"context"
	"errors"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"time"
)

// Renew extends a lease (rule 12) that Vault issued at issued; increment is what the client asked
// for, which beats the TTL in Vault. It returns the TTL from now on and the maximum TTL counted from
// issued, which is what Vault caps the increment with.
func (c *Core) Renew(ctx context.Context, lease LeaseRef, issued time.Time, increment time.Duration) (ttl, maxTTL time.Duration,
	err error) {
	var grant protocol.Grant
	clock := c.clock.read()
	err = c.updateCoalesced(ctx, c.entry(lease.ID), protocol.LeaseRenewed{Lease: lease, Issued: issued, Increment: increment, At: clock.Now,
		Skew: clock.Wall.Sub(clock.Now), Grant: &grant})
	if err != nil && !errors.Is(err, protocol.ErrNoChange) {
		return 0, 0, err
	}
	return grant.TTL, grant.MaxTTL, nil
}

// Revoke ends a lease (rule 13). It never calls the cloud: the last lease of the current version
// makes the account due, in the same write, and the scheduler does the rest. A lease that is not
// known any more, or whose account is gone, is success.
func (c *Core) Revoke(ctx context.Context, lease LeaseRef) error {
	err := c.updateCoalesced(ctx, c.entry(lease.ID), protocol.LeaseRevoked{Nonce: lease.Nonce, At: c.opts.Now()})
	if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
		return nil
	}
	return err
}
