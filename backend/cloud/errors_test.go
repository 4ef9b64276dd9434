package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestKindOf(t *testing.T) {
	inner := Errorf(Throttled, "slow down")
	for name, tc := range map[string]struct {
		err  error
		want Kind
	}{
		"no error":                {nil, ""},
		"an Error":                {inner, Throttled},
		"wrapped":                 {fmt.Errorf("describe: %w", inner), Throttled},
		"wrapped twice":           {fmt.Errorf("a: %w", fmt.Errorf("b: %w", inner)), Throttled},
		"joined with another":     {errors.Join(io.EOF, inner), Throttled},
		"the outermost counts":    {&Error{Kind: Denied, Err: inner}, Denied},
		"no Error":                {io.EOF, Unknown},
		"a context's error":       {context.DeadlineExceeded, Unknown},
		"an Error without a kind": {&Error{Message: "forgotten"}, Unknown},
	} {
		if got := KindOf(tc.err); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestOnlyUnknownMayHaveTakenEffect(t *testing.T) {
	for _, kind := range []Kind{NotFound, NotReady, Denied, Refused, PasswordRefused, Throttled, Unavailable} {
		if !kind.CertainlyNothingDone() {
			t.Errorf("%q: nothing was done", kind)
		}
	}
	if Unknown.CertainlyNothingDone() {
		t.Error("unknown outcome: something may have been done")
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]*Error{
		"not found":                {Kind: NotFound},
		"no such instance":         {Kind: NotFound, Message: "no such instance"},
		"no such instance (X.404)": {Kind: NotFound, Message: "no such instance", Code: "X.404"},
		"slow down (Rate), cloud request id r-1": {Kind: Throttled, Message: "slow down", Code: "Rate", RequestID: "r-1",
			RetryAfter: time.Second, Err: errors.New("secret of the SDK")},
		"gone, cloud request id r-2": {Kind: NotFound, Message: "gone", RequestID: "r-2"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	cause := errors.New("cause")
	if !errors.Is(&Error{Kind: Unknown, Err: cause}, cause) {
		t.Error("the SDK's error cannot be found again")
	}
}

// underWay is in what time a request arrives at a server on this host, however busy the host is.
const underWay = 2 * time.Second

// failingServers are real ways in which an exchange breaks, each with what it proves.
func TestTransportOfRealFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()

	release := make(chan struct{})
	arrived := make(chan struct{}, 2)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }))
	t.Cleanup(func() { close(release); silent.Close() })
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(dropping.Close)
	halfway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half of it")
	}))
	t.Cleanup(halfway.Close)
	garbled := rawServer(t, "SSH-2.0-OpenSSH_9.6\r\n")
	secure := quietTLS(t, http.NotFoundHandler())
	_, securePort, err := net.SplitHostPort(secure.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	// A listener that accepts and says nothing.
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { quiet.Close() })
	mute := quiet.Addr().String()

	for name, tc := range map[string]struct {
		url     string
		ca      string
		resolve netip.Addr // what names resolve to; the zero address: to nothing
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		kind    Kind
		text    string
	}{
		// The connection could not be made: nothing was sent.
		"connection refused":   {url: "http://" + nobody, kind: Unavailable, text: "connection refused"},
		"name without address": {url: "https://ecs.nowhere.test", kind: Unavailable, text: "cannot resolve ecs.nowhere.test"},
		"unknown authority":    {url: secure.URL, kind: Unavailable, text: "ca_certificate"},
		"another host's name": {url: "https://ecs.elsewhere.test:" + securePort, ca: caOf(t, secure), resolve: netip.MustParseAddr("127.0.0.1"),
			kind: Unavailable, text: "TLS certificate not trusted"},
		"no way to the network": {url: "https://255.255.255.255:9", kind: Unavailable, text: "dial"},
		"https to a plain port": {url: "https" + strings.TrimPrefix(plain.URL, "http"), kind: Unavailable, text: "plain HTTP"},
		"https to no TLS":       {url: "https://" + garbled, kind: Unavailable, text: "does not speak TLS"},
		"no handshake in time": {url: "https://" + mute, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}, kind: Unavailable, text: "no connection in time"},
		// The request may have arrived.
		"answer lost":       {url: dropping.URL, kind: Unknown, text: "no answer"},
		"answer cut short":  {url: halfway.URL, kind: Unknown, text: "no answer"},
		"answer is no HTTP": {url: "http://" + garbled, kind: Unknown, text: "no answer"},
		"deadline": {url: silent.URL, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, underWay)
		}, kind: Unknown, text: "request_timeout"},
		"canceled on the way": {url: silent.URL, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			for len(arrived) > 0 {
				<-arrived // of the case before
			}
			go func() { <-arrived; cancel() }()
			return ctx, cancel
		}, kind: Unknown, text: "abandoned"},
	} {
		t.Run(name, func(t *testing.T) {
			useDNS(t, tc.resolve)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tc.ctx != nil {
				ctx, cancel = tc.ctx(ctx)
			}
			defer cancel()
			_, _, err := exchange(ctx, newTestClient(t, tc.ca, time.Minute), tc.url+"/path?Token=hunter2")
			if err == nil {
				t.Fatal("the exchange did not fail")
			}
			got := Transport("ecs ListServers", err)
			if got.Kind != tc.kind || !strings.Contains(got.Message, tc.text) {
				t.Errorf("kind %q, message %q, from %v; want kind %q and %q", got.Kind, got.Message, err, tc.kind, tc.text)
			}
			if !strings.HasPrefix(got.Message, "ecs ListServers: ") || !errors.Is(got, err) {
				t.Errorf("message %q names no call, or the cause is lost", got.Message)
			}
			if strings.Contains(got.Error(), "hunter2") {
				t.Errorf("the message repeats the URL's query: %q", got.Error())
			}
		})
	}
}

// rawServer answers every connection with the same bytes, after it got something, and hangs up.
func rawServer(t *testing.T, greeting string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = io.WriteString(c, greeting)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// A dial that times out never sent anything, although its error counts as a deadline too.
func TestDialTimeoutIsUnavailable(t *testing.T) {
	err := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 443}, Err: context.DeadlineExceeded}
	got := Transport("ec2 DescribeInstances", fmt.Errorf("request failed: %w", err))
	if got.Kind != Unavailable || !strings.Contains(got.Message, "cannot be reached") || !strings.Contains(got.Message, "203.0.113.9:443") {
		t.Errorf("kind %q, message %q", got.Kind, got.Message)
	}
}

func TestUnlimited(t *testing.T) {
	if err := (Unlimited{}).Wait(t.Context(), "DescribeInstances"); err != nil {
		t.Errorf("it waits: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Unlimited{}).Wait(ctx, "DescribeInstances"); KindOf(err) != Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled context passed: %v", err)
	}
}

func TestInteractiveMark(t *testing.T) {
	if IsInteractive(t.Context()) {
		t.Error("a plain context is interactive")
	}
	ctx, cancel := context.WithCancel(WithInteractive(t.Context()))
	defer cancel()
	if !IsInteractive(ctx) {
		t.Error("the mark does not reach child contexts")
	}
}
