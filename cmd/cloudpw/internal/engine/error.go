package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Error is a request that Vault refused, or that did not reach it.
type Error struct {
	// Status is Vault's HTTP status; 0: there was no answer.
	Status int
	// Messages are what Vault says, as it says it: parts may come from a cloud.
	Messages []string
	// Path is the path in Vault.
	Path string
	// Err is the cause if there was no answer.
	Err error
}

func (e *Error) Error() string {
	switch {
	case e.Status == 0 && e.Err != nil:
		return e.Err.Error()
	case len(e.Messages) == 0:
		return fmt.Sprintf("Vault answers %s with status %d (%s)", e.Path, e.Status, http.StatusText(e.Status))
	}
	return strings.Join(e.Messages, "; ")
}

func (e *Error) Unwrap() error { return e.Err }

// failed makes an Error of what Vault's client returns.
func (c *Client) failed(path string, err error) error {
	var refused *api.ResponseError
	if errors.As(err, &refused) {
		e := &Error{Status: refused.StatusCode, Path: path}
		if !refused.RawError { // what is no JSON is the page of a proxy, or an answer cut in two
			for _, m := range refused.Errors {
				e.Messages = append(e.Messages, split(m)...)
			}
		}
		return e
	}
	var failed *url.Error
	if errors.As(err, &failed) { // it repeats the URL, which says nothing to a person
		err = failed.Err
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Path: path, Err: err}
	}
	return &Error{Path: path, Err: fmt.Errorf("Vault at %s: %w", c.vault.Address(), err)}
}

// counted is how github.com/hashicorp/go-multierror begins its texts.
var counted = regexp.MustCompile(`^\d+ errors? occurred:\s*`)

// split makes the messages of a list of errors, as Vault writes one, into several.
func split(message string) []string {
	message = strings.TrimSpace(message)
	rest := counted.ReplaceAllString(message, "")
	if rest == message {
		return []string{message}
	}
	var out []string
	for part := range strings.SplitSeq("\n"+rest, "\n\t* ") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "* ")
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// IsFailure reports whether Vault refused a request, or was not reached.
func IsFailure(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// IsDenied reports whether the token may not do it, or is none.
func IsDenied(err error) bool { return statusOf(err) == http.StatusForbidden }

// IsGone reports whether there is no such thing. An unknown role or server is not meant: that is IsInvalid.
func IsGone(err error) bool { return statusOf(err) == http.StatusNotFound }

// IsInvalid reports whether the request is wrong, such as an unknown role.
func IsInvalid(err error) bool { return statusOf(err) == http.StatusBadRequest }

// IsConflict reports whether the present state forbids it, such as a password that is checked out exclusively.
func IsConflict(err error) bool { return statusOf(err) == http.StatusConflict }

// IsUnavailable reports whether Vault says that it cannot answer now: no password may be handed out yet, or Vault is sealed.
func IsUnavailable(err error) bool { return statusOf(err) == http.StatusServiceUnavailable }

// IsPassing reports whether the same read may succeed later: Vault does not answer, restarts, has no active node at the moment, or
// limits requests.
func IsPassing(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case 0:
		return isNetwork(e.Err)
	case http.StatusPreconditionFailed, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 472, 473: // the last two: a standby
		return true
	}
	return false
}

// isNetwork reports whether an error is one of the way to Vault that may pass.
func isNetwork(err error) bool {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &certificate) || errors.As(err, &unknown) || errors.Is(err, context.Canceled) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "http2:")
}
