package rotation

import (
	"context"
	"errors"
	"time"
)

// Renew extends a lease (rule 12) that Vault issued at issued; increment is what the client asked
// for, which beats the TTL in Vault. It returns the TTL from now on and the maximum TTL counted from
// issued, which is what Vault caps the increment with.
func (c *Core) Renew(ctx context.Context, lease LeaseRef, issued time.Time, increment time.Duration) (ttl, maxTTL time.Duration, err error) {
	var grant Grant
	clock := c.clock.read()
	err = c.updateJointly(ctx, c.entry(lease.ID), renewed{lease: lease, issued: issued, increment: increment, at: clock.now,
		skew: clock.wall.Sub(clock.now), grant: &grant})
	if err != nil && !errors.Is(err, errNoChange) {
		return 0, 0, err
	}
	return grant.TTL, grant.MaxTTL, nil
}

// Revoke ends a lease (rule 13). It never calls the cloud: the last lease of the current version
// makes the account due, in the same write, and the scheduler does the rest. A lease that is not
// known any more, or whose account is gone, is success.
func (c *Core) Revoke(ctx context.Context, lease LeaseRef) error {
	err := c.updateJointly(ctx, c.entry(lease.ID), revoked{nonce: lease.Nonce, at: c.opts.Now()})
	if errors.Is(err, errNoChange) || isNotFound(err) {
		return nil
	}
	return err
}
