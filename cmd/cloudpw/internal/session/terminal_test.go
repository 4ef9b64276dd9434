//go:build !windows

package session

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// TestWhatIsShownIsHiddenAgain: whatever ends it, also on a terminal of one cell.
func TestWhatIsShownIsHiddenAgain(t *testing.T) {
	for name, end := range map[string]func(master *os.File, ends chan os.Signal, over chan struct{}) error{
		"Enter": func(m *os.File, _ chan os.Signal, _ chan struct{}) error {
			_, err := m.WriteString("xyz\r")
			return err
		},
		"Ctrl-C":       func(m *os.File, _ chan os.Signal, _ chan struct{}) error { _, err := m.WriteString("\x03"); return err },
		"a signal":     func(_ *os.File, ends chan os.Signal, _ chan struct{}) error { ends <- os.Interrupt; return nil },
		"the lease":    func(_ *os.File, _ chan os.Signal, over chan struct{}) error { close(over); return nil },
		"small screen": func(_ *os.File, ends chan os.Signal, _ chan struct{}) error { ends <- os.Interrupt; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			master, screen, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			if name == "small screen" {
				if err := pty.Setsize(screen, &pty.Winsize{Rows: 1, Cols: 1}); err != nil {
					t.Fatal(err)
				}
			}
			before, err := term.GetState(int(screen.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			ends, over := make(chan os.Signal, 1), make(chan struct{})
			shown := make(chan error, 1)
			go func() { shown <- Show(screen, screen, []string{"Password  secret"}, ends, over) }()
			var seen bytes.Buffer
			part := make([]byte, 256)
			read := func() {
				if err := master.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				n, err := master.Read(part)
				if err != nil {
					t.Fatalf("%v after %q", err, seen.String())
				}
				seen.Write(part[:n])
			}
			for !strings.Contains(seen.String(), "secret") {
				read()
			}
			if !strings.HasPrefix(seen.String(), otherScreen) {
				t.Errorf("it shows %q, not on the other screen", seen.String())
			}
			if err := end(master, ends, over); err != nil {
				t.Fatal(err)
			}
			if err := <-shown; err != nil {
				t.Fatal(err)
			}
			for !strings.HasSuffix(seen.String(), firstScreen) {
				read()
			}
			after, err := term.GetState(int(screen.Fd()))
			if err != nil || *after != *before {
				t.Errorf("the terminal is not as it was: %v", err)
			}
		})
	}
}

// TestNoCoreFiles: neither of this process nor of what it starts.
func TestNoCoreFiles(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &was); err != nil || was.Max == 0 {
		t.Skip("there are no core files here anyway")
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: was.Max, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &was) }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "ulimit -c")
	cmd.Stdout = w
	code, err := newProgram(cmd).run(nil, func(int) {})
	if err != nil || code != 0 {
		t.Fatalf("%d, %v", code, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(r); err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("the size of a core file may be %q, %v", out, err)
	}
}
