// Package clipboard puts a text into the clipboard of the person's desktop, and takes it out again. The text goes through pipes: it is in
// no argument and in no file.
package clipboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// callTime bounds a call of the desktop's program.
const callTime = 5 * time.Second

// Clipboard is that of a desktop.
type Clipboard struct{ tool tool }

// tool are the commands that write and read a clipboard.
type tool struct {
	write, read, clear []string // clear empty: an empty text is written
}

// Find finds the clipboard of the desktop that this process runs on.
func Find() (*Clipboard, error) {
	for _, t := range tools() {
		if _, err := exec.LookPath(t.write[0]); err != nil {
			continue
		}
		if _, err := exec.LookPath(t.read[0]); err == nil {
			return &Clipboard{t}, nil
		}
	}
	return nil, errors.New("--clip: no clipboard here (" + missing + ")")
}

// Put replaces what is in the clipboard. If that fails, the text is not in it.
func (c *Clipboard) Put(ctx context.Context, text string) error {
	if err := run(ctx, c.tool.write, text, nil); err != nil {
		// A program that has failed, or takes too long, may have put it there.
		return errors.Join(fmt.Errorf("clipboard: %w", err), c.Clear(context.WithoutCancel(ctx), text))
	}
	return nil
}

// Clear empties the clipboard, if it still holds the text that Put put there.
func (c *Clipboard) Clear(ctx context.Context, text string) error {
	var now bytes.Buffer
	if err := run(ctx, c.tool.read, "", &now); err != nil || trim(now.String()) != text {
		return nil //nolint:nilerr // nothing that can be read is in it: an image, or nothing at all
	}
	command := c.tool.clear
	if command == nil {
		command = c.tool.write
	}
	if err := run(ctx, command, "", nil); err != nil {
		return fmt.Errorf("clipboard: the password is still in it: %w", err)
	}
	return nil
}

// run runs a command. Its output is not passed on if nobody wants it: the programs that keep a selection stay in the background with it.
func run(ctx context.Context, command []string, in string, out *bytes.Buffer) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // one of tools
	cmd.WaitDelay = callTime
	cmd.Stdin = bytes.NewReader([]byte(in))
	if out != nil {
		cmd.Stdout = out
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
