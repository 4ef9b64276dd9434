package session

import (
	"os"
	"syscall"
)

var (
	endings  = []os.Signal{os.Interrupt, syscall.SIGTERM} // SIGTERM: the console's window is closed, the user logs off
	harmless []os.Signal
)

// terminate is the signal that ends a program; Windows has no other.
var terminate = os.Kill

func passedOn(os.Signal) os.Signal { return os.Kill }
