package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// unsentError is the failure of a request that never had a connection: a dial or a TLS handshake that
// failed or took too long, a proxy that refused. No byte of the request was written.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// sendNoting sends a request and marks a failure before it had a connection, TLS included.
func sendNoting(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	var connected atomic.Bool
	noting := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	resp, err := next.RoundTrip(r.WithContext(noting))
	if err != nil && !connected.Load() {
		return nil, &unsentError{err}
	}
	return resp, err
}

// proxyError is the answer of a proxy that does not connect to the cloud.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	text := fmt.Sprintf("the proxy on the way answers HTTP %d (%s); check HTTPS_PROXY and NO_PROXY of the Vault server", e.status,
		http.StatusText(e.status))
	if e.status == http.StatusProxyAuthRequired {
		text += ", and the user and password in it"
	}
	return text
}

// checkProxy is a Transport's OnProxyConnectResponse.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{answer.StatusCode}
	}
	return nil
}

// unsentReason names what kept a request from getting a connection, where it is none of the network's own
// errors; "" for anything else. It repeats no text but its own.
func unsentReason(err error) string {
	var proxy *proxyError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &proxy):
		return proxy.Error()
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return "the endpoint speaks plain HTTP where https was expected; check endpoints and auth_url of the connection"
	case errors.As(err, &record):
		return "the endpoint does not speak TLS; check endpoints and auth_url of the connection"
	case errors.Is(err, context.DeadlineExceeded):
		return "no connection in time; see request_timeout of the connection, and that a firewall lets it out"
	case errors.Is(err, context.Canceled):
		return "the call was abandoned before there was a connection"
	}
	return ""
}
