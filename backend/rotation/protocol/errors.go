package protocol

import (
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// ErrorKind says what a failed operation of the core means to its caller.
type ErrorKind string

// Error kinds.
const (
	Invalid     ErrorKind = "invalid"     // the request itself is wrong
	NotFound    ErrorKind = "not found"   // no such version or instance
	NoRecord    ErrorKind = "no record"   // no such account or group
	Unbound     ErrorKind = "not bound"   // the account does not belong to the role that it is read through
	Conflict    ErrorKind = "conflict"    // the account's state forbids the operation
	NotReadable ErrorKind = "not ready"   // no password may be handed out yet; try again
	Unavailable ErrorKind = "unavailable" // storage, the cloud or the scheduler cannot serve this now
)

// Error is what the core's operations return. Its message is for people and holds no secret.
type Error struct {
	Kind    ErrorKind
	Message hint.Text
	// RetryAfter is the usual time until another try makes sense; 0: unknown.
	RetryAfter time.Duration
	Err        error
	// Holder is, in a conflict over a binding, the account that is bound already, and HolderRole the role
	// to which, or to which one is bound that is not the reader's; empty for none.
	Holder     *ID
	HolderRole string
	// Waits is set where an operator's word that the account moves ends the conflict (see Core.Move).
	Waits bool

	// Idle is set where nothing is under way that could make the account readable: a read with wait is answered at once.
	Idle bool
	// Rotation is set where a rotation must end first: the core, which knows more than the record does, says
	// then what that waits for.
	Rotation bool

	Poll time.Duration // how often a waiting read looks again by itself; 0: it waits for a change
}

// Error implements error.
func (e *Error) Error() string { return e.Message.String() }

// Text is the message with its hints.
func (e *Error) Text() hint.Text { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a kind whose message keeps the hints of its arguments (see [hint.Textf]).
func Errorf(kind ErrorKind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: hint.Textf(format, args...)}
}

// ErrNoChange is returned by a transition that has nothing to change: there is nothing to write.
var ErrNoChange = errors.New("no change")

// ErrStale is returned by a transition whose precondition another caller has changed meanwhile.
var ErrStale = errors.New("the account has changed meanwhile")

// retryInterval is when another try of a read makes sense while a rotation is under way.
const retryInterval = 10 * time.Second

// IsNoChange reports whether a transition had nothing to do, or nothing any more.
func IsNoChange(err error) bool { return errors.Is(err, ErrNoChange) || errors.Is(err, ErrStale) }
