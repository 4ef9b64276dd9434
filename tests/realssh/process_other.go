//go:build !linux

package realssh

import "syscall"

// dieWithParent has no counterpart of Linux's parent-death signal here, nor has the system such servers.
func dieWithParent() *syscall.SysProcAttr { return nil }
