package harness

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// pollInterval is how often a condition is looked at again.
const pollInterval = 50 * time.Millisecond

// Eventually calls check until it returns nil, and fails the test with its last error when that takes longer than
// within. what names the thing waited for.
func Eventually(tb testing.TB, within time.Duration, what string, check func() error) {
	tb.Helper()
	if err := poll(within, check); err != nil {
		tb.Fatalf("%s: not within %s: %v", what, within, err)
	}
}

// Always fails the test as soon as check returns an error, and returns after the time for.
func Always(tb testing.TB, during time.Duration, what string, check func() error) {
	tb.Helper()
	end := time.NewTimer(during)
	defer end.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			tb.Fatalf("%s: %v", what, err)
		}
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

// poll is Eventually without a test. An ended program (errExited) ends the wait at once.
func poll(within time.Duration, check func() error) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || errors.Is(err, errExited) {
			return err
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("last state: %w", err)
		case <-tick.C:
		}
	}
}
