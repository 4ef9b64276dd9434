package cli

import "github.com/spf13/cobra"

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
