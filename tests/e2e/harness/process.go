package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopGrace is how long a process may take to end after SIGTERM before it is killed.
const stopGrace = 10 * time.Second

// Process is a running program. It ends with the test that started it.
type Process struct {
	// LogPath is the file that receives its standard output and error.
	LogPath string

	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
	err  error         // its exit error; read it after done

	restarted bool // another process goes on with its log
}

func init() {
	// Under nohup SIGHUP is ignored, and whatever is started here would ignore it as well: tests that send it would wait for nothing.
	// A signal that is heard here is the default for them again.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// StartProcess runs a program that a test needs beside Vault, with a small environment and its log in dir.
func StartProcess(tb testing.TB, name, dir, bin string, args ...string) *Process {
	tb.Helper()
	return startProcess(tb, name, filepath.Join(dir, name+".log"), environment(dir), bin, args...)
}

// startProcess runs a program with exactly the environment given. The log is appended to, so that a restarted server
// keeps one log.
func startProcess(tb testing.TB, name, logPath string, env []string, bin string, args ...string) *Process {
	tb.Helper()
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatalf("log of %s: %v", name, err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	err = cmd.Start()
	_ = log.Close() // the child has its own descriptor
	if err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	p := &Process{LogPath: logPath, name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() && !p.restarted {
			tb.Logf("the last lines of %s's log:\n%s", name, tail(logPath, 40))
		}
	})
	return p
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited tells whether the program has ended, and how.
func (p *Process) Exited() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}

// Stop asks the program to end, and kills it if it takes longer than stopGrace. It may be called more than once.
func (p *Process) Stop() {
	if ended, _ := p.Exited(); ended {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		p.Kill()
	}
}

// Kill ends the program at once (SIGKILL) and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// errExited is what waiting for a server returns when its program has ended instead.
var errExited = errors.New("the program has ended")

// alive returns errExited, with the end of the log, once the program has ended.
func (p *Process) alive() error {
	if ended, err := p.Exited(); ended {
		return fmt.Errorf("%s: %w (%s); its log ends with:\n%s", p.name, errExited, fmt.Sprint(err), tail(p.LogPath, 20))
	}
	return nil
}

// longestLine is how many bytes of a line tail shows.
const longestLine = 400

// tail returns the last lines of a file, long ones cut, or why it cannot be read.
func tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	last := all[max(0, len(all)-lines):]
	for i, line := range last {
		if len(line) > longestLine {
			last[i] = line[:longestLine] + "..."
		}
	}
	return strings.Join(last, "\n")
}

// environment is the small environment that every program gets: nothing of the developer's own Vault or cloud settings
// may decide a test. extra holds further NAME=value entries.
func environment(home string, extra ...string) []string {
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if tmp := os.Getenv("TMPDIR"); tmp != "" {
		env = append(env, "TMPDIR="+tmp)
	}
	return append(env, extra...)
}
