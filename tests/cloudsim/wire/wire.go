// Package wire is what the simulator's HTTP APIs share: the way of one
// request through its faults, and dropping a connection.
package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// MaxBody is the longest request body that is read, in bytes.
const MaxBody = 1 << 20

// Answer is a complete response.
type Answer struct {
	Status    int
	Header    map[string]string
	Body      []byte
	Code      string // the cloud's error code, for the log
	RequestID string
}

// Serve takes one request through its faults: refuse translates a refusal
// into the cloud's words, handle does what was asked.
func Serve(rw http.ResponseWriter, w *model.World, x *model.Exchange, refuse func(*model.Refusal) Answer, handle func() Answer) {
	if r := x.Before(); r != nil {
		switch r.Kind {
		case model.Dropped:
			x.Done(0, "", "")
			Drop(rw)
		case model.Late:
			w.Later(r.After, func() {
				a := handle()
				x.Done(0, a.Code, a.RequestID)
			})
			Drop(rw)
		default:
			a := refuse(r)
			x.Done(a.Status, a.Code, a.RequestID)
			Write(rw, a)
		}
		return
	}
	a := handle()
	if x.After() {
		x.Done(0, a.Code, a.RequestID)
		Drop(rw)
		return
	}
	x.Done(a.Status, a.Code, a.RequestID)
	Write(rw, a)
}

// Write sends an answer.
func Write(rw http.ResponseWriter, a Answer) {
	for name, v := range a.Header {
		rw.Header().Set(name, v)
	}
	rw.WriteHeader(a.Status)
	_, _ = rw.Write(a.Body) // the client is gone: nobody left to tell
}

// Drop resets the connection without an answer. It needs HTTP/1.
func Drop(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		http.Error(rw, fmt.Sprintf("cannot drop the connection: %v", err), http.StatusInternalServerError)
		return
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not an orderly end
	}
	_ = raw.Close()
}

// Source is the network address of a request's client, without the port: a test
// that has several clients can give each of them one.
func Source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// ErrBodyTooLong says that a body is longer than what is read.
var ErrBodyTooLong = errors.New("request body too long")

// ReadBody reads a request's body up to MaxBody.
func ReadBody(r *http.Request) ([]byte, error) { return ReadBodyUpTo(r, MaxBody) }

// ReadBodyUpTo reads a request's body up to that many bytes.
func ReadBodyUpTo(r *http.Request, most int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(body)) > most {
		return nil, ErrBodyTooLong
	}
	return body, nil
}
