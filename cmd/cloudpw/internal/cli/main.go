package cli

import (
	"context"
	"io"
	"os"
)

// Version is that of the build; the Makefile sets it.
var Version = "v0.0.0-dev"

// Stdio are the three streams. A stream that is an *os.File may be a terminal.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

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

// OS are the process's own streams.
func OS() Stdio { return Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }
