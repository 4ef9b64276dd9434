package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedClient is a client whose answers count, and a server that answers with as many bytes as its path says, or hangs
// in the middle of that.
func countedClient(t *testing.T, answers *Answers) (get func(ctx context.Context, path string) (io.ReadCloser, error)) {
	t.Helper()
	t.Setenv("CLOUDPW_ALLOW_LOOPBACK_HTTP", "true")
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := map[string]int{"/large": freeAnswer + 1, "/small": freeAnswer, "/hangs": freeAnswer + 1}[r.URL.Path]
		_, _ = w.Write([]byte(strings.Repeat("x", size)))
		if r.URL.Path == "/hangs" {
			w.(http.Flusher).Flush()
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	client, err := NewHTTPClient("", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	answers.Limit(client)
	return func(ctx context.Context, path string) (io.ReadCloser, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		return resp.Body, nil
	}
}

// TestFewLargeAnswersAreDecodedAtOnce, however many come.
func TestFewLargeAnswersAreDecodedAtOnce(t *testing.T) {
	answers := NewAnswers(4)
	get := countedClient(t, answers)
	var decoding, most atomic.Int32
	var calls sync.WaitGroup
	for i := range 50 {
		calls.Go(func() {
			ctx := t.Context()
			done := func() {}
			if i%2 == 0 {
				ctx, done = Decoding(ctx)
			}
			for range 3 { // pages
				resp, err := get(ctx, "/large")
				if err != nil {
					t.Error(err)
					return
				}
				now := decoding.Add(1)
				for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
				}
				if n, err := io.Copy(io.Discard, resp); n != freeAnswer+1 || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				decoding.Add(-1)
				_ = resp.Close()
			}
			done()
		})
	}
	calls.Wait()
	if n := most.Load(); n < 1 || n > 4 {
		t.Errorf("%d at once", n)
	}
	if n := len(answers.places); n != 0 {
		t.Errorf("%d places are kept", n)
	}
}

// TestNoPlaceIsHeldWhileAnEndpointIsWaitedFor: not while its answer comes byte by byte, nor between the pages of a call.
func TestNoPlaceIsHeldWhileAnEndpointIsWaitedFor(t *testing.T) {
	answers := NewAnswers(1)
	get := countedClient(t, answers)
	hung, end := context.WithCancel(t.Context())
	defer end()
	call, done := Decoding(hung)
	defer done()
	first, err := get(call, "/large")
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	if len(answers.places) != 1 {
		t.Fatal("the call does not keep its place while it makes something of its answer")
	}
	ended := make(chan error, 1)
	go func() {
		resp, err := get(call, "/hangs")
		if err == nil {
			_ = resp.Close()
		}
		ended <- err
	}()
	other, err := get(t.Context(), "/large")
	if err != nil {
		t.Fatal(err)
	}
	if len(answers.places) != 1 {
		t.Error("the other answer does not count")
	}
	_ = other.Close()
	_ = other.Close() // as SDKs do
	if len(answers.places) != 0 {
		t.Error("the place is kept")
	}
	end()
	if err := <-ended; err == nil {
		t.Error("the call did not hang")
	}
}

// TestSmallAnswersWaitForNoPlace: what workers and readers need goes on while large answers are decoded.
func TestSmallAnswersWaitForNoPlace(t *testing.T) {
	answers := NewAnswers(1)
	get := countedClient(t, answers)
	large, err := get(t.Context(), "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	small, err := get(t.Context(), "/small")
	if err != nil {
		t.Fatal(err)
	}
	_ = small.Close()
}

// TestAnAnswerWaitsForItsPlaceForAWhile: then the call fails, with an unknown outcome, as the cloud has answered.
func TestAnAnswerWaitsForItsPlaceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := NewAnswers(1)
		leave, err := answers.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, err = answers.enter(t.Context())
		if !errors.Is(err, errCrowded) || time.Since(begun) != answersPatience {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		if e := Transport("ec2 DescribeInstances", err); e.Kind != Unknown || !strings.Contains(e.Error(), "too many large answers") {
			t.Errorf("%s: %v", e.Kind, e)
		}
		leave()
		leave()
		if leave, err = answers.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave()
	})
}

// TestAnAnswerThatNobodyClosesGivesItsPlaceBack when the time of its request is over.
func TestAnAnswerThatNobodyClosesGivesItsPlaceBack(t *testing.T) {
	answers := NewAnswers(1)
	get := countedClient(t, answers)
	ctx, end := context.WithCancel(t.Context())
	resp, err := get(ctx, "/large")
	if err != nil {
		t.Fatal(err)
	}
	end()
	next, err := get(t.Context(), "/large")
	if err != nil {
		t.Fatal(err)
	}
	_ = next.Close()
	_ = resp.Close()
	if n := len(answers.places); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}
