package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// What terminals obey: a second screen, which has no scroll-back, and what clears it.
const (
	otherScreen = "\x1b[?1049h\x1b[2J\x1b[H"
	firstScreen = "\x1b[2J\x1b[H\x1b[?1049l"
)

// Keys that end a look: Enter, Ctrl-C, Ctrl-D, q.
const endingKeys = "\r\n\x03\x04q"

// CanShow reports why a terminal cannot show something and hide it again; nil: it can.
func CanShow(in, out *os.File) error {
	switch {
	case !term.IsTerminal(int(out.Fd())):
		return errors.New("standard output is no terminal")
	case !term.IsTerminal(int(in.Fd())):
		return errors.New("standard input is no terminal, so that there is no key to hide the password again")
	}
	if name := os.Getenv("TERM"); onlyKnown && (name == "" || name == "dumb") {
		return fmt.Errorf("this terminal (TERM=%s) cannot hide again what it has shown", name)
	}
	return nil
}

// Show shows lines on the terminal's other screen until a key ends it (Enter, Ctrl-C), a signal or more does, or the terminal is gone. Then
// they are gone from the terminal, too. With lines of nil it shows nothing and only waits.
func Show(in, out *os.File, lines []string, ends <-chan os.Signal, more <-chan struct{}) error {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(in.Fd()), state) }()
	if lines != nil {
		defer func() { _, _ = io.WriteString(out, firstScreen) }()
		if _, err := io.WriteString(out, otherScreen+strings.Join(lines, "\r\n")+"\r\n"); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	over := make(chan struct{})
	go func() { // ends with the process at the latest: a read of a terminal cannot be called off
		defer close(over)
		key := make([]byte, 1)
		for {
			n, err := in.Read(key)
			if err != nil || n == 1 && strings.IndexByte(endingKeys, key[0]) >= 0 {
				return
			}
		}
	}()
	select {
	case <-over:
	case <-ends:
	case <-more:
	}
	return nil
}

// Showable reports whether each character of a text shows as itself on a terminal.
func Showable(s string) bool { return output.Clean(s) == s }
