package cloud

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// source is what a Renewed fetches from.
type source struct {
	mu      sync.Mutex
	life    time.Duration // 0: for ever
	err     error
	took    time.Duration // how long a fetch takes
	fetched int
}

func (s *source) fetch(ctx context.Context) (int, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		return 0, time.Time{}, Transport("fetch", ctx.Err())
	}
	if s.err != nil {
		return 0, time.Time{}, s.err
	}
	s.fetched++
	var end time.Time
	if s.life > 0 {
		end = time.Now().Add(s.life)
	}
	return s.fetched, end, nil
}

func wantValue(t *testing.T, r *Renewed[int], want int) {
	t.Helper()
	if got, err := r.Get(t.Context()); err != nil || got != want {
		t.Errorf("value %d, error %v; want %d", got, err, want)
	}
}

func TestRenewedBeforeItsEnd(t *testing.T) {
	for name, c := range map[string]struct{ life, fresh, stale time.Duration }{
		"an hour":      {time.Hour, 54 * time.Minute, 56 * time.Minute},
		"four minutes": {4 * time.Minute, 179 * time.Second, 181 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewRenewed((&source{life: c.life}).fetch)
				wantValue(t, r, 1)
				time.Sleep(c.fresh)
				wantValue(t, r, 1)
				time.Sleep(c.stale - c.fresh)
				wantValue(t, r, 2)
			})
		})
	}
}

func TestRenewedWithoutEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRenewed((&source{}).fetch)
		wantValue(t, r, 1)
		time.Sleep(1000 * time.Hour)
		wantValue(t, r, 1)
	})
}

func TestRenewedOldValueServesWhileRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour}
		r := NewRenewed(s.fetch)
		wantValue(t, r, 1)
		s.err = Errorf(Throttled, "not now")
		time.Sleep(56 * time.Minute)
		wantValue(t, r, 1)
		s.err = nil
		wantValue(t, r, 1) // the failure is not repeated at once
		time.Sleep(renewPause)
		wantValue(t, r, 2)
		s.err = Errorf(Throttled, "not now")
		time.Sleep(time.Hour - lastUse)
		if _, err := r.Get(t.Context()); KindOf(err) != Throttled {
			t.Fatalf("at its end: %v", err)
		}
	})
}

func TestRenewedFailureSaysThatNothingWasSent(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		kind Kind
	}{
		"unknown outcome": {Errorf(Unknown, "lost"), Unavailable},
		"no kind":         {&Error{Message: "lost"}, Unavailable},
		"foreign error":   {errors.New("secret"), Unavailable},
		"denied":          {Errorf(Denied, "no"), Denied},
		"no such role":    {Errorf(NotFound, "no role"), Denied},
		"not ready":       {Errorf(NotReady, "later"), Unavailable},
	} {
		r := NewRenewed((&source{err: c.err}).fetch)
		_, err := r.Get(t.Context())
		if KindOf(err) != c.kind || err.Error() == "secret" {
			t.Errorf("%s: kind %q, %v", name, KindOf(err), err)
		}
	}
}

func TestRenewedFetchesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour, took: time.Second}
		r := NewRenewed(s.fetch)
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if got, err := r.Get(t.Context()); err != nil || got != 1 {
					t.Errorf("value %d, error %v", got, err)
				}
			})
		}
		group.Wait()
		if s.fetched != 1 {
			t.Errorf("fetched %d times", s.fetched)
		}
		// Who has a good value does not wait for the renewal of another.
		time.Sleep(56 * time.Minute)
		renewed := make(chan struct{})
		go func() { defer close(renewed); wantValue(t, r, 2) }()
		synctest.Wait()
		before := time.Now()
		wantValue(t, r, 1)
		if waited := time.Since(before); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		<-renewed
	})
}

func TestRenewedWaitEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{life: time.Hour, took: time.Minute}
		r := NewRenewed(s.fetch)
		first := make(chan struct{})
		go func() { defer close(first); wantValue(t, r, 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Get(ctx); KindOf(err) != Unavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("abandoned: %v", err)
		}
		<-first
	})
}

func TestRenewedDropsOnlyTheRefusedValue(t *testing.T) {
	r := NewRenewed((&source{}).fetch)
	wantValue(t, r, 1)
	r.Drop(func(v int) bool { return v == 7 })
	wantValue(t, r, 1)
	r.Drop(func(v int) bool { return v == 1 })
	wantValue(t, r, 2)
	r.Drop(func(v int) bool { return v == 1 }) // late news about the first
	wantValue(t, r, 2)
}
