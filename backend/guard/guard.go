// Package guard turns panics into errors. One process serves every mount of the plugin, so a panic in one
// request or worker would end them all, again and again with each retry.
package guard

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
)

// Error is what became of a panic. It holds no part of the value that it panicked with, which may be a secret.
type Error struct {
	what string // what was being done
	kind string // the type of the value
}

// Error says where to look for the stack.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: internal error (panic: %s); the stack is in the Vault server's log", e.what, e.kind)
}

// Panicked reports whether an error comes from a panic.
func Panicked(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// Recover is to be deferred. It turns a panic into an [*Error] at err and logs its stack, which shows addresses
// and no text; err may be nil where nobody waits for an outcome.
func Recover(log hclog.Logger, what string, err *error) {
	value := recover()
	if value == nil {
		return
	}
	caught := Caught(log, what, value)
	if err != nil {
		*err = caught
	}
}

// Caught logs a panic that the caller has recovered from, and returns it as an [*Error].
func Caught(log hclog.Logger, what string, value any) error {
	caught := &Error{what: what, kind: fmt.Sprintf("%T", value)}
	log.Error("recovered from a panic", "in", what, "type", caught.kind, "stack", string(debug.Stack()))
	return caught
}

// Do does something, and returns its error or that of its panic.
func Do(log hclog.Logger, what string, do func() error) (err error) {
	defer Recover(log, what, &err)
	return do()
}

// Get is [Do] for something with a result.
func Get[T any](log hclog.Logger, what string, do func() (T, error)) (value T, err error) {
	defer Recover(log, what, &err)
	return do()
}
