package cli

import (
	"io"
	"os"
)

// Stdio are the three streams. A stream that is an *os.File may be a terminal.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// OS are the process's own streams.
func OS() Stdio { return Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }
