package sshclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// MaxOutput bounds a command's output, in bytes. What comes after it is read and dropped.
const MaxOutput = 64 << 10

// Result is that of a command that ended by itself.
type Result struct {
	ExitCode int
	// Output is standard output and, behind it and from a new line on, standard error, at most MaxOutput bytes.
	Output string
}

// Run runs a command by the user's shell, gives it the input and then the end of it, and waits for its exit code. The command is visible
// to everybody on the server: what is secret belongs into the input.
//
// Errors are *cloud.Error: of kind Refused as long as no byte of the input was sent, and Unknown afterwards, in which case the
// connection is closed. With no input it is Unknown once the server has agreed to run the command. Past the context's
// [cloud.WithSendDeadline] no input is sent.
func (c *Client) Run(ctx context.Context, command string, input []byte) (Result, error) {
	return c.run(ctx, command, "", input)
}

// RunTTY is Run on a terminal, which does not echo. The input is sent when the command has printed a line that says it is ready, and
// does not end. Standard error cannot be told from standard output. A command that ends before it is ready is an error of kind Refused.
func (c *Client) RunTTY(ctx context.Context, command, ready string, input []byte) (Result, error) {
	return c.run(ctx, command, ready, input)
}

// terminal are the modes of a terminal without echo: what is read is passed on as it is, in lines.
var terminal = ssh.TerminalModes{ssh.ECHO: 0, ssh.ECHOE: 0, ssh.ECHOK: 0, ssh.ECHONL: 0, ssh.ICANON: 1, ssh.ONLCR: 0}

// run is both. ready is "" without a terminal.
func (c *Client) run(ctx context.Context, command, ready string, input []byte) (Result, error) {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer c.line.within(bounded)()
	session, err := c.ssh.NewSession()
	if err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	defer session.Close()
	out, errs := newOutput(ready), newOutput("")
	session.Stdout, session.Stderr = out, errs
	stdin, err := session.StdinPipe()
	if err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	if ready != "" {
		if err := session.RequestPty("dumb", 24, 80, terminal); err != nil {
			return Result{}, c.notStarted(bounded, err)
		}
	}
	if err := session.Start(command); err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	ended, fed := make(chan struct{}), make(chan struct{})
	sent, stale := false, false
	go func() {
		defer close(fed)
		if ready != "" {
			select {
			case <-out.ready:
			case <-ended:
				return
			}
		}
		// What came before this may have taken long: a turn, a login, sudo.
		if stale = cloud.SendDeadlinePassed(ctx); stale {
			c.line.close()
			return
		}
		sent = true
		// A command may end before it has read all: what it made of it, its exit code says.
		_, _ = stdin.Write(input)
		if ready == "" {
			_ = stdin.Close()
		}
	}()
	err = session.Wait()
	close(ended)
	result := Result{Output: joined(out.text(), errs.text())}
	var exit *ssh.ExitError
	lost := false
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.Signal() == "":
		result.ExitCode = exit.ExitStatus()
	default:
		lost = true
		c.line.close() // whatever is still going on there, nothing is sent to it any more
	}
	_ = session.Close() // ends the writer, where the command did not read all
	<-fed
	switch {
	case stale:
		return Result{}, c.notStarted(bounded, errStale)
	case !sent && lost:
		return Result{}, c.notStarted(bounded, err)
	case !sent:
		return result, c.unready(result)
	case lost:
		return Result{}, c.lost(bounded, err)
	}
	return result, nil
}

// errStale is that of an input that came too late to be sent.
var errStale = errors.New("the time until which it might be sent was over (the host, or the turn at it, took too long)")

// unready is the error of a command that has ended before it read any input.
func (c *Client) unready(r Result) error {
	return refusal(c.target, hint.Hint{}, nil, "the command ended with exit code %d before it read anything", r.ExitCode)
}

// notStarted is the error of a command that the server has certainly not begun with.
func (c *Client) notStarted(ctx context.Context, err error) error {
	var refused *ssh.OpenChannelError
	why := reason(err)
	switch {
	case errors.Is(err, errStale):
	case errors.As(err, &refused):
		why = "the server opens no session (" + reason(errors.New(refused.Message)) + "); see MaxSessions of its sshd"
	case ctx.Err() != nil:
		why = "the server has not begun with it in time; see request_timeout of the connection"
	}
	return refusal(c.target, hint.Hint{}, err, "the command was not started: %s", why)
}

// lost is the error of a command whose end was not seen.
func (c *Client) lost(ctx context.Context, err error) error {
	why := "the connection was lost before its exit code came: " + reason(err)
	var missing *ssh.ExitMissingError
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		why = "it had not ended in time; see request_timeout of the connection"
	case errors.As(err, &exit):
		why = fmt.Sprintf("it was ended by the signal %.20q", exit.Signal())
	case errors.As(err, &missing):
		why = "the server closed the session without an exit code"
	}
	return &cloud.Error{Kind: cloud.Unknown, Err: err,
		Message: fmt.Sprintf("ssh to %s (%s): what became of the command is not known: %s", c.target.Name,
			place(c.target.Address, c.target.Port), why)}
}

// joined is one output of two, at most MaxOutput bytes.
func joined(out, errs string) string {
	if out != "" && errs != "" && out[len(out)-1] != '\n' {
		out += "\n"
	}
	all := out + errs
	return all[:min(len(all), MaxOutput)]
}

// output keeps the first MaxOutput bytes of what is written to it, and says when a line was among them.
type output struct {
	mu    sync.Mutex
	kept  []byte
	line  string
	ready chan struct{} // closed when the line has come; at once where there is none
	told  bool
}

var _ io.Writer = (*output)(nil)

func newOutput(line string) *output {
	o := &output{line: line, ready: make(chan struct{})}
	if line == "" {
		close(o.ready)
		o.told = true
	}
	return o
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, p[:min(len(p), MaxOutput-len(o.kept))]...)
	if !o.told && hasLine(o.kept, o.line) {
		o.told = true
		close(o.ready)
	}
	return len(p), nil
}

// hasLine reports whether a text has a line, whole with its end.
func hasLine(text []byte, line string) bool {
	for l := range bytes.Lines(text) {
		if bytes.HasSuffix(l, []byte("\n")) && string(bytes.TrimRight(l, "\r\n")) == line {
			return true
		}
	}
	return false
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.kept)
}
