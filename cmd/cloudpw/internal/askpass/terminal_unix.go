//go:build !windows

package askpass

import (
	"os"

	"golang.org/x/sys/unix"
)

// endings are the signals that end a question.
var endings = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

func openTerminal() (in, screen *os.File, err error) {
	if in, err = os.OpenFile("/dev/tty", os.O_RDONLY, 0); err != nil {
		return nil, nil, err
	}
	if screen, err = os.OpenFile("/dev/tty", os.O_WRONLY, 0); err != nil {
		_ = in.Close()
		return nil, nil, err
	}
	return in, screen, nil
}

// hideInput has a terminal echo nothing of what is typed.
func hideInput(fd int) error {
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, state)
}
