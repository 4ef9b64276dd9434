package cloud

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryThrottled(t *testing.T) {
	throttled := Errorf(Throttled, "slow down")
	asking := func(pause time.Duration) error {
		e := *throttled
		e.RetryAfter = pause
		return &e
	}
	for name, c := range map[string]struct {
		limit   time.Duration // of the client's request
		answers []error       // the last one is repeated
		tries   int
		least   time.Duration
		most    time.Duration
		fails   bool
	}{
		"answered at once": {time.Minute, []error{nil}, 1, 0, 0, false},
		"throttled once":   {time.Minute, []error{throttled, nil}, 2, 250 * time.Millisecond, 750 * time.Millisecond, false},
		"throttled twice": {time.Minute, []error{throttled, throttled, nil}, 3, 750 * time.Millisecond,
			2250 * time.Millisecond, false},
		"throttled for good":                 {time.Minute, []error{throttled}, 3, 750 * time.Millisecond, 2250 * time.Millisecond, true},
		"a pause that the cloud asked for":   {time.Minute, []error{asking(3 * time.Second), nil}, 2, 3 * time.Second, 3 * time.Second, false},
		"a pause too long for a client":      {time.Hour, []error{asking(time.Minute), nil}, 1, 0, 0, true},
		"a pause past the request's own end": {2 * time.Second, []error{asking(3 * time.Second), nil}, 1, 0, 0, true},
		"another refusal":                    {time.Minute, []error{Errorf(Refused, "no"), nil}, 1, 0, 0, true},
		"an unknown outcome":                 {time.Minute, []error{errors.New("reset by peer"), nil}, 1, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(WithInteractive(t.Context()), c.limit)
				defer cancel()
				began, tries := time.Now(), 0
				err := RetryThrottled(ctx, func() error {
					tries++
					return c.answers[min(tries, len(c.answers))-1]
				})
				if tries != c.tries || (err != nil) != c.fails {
					t.Errorf("%d tries, error %v; want %d tries, error %t", tries, err, c.tries, c.fails)
				}
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
			})
		})
	}
}

func TestRetryThrottledIsForClients(t *testing.T) {
	tries := 0
	err := RetryThrottled(t.Context(), func() error {
		tries++
		return Errorf(Throttled, "slow down")
	})
	if KindOf(err) != Throttled || tries != 1 {
		t.Errorf("%d tries in the background, error %v; want 1", tries, err)
	}
}

func TestRetryThrottledEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(WithInteractive(t.Context()))
		began := time.Now()
		time.AfterFunc(100*time.Millisecond, cancel)
		err := RetryThrottled(ctx, func() error { return Errorf(Throttled, "slow down") })
		if KindOf(err) != Throttled || time.Since(began) != 100*time.Millisecond {
			t.Errorf("error %v after %s; want the cloud's at once", err, time.Since(began))
		}
	})
}
