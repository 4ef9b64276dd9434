package rotation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// crossing is one request that passed a limiter.
type crossing struct {
	who   string
	after time.Duration
}

// crossings notes who passes a limiter, and when.
type crossings struct {
	began time.Time
	mu    sync.Mutex
	all   []crossing
}

func (c *crossings) pass(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, crossing{who, time.Since(c.began)})
}

func (c *crossings) names() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.all {
		names = append(names, x.who)
	}
	return names
}

func TestGateKeepsTheRatePerAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, c := newLimiter(10), &crossings{began: time.Now()}
		var wg sync.WaitGroup
		for range 20 {
			for _, action := range []string{"reset", "describe"} {
				wg.Go(func() {
					if err := g.Wait(t.Context(), action); err != nil {
						t.Error(err)
					}
					c.pass(action)
				})
			}
		}
		wg.Wait()
		is(t, "time for 20 requests of each action, the first at once", time.Since(c.began).Round(time.Millisecond), 1979*time.Millisecond)
		last := map[string]time.Duration{}
		for _, x := range c.all {
			if before, ok := last[x.who]; ok && x.after-before < 100*time.Millisecond-time.Microsecond {
				t.Errorf("two %s requests within %s", x.who, x.after-before)
			}
			last[x.who] = x.after
		}
	})
}

func TestGateLetsInteractiveRequestsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, c := newLimiter(1), &crossings{began: time.Now()}
		var wg sync.WaitGroup
		wait := func(ctx context.Context, who string) {
			wg.Go(func() {
				if err := g.Wait(ctx, "describe"); err != nil {
					t.Error(err)
				}
				c.pass(who)
			})
			synctest.Wait()
		}
		wait(t.Context(), "first")
		wait(t.Context(), "worker 1")
		wait(t.Context(), "worker 2")
		pass(500 * time.Millisecond)
		wait(cloud.WithInteractive(t.Context()), "client 1")
		wait(cloud.WithInteractive(t.Context()), "client 2")
		is(t, "waiting", g.waiting()["describe"], 4)
		wg.Wait()
		if want := []string{"first", "client 1", "client 2", "worker 1", "worker 2"}; !slices.Equal(c.names(), want) {
			t.Errorf("they passed in the order %v, want %v", c.names(), want)
		}
		is(t, "waiting", len(g.waiting()), 0)
	})
}

func TestGateForgetsWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter(1)
		if err := g.Wait(t.Context(), "reset"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := g.Wait(ctx, "reset")
		is(t, "kind", cloud.KindOf(err), cloud.Unavailable)
		is(t, "deadline exceeded", errors.Is(err, context.DeadlineExceeded), true)
		is(t, "waiting", len(g.waiting()), 0)
		began := time.Now()
		if err := g.Wait(t.Context(), "reset"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the next one waited %s: the turn of the one who gave up was lost twice", took)
		}
	})
}

func TestGateTakesANewRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter(1)
		if err := g.Wait(t.Context(), "reset"); err != nil {
			t.Fatal(err)
		}
		g.setRate(100)
		began := time.Now()
		for range 11 {
			if err := g.Wait(t.Context(), "reset"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("11 requests at 100 a second took %s", took)
		}
	})
}
