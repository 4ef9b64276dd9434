package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

// TestCommands: each is there once, with the words that its help needs, and a group unless it is hidden.
func TestCommands(t *testing.T) {
	seen := map[string]bool{}
	root := newRoot(newApp(Stdio{}))
	for _, cmd := range root.Commands() {
		if seen[cmd.Name()] {
			t.Errorf("%s is there twice", cmd.Name())
		}
		seen[cmd.Name()] = true
		if !cmd.Hidden && (cmd.GroupID == "" || cmd.Short == "") {
			t.Errorf("%s has no group, or no short words", cmd.Name())
		}
		if takesArguments(cmd) && cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
			t.Errorf("the arguments of %s have no completion, so that shells offer files; cobra.NoFileCompletions if there is none", cmd.Name())
		}
	}
}

// takesArguments reports whether a command accepts an argument.
func takesArguments(cmd *cobra.Command) bool {
	return !cmd.Hidden && cmd.Args != nil && cmd.Args(cmd, nil) != nil
}
