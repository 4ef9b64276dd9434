package workqueue

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// host serves items by noting when, and takes a second for each.
type host struct {
	mu      sync.Mutex
	served  []string
	panics  int // how often it will panic when it is asked for a limit
	at      map[string]time.Duration
	began   time.Time
	working map[string]int
	most    int // workers of a connection at once
}

func (h *host) Now() time.Time { return time.Now() }

func (h *host) RequestsPerSecond(string) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.panics > 0 {
		h.panics--
		panic("on purpose")
	}
	return 1
}

func (h *host) Held(string, time.Time) time.Duration { return 0 }

func (h *host) Woken(context.Context, string) {}

func (h *host) Serve(connection string, item string, _ bool, done func()) {
	h.mu.Lock()
	h.working[connection]++
	h.most = max(h.most, h.working[connection])
	h.served = append(h.served, item)
	h.at[item] = time.Since(h.began)
	h.mu.Unlock()
	<-time.After(time.Second)
	h.mu.Lock()
	h.working[connection]--
	h.mu.Unlock()
	done()
}

func newHost() *host {
	return &host{working: map[string]int{}, at: map[string]time.Duration{}, began: time.Now()}
}

// running are queues that run until the test ends.
func running(t *testing.T, h *host) *Queues[string] {
	t.Helper()
	qs := New(h, hclog.NewNullLogger(), time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	qs.Start(ctx)
	t.Cleanup(func() { cancel(); qs.Wait() })
	return qs
}

// TestItemsAreServedWhenTheirTimeHasCome, those of each connection by themselves.
func TestItemsAreServedWhenTheirTimeHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		qs := running(t, h)
		moved, removed := &Slot[string]{}, &Slot[string]{}
		qs.Put("one", &Slot[string]{}, "later", Remote, time.Now().Add(time.Hour))
		qs.Put("two", &Slot[string]{}, "sooner", Local, time.Now().Add(time.Minute))
		qs.Put("one", moved, "moved", Remote, time.Now().Add(2*time.Hour))
		qs.Put("one", moved, "moved", Begun, time.Now().Add(2*time.Minute))
		qs.Put("two", removed, "removed", Local, time.Now().Add(time.Minute))
		qs.Remove("two", removed)
		<-time.After(3 * time.Hour)
		synctest.Wait()
		if want := []string{"sooner", "moved", "later"}; !slices.Equal(h.served, want) {
			t.Errorf("served: %q, want %q", h.served, want)
		}
		for item, want := range map[string]time.Duration{"sooner": time.Minute, "moved": 2 * time.Minute, "later": time.Hour} {
			if got := h.at[item]; got != want {
				t.Errorf("%s after %s, want %s", item, got, want)
			}
		}
	})
}

// TestNoMoreCallersThanTheLimitNeeds: the others wait, and are served after them.
func TestNoMoreCallersThanTheLimitNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		qs := running(t, h)
		for range 10 {
			qs.Put("conn", &Slot[string]{}, "it", Remote, time.Now())
		}
		synctest.Wait()
		if queued, calling := qs.Counts("conn"); queued != 6 || calling != 4 {
			t.Errorf("%d wait while %d are served, want 6 and 4", queued, calling)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if len(h.served) != 10 || h.most != Callers(1) {
			t.Errorf("%d are served, at most %d at once; want 10, and %d", len(h.served), h.most, Callers(1))
		}
	})
}

// TestAnItemMayBePutWhileItIsServed: whoever puts it then does not disturb its worker.
func TestAnItemMayBePutWhileItIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		qs, slot := running(t, h), &Slot[string]{}
		var others sync.WaitGroup
		for range 3 {
			others.Go(func() {
				for range 5 {
					qs.Put("conn", slot, "it", Local, time.Now())
					<-time.After(time.Second / 3)
				}
			})
		}
		others.Wait()
		<-time.After(time.Minute)
		if h.most != 1 || len(h.served) == 0 {
			t.Errorf("served %d times, by %d workers at once", len(h.served), h.most)
		}
	})
}

// TestADispatcherGoesOnAfterAPanic, a while later.
func TestADispatcherGoesOnAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		qs, slot := running(t, h), &Slot[string]{}
		qs.Put("conn", slot, "it", Remote, time.Now().Add(time.Second))
		synctest.Wait()
		h.mu.Lock()
		h.panics = 1
		h.mu.Unlock()
		<-time.After(time.Minute + time.Second)
		synctest.Wait()
		if !qs.Busy("conn", slot) || h.at["it"] != time.Minute+time.Second {
			t.Errorf("served after %v", h.at)
		}
	})
}

// TestWhatIsPutBeforeTheStartIsServedAfterIt, and nothing after the end.
func TestWhatIsPutBeforeTheStartIsServedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost()
		qs := New(h, hclog.NewNullLogger(), time.Minute)
		qs.Put("conn", &Slot[string]{}, "early", Local, time.Now())
		synctest.Wait()
		if len(h.served) != 0 {
			t.Errorf("served before the start: %q", h.served)
		}
		ctx, cancel := context.WithCancel(t.Context())
		qs.Start(ctx)
		synctest.Wait()
		cancel()
		qs.Wait()
		qs.Put("conn", &Slot[string]{}, "late", Local, time.Now())
		qs.Put("other", &Slot[string]{}, "late", Local, time.Now())
		synctest.Wait()
		if !slices.Equal(h.served, []string{"early"}) {
			t.Errorf("served: %q", h.served)
		}
	})
}
