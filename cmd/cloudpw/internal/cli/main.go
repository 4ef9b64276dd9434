package cli

import "context"

// Main runs the command with its arguments, without the program's name, and returns the exit code.
func Main(args []string, stdio Stdio) int { return newApp(stdio).main(args) }

func (a *app) main(args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.stdio.In)
	root.SetOut(a.stdio.Out)
	root.SetErr(a.stdio.Err)
	cmd, err := root.ExecuteContextC(context.Background())
	return a.end(cmd, err)
}
