package main

import "syscall"

// ownGroup keeps Ctrl-C in the terminal from a process, and has the kernel kill it if this program dies before it could end it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
