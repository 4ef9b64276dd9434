package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newGiveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "give LEASE...",
		Short: "Give leases back before they end",
		Long: `give ends leases, as cloudpw take printed them. When the last lease of a password has ended, Vault has the password replaced; with
force_stop=true the cloud may shut the server down for that. A lease that Vault does not know is no error: it has ended already, or the
id is mistyped, and give says so.`,
		Example:           "  cloudpw give cloudpw/creds/web/MfLv4Mk4up7VtxEGW4gRZm6R",
		Args:              cobra.MinimumNArgs(1),
		GroupID:           groupUse,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.give(ctx, args)
		}),
	}
}

func (a *app) give(ctx context.Context, leases []string) error {
	for _, lease := range leases {
		if err := engine.CheckLeaseID(lease); err != nil {
			return usageError(err)
		}
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	var failed []error
	again := "vault lease revoke"
	for _, lease := range leases {
		// Vault reports no error for an id that it does not know: somebody who mistypes one would think that the lease has ended.
		lives, unknown := c.Lives(ctx, lease)
		if err := c.GiveBack(ctx, lease); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", lease, err))
			again += " " + output.Word(lease)
			continue
		}
		if unknown == nil && !lives {
			a.note("no such lease: %s has ended already, or is not the whole id", lease)
			continue
		}
		a.say("given back: %s", lease)
	}
	if len(failed) > 0 {
		return try(errors.Join(failed...), "%s", again)
	}
	return nil
}
