package cli

import "github.com/spf13/cobra"

// one wants one argument, and says which.
func one(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usagef("%s is missing", what)
		case 1:
			return nil
		}
		return usagef("%d arguments are given, and %s alone is wanted; put what has blanks in quotes", len(args), what)
	}
}
