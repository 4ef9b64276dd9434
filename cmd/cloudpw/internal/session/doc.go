// Package session holds a leased password for as long as something lasts: a shell over SSH, a remote desktop, a look at a screen.
//
// The lease is made short, is renewed at half of its time, and is given back at the end, whatever the end is: the program's exit, Ctrl-C,
// SIGTERM, SIGHUP, a terminal that is gone. Where nobody can give it back (SIGKILL, a lost network) nobody renews it either, so that it
// ends by itself within its time.
//
// A program that is started gets the password by package askpass or over a pipe: never in an argument, in its environment or in a file.
package session
