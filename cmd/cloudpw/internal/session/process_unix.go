//go:build !windows

package session

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalled is what shells add to a signal's number to make an exit code of it.
const signalled = 128

// await waits for a started program and returns its exit code. If the program stops itself (~^Z of ssh, Ctrl-Z), so does this process, so
// that the shell gets its terminal back; `fg` continues both.
func await(p *os.Process) (int, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(p.Pid, &status, unix.WUNTRACED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case status.Exited():
			return status.ExitStatus(), nil
		case status.Signaled():
			return signalled + int(status.Signal()), nil
		case status.Stopped():
			stopToo()
			_ = p.Signal(unix.SIGCONT)
		}
	}
}

// stopToo stops this process, unless there is no shell that could continue it.
func stopToo() {
	if leader, err := unix.Getsid(0); err == nil && leader != os.Getpid() {
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
}

// stopping are the signals that stop a group of processes from the keyboard. This one stops when it sees that the program has.
var stopping = []os.Signal{syscall.SIGTSTP}

// noCore keeps the memory of this process and of what it starts out of core files.
func noCore() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}
