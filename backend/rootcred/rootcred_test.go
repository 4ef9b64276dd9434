package rootcred

import (
	"errors"
	"testing"
	"time"
)

func TestOneRotationOfAConnectionAtATime(t *testing.T) {
	r := New(Deps{})
	end, ok := r.Claim("prod")
	if !ok || !r.IsRunning("prod") {
		t.Fatal("nobody had the connection")
	}
	if _, ok := r.Claim("prod"); ok {
		t.Error("two have the connection")
	}
	if _, ok := r.Claim("other"); !ok || !r.IsRunning("other") {
		t.Error("another connection waits for the first")
	}
	end()
	if r.IsRunning("prod") {
		t.Error("a released connection is still claimed")
	}
}

// The background tries at once, then after a minute, and more and more rarely, until it succeeds.
func TestRetries(t *testing.T) {
	r := New(Deps{})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if !r.mayRetry("prod", now) {
		t.Error("what never failed waits")
	}
	for i, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		r.tried("prod", errors.New("planned"), now)
		want := time.Duration(minutes) * time.Minute
		if r.mayRetry("prod", now.Add(want-1)) || !r.mayRetry("prod", now.Add(want)) {
			t.Errorf("failure %d: the next try is not after %s", i, want)
		}
		now = now.Add(want)
	}
	r.tried("prod", nil, now)
	r.tried("prod", errors.New("planned"), now)
	if !r.mayRetry("prod", now.Add(time.Minute)) {
		t.Error("a success does not end the row of failures")
	}
}
