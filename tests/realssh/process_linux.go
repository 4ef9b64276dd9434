package realssh

import "syscall"

// dieWithParent has the kernel kill the child when the test binary dies without running its cleanups.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
