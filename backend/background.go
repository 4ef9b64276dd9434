package backend

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
)

// What the background does besides rotating.
const ()

// periodic is called by Vault about every minute. It returns at once.
func (b *backend) periodic(context.Context, *logical.Request) error {
	b.rounds.start(func(ctx context.Context) { //nolint:contextcheck // it outlives Vault's call, and ends with the backend
		if err := guard.Do(b.Logger(), "the regular work", func() error { return b.round(ctx) }); err != nil && ctx.Err() == nil {
			b.Logger().Error("a part of the regular work failed and will be done again", "error", err)
		}
	})
	b.rootRounds.start(func(ctx context.Context) { //nolint:contextcheck // as above
		if err := guard.Do(b.Logger(), "rotating credentials", func() error { return b.rootRound(ctx) }); err != nil && ctx.Err() == nil {
			b.Logger().Error("the rotation of a credential could not be looked after and will be again", "error", err)
		}
	})
	return nil
}

// rootRound replaces a credential whose rotation_period has passed, on nodes that may write.
func (b *backend) rootRound(ctx context.Context) error {
	if !b.WriteSafeReplicationState() {
		return nil
	}
	return b.root.RotateDue(ctx)
}

// round is the regular work, on nodes that may write.
func (b *backend) round(ctx context.Context) error {
	if !b.WriteSafeReplicationState() {
		return nil
	}
	b.connections.ExpireListings()
	part := func(what string, do func(context.Context) error) error {
		return guard.Do(b.Logger(), what, func() error { return do(ctx) })
	}
	return errors.Join(part("finishing rotations of credentials", b.root.FinishAll), part("dropping replaced keys", b.dropEarlierKeys),
		part("looking at the instances of roles", b.roles.LookAtAll), part("forgetting accounts of servers that are gone", b.roles.ForgetGone),
		part("asking what clouds tell of credentials", b.connections.AskAll), part("deleting what is left of hosts", b.cleanHosts))
}
