package rotation

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// disturb sets the wall clock, mostly near the true time again, where a history has such trouble.
func (w *world) disturb(after string) {
	if !w.fault("jump after a "+after, "", w.odds().jump) {
		return
	}
	to := w.duration("jump to", "", 4*time.Minute) - 2*time.Minute
	if w.fault("far jump", "", 0.2) {
		to *= 30
	}
	w.mu.Lock()
	w.setBack += max(time.Duration(w.skew.Load())-to, 0)
	w.mu.Unlock()
	w.jump(to)
}

// playExpiring simulates one random schedule in which requests expire soon, many answers are lost, many requests arrive as
// late as they can, and the wall clock is set at the worst moments.
func playExpiring(t *testing.T, seed uint64) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	some := func(p float64) float64 { return p * r.Float64() }
	o := odds{lost: 0.2 + some(0.4), late: 0.2 + some(0.5), jump: some(0.6), crash: some(0.05), storage: some(0.05), lag: some(0.4),
		failed: some(0.3), password: some(0.3)}
	return playMethod(t, seed, o, expiringMethod)
}

func TestRandomSchedulesWhereRequestsExpire(t *testing.T) {
	if *simSeed != 0 {
		w := playExpiring(t, *simSeed)
		t.Log(w.trace())
		if len(w.violations()) > 0 {
			w.fail(t, "requests that expire")
		}
		return
	}
	quick(t)
	var next, sent, expiring atomic.Uint64
	end := uint64(min(runs(), 1000))
	t.Run("all", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
				t.Parallel()
				for {
					seed := next.Add(1)
					if seed > end || t.Failed() {
						return
					}
					w := playExpiring(t, seed)
					if len(w.violations()) > 0 {
						w.fail(t, "requests that expire")
					}
					w.cloud.locked(func() {
						sent.Add(uint64(len(w.cloud.times)))
						expiring.Add(uint64(w.cloud.expiring))
					})
				}
			})
		}
	})
	if n := expiring.Load(); n < sent.Load()/10 || n == sent.Load() {
		t.Errorf("of %d accepted requests %d had their expiry fixed; want many of both kinds", sent.Load(), n)
	}
}

// TestASharedRequestExpires: one request for many accounts expires when the first of their attempts was to.
func TestASharedRequestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, members := sharedWorld(t, expiringMethod, 3, sharedSettings())
		if w.readShared(t.Context(), nil, 10*time.Minute) == nil {
			t.Fatal("the role's password cannot be read")
		}
		w.cloud.locked(func() {
			if n := len(w.cloud.times); n == 0 || w.cloud.expiring != n {
				t.Errorf("%d of %d requests for %d members had their expiry fixed", w.cloud.expiring, n, len(members))
			}
		})
		w.node.core.Stop()
		pass(time.Minute)
	})
}
