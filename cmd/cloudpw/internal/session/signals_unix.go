//go:build !windows

package session

import (
	"os"
	"syscall"
)

var (
	endings  = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
	harmless = []os.Signal{syscall.SIGPIPE, syscall.SIGTTOU}
)

// terminate is the signal that ends a program.
var terminate os.Signal = syscall.SIGTERM

// passedOn is what a program is told where this process was told s. SIGQUIT would have it write its memory to a file.
func passedOn(s os.Signal) os.Signal {
	if s == syscall.SIGQUIT {
		return syscall.SIGTERM
	}
	return s
}
