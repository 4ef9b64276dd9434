package askpass

import (
	"os"

	"golang.org/x/sys/windows"
)

// endings are the signals that end a question.
var endings = []os.Signal{os.Interrupt}

func openTerminal() (in, screen *os.File, err error) {
	if in, err = os.OpenFile("CONIN$", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if screen, err = os.OpenFile("CONOUT$", os.O_RDWR, 0); err != nil {
		_ = in.Close()
		return nil, nil, err
	}
	return in, screen, nil
}

// hideInput has a terminal echo nothing of what is typed.
func hideInput(fd int) error {
	var mode uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &mode); err != nil {
		return err
	}
	return windows.SetConsoleMode(windows.Handle(fd), mode&^windows.ENABLE_ECHO_INPUT)
}
