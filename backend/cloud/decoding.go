package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// freeAnswer is the size up to which answers are not counted by Answers, in bytes.
const freeAnswer = 64 << 10

// errCrowded is for an answer that came while too many others were decoded.
var errCrowded = errors.New("too many large answers are being read at the moment; try again")

// Answers lets only so many large answers be decoded at once: what an SDK makes of one may take fifty times its size.
// An answer has been read whole before it takes a place, and gives it back before its call sends the next request: so an
// endpoint that hangs, or sends byte by byte, holds no place.
type Answers struct{ places chan struct{} }

// NewAnswers makes room for n answers.
func NewAnswers(n int) *Answers { return &Answers{make(chan struct{}, n)} }

// Limit makes the answers to a client of NewHTTPClient count.
func (a *Answers) Limit(client *http.Client) { client.Transport = countedAnswers{client.Transport, a} }

// answersPatience is how long an answer waits for its place.
const answersPatience = 15 * time.Second

// enter waits for a place and returns what gives it back, once.
func (a *Answers) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil { // its call has ended, maybe in the middle of the answer
		return nil, err
	}
	patience := time.NewTimer(answersPatience)
	defer patience.Stop()
	select {
	case a.places <- struct{}{}:
		return sync.OnceFunc(func() { <-a.places }), nil
	case <-patience.C:
		return nil, errCrowded
	case <-ctx.Done():
		return nil, errCrowded
	}
}

type decodingKey struct{}

// decoding is a call whose answers keep their place until its next request or its end.
type decoding struct {
	mu    sync.Mutex
	leave func()
}

// Decoding returns a context for one call of a provider that makes much of its answers: they keep their place, beyond the
// end of their body, until the next request of the call, or until done.
func Decoding(ctx context.Context) (_ context.Context, done func()) {
	d := &decoding{}
	return context.WithValue(ctx, decodingKey{}, d), func() { d.keep(nil) }
}

// keep gives back the place of the answer before.
func (d *decoding) keep(leave func()) {
	if d == nil {
		return
	}
	d.mu.Lock()
	before := d.leave
	d.leave = leave
	d.mu.Unlock()
	if before != nil {
		before()
	}
}

// countedAnswers is the transport of a client whose answers count.
type countedAnswers struct {
	next    http.RoundTripper
	answers *Answers
}

// RoundTrip implements http.RoundTripper.
func (c countedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	call, _ := r.Context().Value(decodingKey{}).(*decoding)
	call.keep(nil)
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if body, ok := resp.Body.(wholeBody); ok && body.Len() <= freeAnswer {
		return resp, nil
	}
	call.keep(nil) // another request of the call may have ended meanwhile
	leave, err := c.answers.enter(r.Context())
	if err != nil {
		return nil, err
	}
	if call != nil {
		call.keep(leave)
		return resp, nil
	}
	// A body that nobody closes gives its place back when its request's time is over.
	stop := context.AfterFunc(r.Context(), leave)
	resp.Body = countedBody{resp.Body, func() { stop(); leave() }}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (c countedAnswers) CloseIdleConnections() {
	if next, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// countedBody gives its place back when it is closed.
type countedBody struct {
	io.ReadCloser
	leave func()
}

// Close implements io.Closer.
func (b countedBody) Close() error {
	b.leave()
	return b.ReadCloser.Close()
}
