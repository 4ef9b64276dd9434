package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Kind says what a failed cloud call means for the rotation core. It is the only property of a
// provider's error that the core decides on; texts are for people.
type Kind string

const (
	// NotFound: the instance (or the thing the call was about) does not exist for these
	// credentials. Nothing was done.
	NotFound Kind = "not found"
	// NotReady: the cloud has no initial password yet, or a record is not final. Asking again later may succeed.
	NotReady Kind = "not ready"
	// Denied: the credentials are wrong, expired, or lack a permission. Nothing was done.
	Denied Kind = "denied"
	// Refused: the cloud certainly did nothing, because of the instance's state, another running
	// operation, or the request itself.
	Refused Kind = "refused"
	// PasswordRefused: the cloud certainly did nothing, because it does not like the password.
	PasswordRefused Kind = "password refused"
	// Throttled: too many requests. Nothing was done; Error.RetryAfter may say when to come back.
	Throttled Kind = "throttled"
	// Unavailable: the request was never sent, or never left this process.
	Unavailable Kind = "unavailable"
	// Unknown: the request may or may not have taken effect. An error of no known kind is Unknown.
	Unknown Kind = "unknown outcome"
)

// CertainlyNothingDone reports whether an error of this kind proves that the very call that
// returned it changed nothing at the cloud. It says nothing about other calls.
func (k Kind) CertainlyNothingDone() bool {
	return k != Unknown
}

// Error is a cloud call's failure, translated by a provider. It never holds a secret.
type Error struct {
	Kind Kind
	// Code is the cloud's own error code, for example "MutexOperation.TaskRunning"; may be empty.
	Code string
	// Message is for people. It names what was tried, the cloud's reason and the way out.
	Message string
	// Hint stands in Message as its String, or nowhere: see Text.
	Hint hint.Hint
	// RequestID is the cloud's id of the failed request; empty if it gave none.
	RequestID string
	// RetryAfter is the delay that a throttling cloud asked for; 0 if it named none.
	RetryAfter time.Duration
	// Err is the SDK's error. It is unwrapped for errors.Is and errors.As, and never printed.
	Err error
}

// Error implements error: message, code and request id, printable whatever a cloud has put into them.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = string(e.Kind)
	}
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.RequestID != "" {
		s += ", cloud request id " + e.RequestID
	}
	return text.Shown(s)
}

// Text is the same with the hint, if the message has it.
func (e *Error) Text() hint.Text { return hint.Within(e.Error(), e.Hint) }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a kind with a formatted message, which keeps the hint of an error that it repeats, and nothing
// else.
func Errorf(kind Kind, format string, args ...any) *Error {
	e := &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			if cause := AsError(err); cause != nil && e.Hint.IsZero() {
				e.Hint = cause.Hint
			}
		}
	}
	return e
}

// KindOf returns the kind of an error that a provider returned. An error that is no *Error is
// Unknown: a provider that could not classify a failure must never be taken as proof that nothing
// happened. KindOf(nil) is "".
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e := AsError(err); e != nil && e.Kind != "" {
		return e.Kind
	}
	return Unknown
}

// AsError returns the *Error of a failed call, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// CodeOf returns the cloud's own error code of a failed call, or "".
func CodeOf(err error) string {
	if e := AsError(err); e != nil {
		return e.Code
	}
	return ""
}

// ErrNoTurn is in the chain of a call's error that was never made, since this process gave it no turn in time: its limiter, or a
// provider's own bound. It tells nothing about the cloud.
var ErrNoTurn = errors.New("no turn in time")

// ErrOneServer is in the chain of an error that tells something of one server alone, where each call goes to a server of its own: as
// of one that hangs, whose outcome is unknown. Others are called all the same.
var ErrOneServer = errors.New("of one server alone")

// Bounds of what messages repeat of a cloud's own text, and of its codes and ids, in characters.
const (
	MaxText = 300
	MaxCode = 128
)

// Transport classifies an error of the HTTP layer: one that proves the request never left this
// process is Unavailable, everything else (time-outs, resets, canceled contexts) is Unknown.
// what names the call for the message, for example "ec2 DescribeInstances".
func Transport(what string, err error) *Error {
	kind := Unknown
	if neverSent(err) {
		kind = Unavailable
	}
	reason := "no answer from the cloud"
	switch {
	case kind == Unavailable:
		// First: the error of a dial that timed out counts as an exceeded deadline, too.
		reason = "the cloud cannot be reached: " + sanitizeTransport(err)
	case errors.Is(err, ErrAnswer):
		reason = ErrAnswer.Error() + "; check endpoints and auth_url of the connection"
	case errors.Is(err, errCrowded):
		reason = errCrowded.Error()
	case errors.Is(err, context.DeadlineExceeded):
		reason = "no answer from the cloud in time; see request_timeout of the connection"
	case errors.Is(err, context.Canceled):
		reason = "the call was abandoned before the cloud answered"
	case errors.Is(err, http.ErrSchemeMismatch):
		reason = "the endpoint speaks plain HTTP where https was expected; check endpoints and auth_url of the connection"
	}
	return &Error{Kind: kind, Message: what + ": " + reason, Err: err}
}
