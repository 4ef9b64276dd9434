package askpass

import "os"

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
