// Package cli is the command cloudpw: its commands, one file each, their flags, and its exit codes. Each command is made by a
// function newXCommand, which root.go lists.
//
// Exit codes are those of the vault command: 0 done; 1 a local error (flags, arguments, a question answered no), and "not all is
// done" of rotate, verify and left; 2 Vault refused or failed. `cloudpw ssh` ends with ssh's own code once ssh has run.
package cli
