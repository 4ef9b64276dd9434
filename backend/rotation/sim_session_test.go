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

// playSessions simulates one random schedule in which sessions are refused, end without an answer, and come late: their script is still
// run then, by a server that hung.
func playSessions(t *testing.T, seed uint64) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 23))
	some := func(p float64) float64 { return p * r.Float64() }
	o := odds{lost: 0.1 + some(0.7), late: some(0.8), refuse: some(0.5), crash: some(0.08), storage: some(0.08), failed: some(0.6),
		password: some(0.3)}
	if r.IntN(10) == 0 {
		o = odds{} // nothing goes wrong: I5 can be counted
	}
	return playMethod(t, seed, o, sessionMethod)
}

// TestRandomSchedulesOfSessions simulates schedules of that method only, with much of its own trouble.
func TestRandomSchedulesOfSessions(t *testing.T) {
	if *simSeed != 0 {
		w := playSessions(t, *simSeed)
		t.Log(w.trace())
		if len(w.violations()) > 0 {
			w.fail(t, "sessions")
		}
		return
	}
	quick(t)
	var next, sent atomic.Uint64
	end := uint64(min(runs(), 3000))
	t.Run("all", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
				t.Parallel()
				for {
					seed := next.Add(1)
					if seed > end || t.Failed() {
						return
					}
					w := playSessions(t, seed)
					if len(w.violations()) > 0 {
						w.fail(t, "sessions")
					}
					w.cloud.locked(func() { sent.Add(uint64(len(w.cloud.times))) })
				}
			})
		}
	})
	t.Logf("%d sessions", sent.Load())
	if sent.Load() < end {
		t.Errorf("%d sessions in %d schedules", sent.Load(), end)
	}
}

// TestALostSessionIsRepeated: at once, by the same value; and as the server keeps the order, the next one need not wait for anything.
func TestALostSessionIsRepeated(t *testing.T) {
	got := costOf(t, sessionMethod)
	t.Logf("%+v", got)
	if got.sent != 2 || got.known > 2*time.Minute || got.next > got.known+10*time.Second {
		t.Errorf("%+v", got)
	}
}

// TestALargerOrderIsPassed: a server that has a value of another Vault, with a larger order, tells it in the record of the session, and
// the next attempt goes past it.
func TestALargerOrderIsPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, sessionMethod, odds{})
		w.faulty.Store(true)
		w.start()
		id := w.bind(staticSettings())
		larger := time.Now().Add(24 * time.Hour).Unix()
		w.cloud.locked(func() { w.cloud.of(id).order = larger })
		w.ensureBound(ctx)
		if err := w.rotate(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for a := w.record(id); a.Current() == nil || a.Pending != nil; a = w.record(id) {
			if time.Since(began) > 10*time.Minute {
				t.Fatalf("not within ten minutes: %+v", a.Pending)
			}
			pass(time.Second)
		}
		if got := w.record(id).LastOrder; got <= larger || got > larger+10 {
			t.Errorf("the last order is %d; the server had %d", got, larger)
		}
		if kept := w.cloud.of(id).order; kept <= larger {
			t.Errorf("the server has order %d", kept)
		}
		w.node.core.Stop()
		if len(w.violations()) > 0 {
			w.fail(t, "a larger order")
		}
	})
}
