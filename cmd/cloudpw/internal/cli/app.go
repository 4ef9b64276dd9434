package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// app is what all commands share.
type app struct {
	stdio   Stdio
	now     func() time.Time
	options engine.Options
	output  string // the flag; see format

	client *engine.Client
	// interactive reports whether a person can be asked.
	interactive func() bool
	// pause is the time between two questions whether something has ended.
	pause time.Duration
}

// newApp is an app as the process has it.
func newApp(stdio Stdio) *app {
	return &app{stdio: stdio, now: time.Now, interactive: func() bool { return isTerminal(stdio.In) }, pause: time.Second}
}

// engine makes the client at the first use, so that commands without Vault need no settings.
func (a *app) engine() (*engine.Client, error) {
	if a.client == nil {
		c, err := engine.New(a.options)
		if err != nil {
			return nil, err
		}
		a.client = c
	}
	return a.client, nil
}

// format is the output's; a command names those that it has, the first of which is its default.
func (a *app) format(of ...output.Format) (output.Format, error) {
	if a.output == "" {
		return of[0], nil
	}
	f, err := output.ParseFormat(a.output)
	if err != nil {
		return "", usageError(err)
	}
	for _, has := range of {
		if f == has {
			return f, nil
		}
	}
	return "", usageError(fmt.Errorf("-o, --output: this command has no %s; it has %v", f, of))
}

// interruptible runs a command whose context ends with Ctrl-C, SIGTERM and SIGHUP. A second signal ends the process at once.
func (a *app) interruptible(run func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		context.AfterFunc(ctx, stop)
		return run(ctx, cmd, args)
	}
}

// note says something to a person, beside the results.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintln(a.stdio.Err, output.Clean(fmt.Sprintf(format, args...)))
}

// warn passes on Vault's warnings.
func (a *app) warn(warnings []string) {
	for _, w := range warnings {
		a.note("warning: %s", w)
	}
}

// say prints a line of the result.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintln(a.stdio.Out, output.Clean(fmt.Sprintf(format, args...)))
}

// printTable prints rows to the result, cut to the terminal's width.
func (a *app) printTable(rows *output.Rows) error {
	return rows.WriteTable(a.stdio.Out, width(a.stdio.Out))
}

// terminal is the file descriptor of a stream that is a terminal.
func terminal(stream any) (int, bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(file.Fd())
	return fd, term.IsTerminal(fd)
}

func isTerminal(stream any) bool {
	_, ok := terminal(stream)
	return ok
}

// width is the number of columns of a terminal; 0: it is none, or does not tell.
func width(w io.Writer) int {
	fd, ok := terminal(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return columns
}
