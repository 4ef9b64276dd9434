package cli

import "github.com/spf13/cobra"

// Version is that of the build; the Makefile sets it.
var Version = "v0.0.0-dev"

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this command",
		Args:    cobra.NoArgs,
		GroupID: groupKeep,
		RunE: func(*cobra.Command, []string) error {
			a.say("cloudpw %s", Version)
			return nil
		},
	}
}
