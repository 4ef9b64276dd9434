package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Errors cross to Vault by their type, and a wrapped one loses it: handlers return what this file
// makes, as it is.

// Error is a message for clients with its HTTP status.
type Error struct {
	code    int
	message hint.Text
}

// Error implements error: without the mount's path, as a log line has it.
func (e *Error) Error() string { return e.message.String() }

// Code implements logical.HTTPCodedError.
func (e *Error) Code() int { return e.code }

// Text is the message with its hints.
func (e *Error) Text() hint.Text { return e.message }

// hintedError is a failure without a status whose message may hold hints.
type hintedError struct{ message hint.Text }

// Error implements error.
func (e *hintedError) Error() string { return e.message.String() }

// Text is the message with its hints.
func (e *hintedError) Text() hint.Text { return e.message }

// Invalidf refuses a request that is wrong in itself.
func Invalidf(format string, args ...any) error {
	return &Error{http.StatusBadRequest, hint.Textf(format, args...)}
}

// Conflictf refuses a request that the present state forbids.
func Conflictf(format string, args ...any) error {
	return &Error{http.StatusConflict, hint.Textf(format, args...)}
}

// Unavailablef answers a request that may succeed later.
func Unavailablef(format string, args ...any) error {
	return &Error{http.StatusServiceUnavailable, hint.Textf(format, args...)}
}

// StorageError wraps a failure of Vault's storage. The bare errors by which Vault routes a request to
// another node keep their type.
func StorageError(what, key string, err error) error {
	if errors.Is(err, logical.ErrReadOnly) {
		return logical.ErrReadOnly
	}
	return fmt.Errorf("storage: cannot %s %s: %w", what, key, err)
}

// VaultError translates an error of the core or of a cloud. what says what was tried; it may be
// empty where the message says it already.
//
// A missing account or instance is a 400, as unknown roles are in Vault's own engines, and no 404:
// the vault command prints "No value found" for any 404 and drops the message.
func VaultError(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, logical.ErrReadOnly) {
		return logical.ErrReadOnly
	}
	var coded logical.HTTPCodedError
	if errors.As(err, &coded) {
		return coded
	}
	message := hint.Of(err)
	if what != "" {
		message = hint.Textf("%s: %s", what, message)
	}
	var failed *rotation.Error
	if errors.As(err, &failed) {
		return &Error{rotationStatus(failed.Kind), message}
	}
	var refused *cloud.Error
	if errors.As(err, &refused) {
		return &Error{cloudStatus(refused.Kind), message}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{http.StatusServiceUnavailable, message}
	}
	return &hintedError{message}
}

// WithWayOut appends to an error what can be done about it, a string, hint or text, and keeps its status.
func WithWayOut(err error, way any) error {
	err = VaultError("", err)
	if errors.Is(err, logical.ErrReadOnly) {
		return err
	}
	var coded logical.HTTPCodedError
	if !errors.As(err, &coded) {
		return &hintedError{hint.Textf("%s; %s", err, way)}
	}
	return &Error{coded.Code(), hint.Textf("%s; %s", coded, way)}
}

// rotationStatus is the HTTP status of a core's error kind.
func rotationStatus(kind rotation.ErrorKind) int {
	switch kind {
	case rotation.Invalid, rotation.NotFound, rotation.NoRecord:
		return http.StatusBadRequest
	case rotation.Conflict, rotation.Unbound:
		return http.StatusConflict
	case rotation.NotReadable, rotation.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// cloudStatus is the HTTP status of a cloud's error kind. Denied is about the connection's
// credentials and not about the client's token: with 403 Vault's clients would throw that token away.
func cloudStatus(kind cloud.Kind) int {
	switch kind {
	case cloud.NotFound, cloud.Denied, cloud.Refused, cloud.PasswordRefused:
		return http.StatusBadRequest
	case cloud.NotReady, cloud.Throttled, cloud.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// IsConflict reports whether the engine refused something because of what somebody else has.
func IsConflict(err error) bool {
	var failed *rotation.Error
	return errors.As(err, &failed) && failed.Kind == rotation.Conflict
}

// IsRefusal reports whether an error is about what was asked for, as those of Invalidf and Conflictf are: asking again does not help.
func IsRefusal(err error) bool {
	var own *Error
	return errors.As(err, &own) && own.code < http.StatusInternalServerError
}
