package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// targetFlags are those that narrow the argument SERVER.
func (a *app) targetFlags(cmd *cobra.Command) *engine.Target {
	var t engine.Target
	flags := cmd.Flags()
	flags.StringVar(&t.Connection, "connection", "", "the server's connection, if the name is not enough")
	flags.StringVar(&t.Role, "role", "", "the server's role, if the name is not enough")
	flags.StringVar(&t.User, "user", "", "the user, if the server has several")
	_ = cmd.RegisterFlagCompletionFunc("connection", a.completeNames("config"))
	_ = cmd.RegisterFlagCompletionFunc("role", a.completeNames("roles"))
	return &t
}

// detail reads everything about the account that a person means.
func (a *app) detail(ctx context.Context, t engine.Target) (engine.Detail, error) {
	c, err := a.engine()
	if err != nil {
		return engine.Detail{}, err
	}
	place, err := c.Resolve(ctx, t)
	if err != nil {
		return engine.Detail{}, err
	}
	if place.Connection == "" {
		if _, err := c.Report(ctx, engine.Filter{Role: place.Role}, "", 1); err != nil {
			return engine.Detail{}, err // the token may not read it
		}
		return engine.Detail{}, fmt.Errorf("%s has no account yet: nobody has read its password", place.Argument())
	}
	return c.Account(ctx, place.Connection, place.InstanceID, place.Username)
}

// serverCommand is a command about one server.
func (a *app) serverCommand(cmd *cobra.Command, run func(ctx context.Context, t engine.Target) error) *cobra.Command {
	cmd.Args = one("SERVER")
	t := a.targetFlags(cmd)
	cmd.ValidArgsFunction = a.completeServer(1)
	cmd.RunE = a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
		t.Text = args[0]
		return run(ctx, *t)
	})
	return cmd
}

// serverName is how an account's server is called in sentences.
func serverName(d engine.Detail) string {
	if d.InstanceName != "" && d.InstanceName != d.InstanceID {
		return d.InstanceName + " (" + d.InstanceID + ")"
	}
	return d.InstanceID
}
