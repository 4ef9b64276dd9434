//go:build unix && !linux

package main

import "syscall"

// ownGroup keeps Ctrl-C in the terminal from a process.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
