//go:build e2e

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// within bounds what takes a moment on an idle machine.
const within = 90 * time.Second

// desk is where a person works: folders of its own, in which nothing may remain.
type desk struct {
	home, temporary, runtime string
	vault                    string // "": the server's own address
	more                     []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir, err := os.MkdirTemp("", "desk") //nolint:usetesting // short: sockets are made below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &desk{home: filepath.Join(dir, "home"), temporary: filepath.Join(dir, "tmp"), runtime: filepath.Join(dir, "run")}
	for _, folder := range []string{d.home, d.temporary, d.runtime} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := "UserKnownHostsFile " + d.knownHosts() + "\nGlobalKnownHostsFile /dev/null\n"
	if err := os.WriteFile(d.sshConfig(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// knownHosts is where the ssh of the desk keeps what it knows.
func (d *desk) knownHosts() string { return filepath.Join(d.home, "known_hosts") }

// sshConfig is read in place of the developer's own, also by the ssh that reaches a jump host.
func (d *desk) sshConfig() string { return filepath.Join(d.home, "ssh_config") }

// environment is that of a command at the desk: nothing of the developer's.
func (d *desk) environment(e *env, token string) []string {
	list := append(e.environment(token), "HOME="+d.home, "TMPDIR="+d.temporary, "XDG_RUNTIME_DIR="+d.runtime, "TERM=xterm",
		"CLOUDPW_SSH_ARGS=-F "+d.sshConfig())
	if d.vault != "" {
		list = append(list, "VAULT_ADDR="+d.vault)
	}
	return append(list, d.more...)
}

// files are all that is below the desk.
func (d *desk) files(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, folder := range []string{d.home, d.temporary, d.runtime} {
		if err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files = append(files, path)
			}
			return nil // what is removed meanwhile is not there
		}); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// empty fails the test if a session has left something behind.
func (d *desk) empty(t *testing.T) {
	t.Helper()
	for _, folder := range []string{d.temporary, d.runtime} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			t.Errorf("the session has left %s", entry.Name())
		}
	}
}

// screen is a terminal on which a command runs.
type screen struct {
	cmd    *exec.Cmd
	master *os.File
	once   sync.Once
	done   chan struct{} // closed when the command has ended
	read   chan struct{} // closed when nothing more is shown

	mu    sync.Mutex
	shown bytes.Buffer
}

// open runs the command on a terminal of its own.
func (e *env) open(t *testing.T, d *desk, token string, args ...string) *screen {
	t.Helper()
	return e.openProgram(t, d, token, exec.Command(e.command, args...))
}

// openProgram runs a program, with the environment of the desk.
func (e *env) openProgram(t *testing.T, d *desk, token string, cmd *exec.Cmd) *screen {
	t.Helper()
	cmd.Env = d.environment(e, token)
	opened, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	// One whose reads end when it is closed. No program that another test starts may have it: it would keep the terminal open.
	fd, err := unix.FcntlInt(opened.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(unix.SetNonblock(fd, true), opened.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), opened.Name())
	s := &screen{cmd: cmd, master: master, done: make(chan struct{}), read: make(chan struct{})}
	go func() {
		defer close(s.read)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			s.mu.Lock()
			s.shown.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		_ = cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-s.done
		s.hangUp()
		<-s.read
		if t.Failed() {
			t.Logf("the terminal has shown:\n%s", s.text())
		}
	})
	return s
}

// text is all that the terminal has shown.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// await waits until the terminal has shown a text.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	harness.Eventually(t, within, fmt.Sprintf("%q on the terminal", text), func() error {
		if strings.Contains(s.text(), text) {
			return nil
		}
		select {
		case <-s.read: // the terminal has no other user any more
			if !strings.Contains(s.text(), text) {
				t.Fatalf("the command has ended before it showed %q", text)
			}
			return nil
		default:
		}
		return fmt.Errorf("it shows %d bytes", len(s.text()))
	})
}

// send types.
func (s *screen) send(t *testing.T, text string) {
	t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// hangUp closes the terminal.
func (s *screen) hangUp() { s.once.Do(func() { _ = s.master.Close() }) }

// code waits for the end of the command.
func (s *screen) code(t *testing.T) int {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(within):
		t.Fatal("the command does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// batch runs the command at a desk without a terminal.
func (e *env) batch(t *testing.T, d *desk, token string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.command, args...)
	cmd.Env = d.environment(e, token)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal of the developer's, either
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = within
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("cloudpw %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// forget has the desk's ssh know no server.
func (d *desk) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.knownHosts()); err != nil {
		t.Fatal(err)
	}
}
