package sshclient

import (
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
// connection is closed. With no input it is Unknown once the server has agreed to run the command.
func (c *Client) Run(ctx context.Context, command string, input []byte) (Result, error) {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer c.line.within(bounded)()
	session, err := c.ssh.NewSession()
	if err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	defer session.Close()
	var out, errs bounded64
	session.Stdout, session.Stderr = &out, &errs
	stdin, err := session.StdinPipe()
	if err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	if err := session.Start(command); err != nil {
		return Result{}, c.notStarted(bounded, err)
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		// A command may end before it has read all: what it made of it, its exit code says.
		_, _ = stdin.Write(input)
		_ = stdin.Close()
	}()
	err = session.Wait()
	result := Result{Output: joined(out.text(), errs.text())}
	var exit *ssh.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.Signal() == "":
		result.ExitCode = exit.ExitStatus()
	default:
		c.line.close() // whatever is still going on there, nothing is sent to it any more
		<-fed
		return Result{}, c.lost(bounded, err)
	}
	_ = session.Close() // ends the writer, where the command did not read all
	<-fed
	return result, nil
}

// notStarted is the error of a command that the server has certainly not begun with.
func (c *Client) notStarted(ctx context.Context, err error) error {
	var refused *ssh.OpenChannelError
	why := reason(err)
	switch {
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

// bounded64 keeps the first MaxOutput bytes of what is written to it.
type bounded64 struct {
	mu   sync.Mutex
	kept []byte
}

var _ io.Writer = (*bounded64)(nil)

func (b *bounded64) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p[:min(len(p), MaxOutput-len(b.kept))]...)
	return len(p), nil
}

func (b *bounded64) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.kept)
}
