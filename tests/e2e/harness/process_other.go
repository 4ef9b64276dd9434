//go:build !linux

package harness

import "syscall"

// dieWithParent has no counterpart of Linux's parent-death signal here.
func dieWithParent() *syscall.SysProcAttr { return nil }
