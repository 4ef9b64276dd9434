package rotation

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	simRuns = flag.Int("sim.runs", 2000, "how many random schedules to simulate")
	simSeed = flag.Uint64("sim.seed", 0, "simulate only the schedule of this seed, and print its trace")
	simFrom = flag.Uint64("sim.from", 1, "the first seed")
)

// profile is what kind of trouble a random schedule has. The seed chooses it.
func profile(seed uint64) (odds, bool) {
	r := rand.New(rand.NewPCG(seed, 7))
	serial := r.IntN(2) == 0
	if r.IntN(10) == 0 {
		return odds{}, serial // nothing goes wrong: I5 can be counted
	}
	some := func(p float64) float64 {
		if r.IntN(2) == 0 {
			return 0
		}
		return p * r.Float64()
	}
	return odds{storage: some(0.1), crash: some(0.08), refuse: some(0.4), lost: some(0.5), late: some(0.5), lag: some(0.7),
		failed: some(0.6), password: some(0.4)}, serial
}

// randomSettings draws an account.
func randomSettings(r *rand.Rand) Settings {
	s := leasedSettings()
	s.TTL = time.Duration(1+r.IntN(5)) * time.Minute
	s.MaxTTL = s.TTL + time.Duration(r.IntN(10))*time.Minute
	s.MaxVersions = 1 + r.IntN(4)
	if r.IntN(3) == 0 {
		s.Checkout = Exclusive
	}
	if r.IntN(4) == 0 {
		s.Source, s.ClearInitial = FromInitial, r.IntN(2) == 0
	}
	if r.IntN(6) == 0 {
		s.MinResetInterval = time.Duration(r.IntN(5)) * time.Minute
	}
	if r.IntN(5) == 0 {
		s.Mode, s.Checkout, s.TTL, s.MaxTTL = Static, "", 0, 0
		s.Period = time.Duration(10+r.IntN(50)) * time.Minute
	}
	return s
}

// playRandom simulates one random schedule: concurrent clients, an operator, Vault, and trouble.
func playRandom(t *testing.T, seed uint64, r rules) *world {
	t.Helper()
	o, serial := profile(seed)
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w = newWorld(t, seed, r, serial, o)
		w.start()
		draw := rand.New(rand.NewPCG(seed, 1))
		for range 1 + draw.IntN(2) {
			w.bind(randomSettings(draw))
		}
		w.ensureBound(ctx)
		var actors sync.WaitGroup
		for range 12 + draw.IntN(28) {
			id := w.specs[draw.IntN(len(w.specs))].ID
			w.act(ctx, &actors, draw, id)
			synctest.Wait()
			w.recoverNode()
			time.Sleep(time.Duration(draw.IntN(1+draw.IntN(90000))) * time.Millisecond)
			w.recoverNode()
			w.endLeases(ctx)
			w.checkDeadlines()
			if len(w.violations()) > 0 {
				break
			}
		}
		w.converge(ctx)
		actors.Wait()
		w.checkResets()
		w.node.core.Stop()
		time.Sleep(time.Minute) // zombies end
	})
	return w
}

// act does one random thing.
func (w *world) act(ctx context.Context, actors *sync.WaitGroup, draw *rand.Rand, id ID) {
	background := func(f func()) {
		actors.Add(1)
		go func() {
			defer actors.Done()
			f()
		}()
	}
	node := w.node
	switch n := draw.IntN(100); {
	case n < 40:
		wait := time.Duration(draw.IntN(45)) * time.Second * time.Duration(draw.IntN(2))
		w.expectFirst(id)
		background(func() { w.read(ctx, id, wait) })
	case n < 58:
		if l := w.someLease(draw); l != nil {
			w.revoke(ctx, l)
		}
	case n < 68:
		if l := w.someLease(draw); l != nil {
			w.renew(ctx, l, time.Duration(draw.IntN(1200))*time.Second)
		}
	case n < 76:
		before := w.record(id)
		if _, err := node.core.Rotate(ctx, id, 0); err == nil && before != nil && before.Due == nil {
			w.tracef("rotate %s", id.InstanceID)
			w.mu.Lock()
			w.expected[id]++
			w.mu.Unlock()
		}
	case n < 80:
		if w.faulty {
			w.cloud.overwrite(id.InstanceID)
		}
	case n < 84:
		if w.odds.crash > 0 {
			node.die("at random")
		}
	case n < 88:
		if w.faulty {
			w.depose()
		}
	case n < 90:
		if w.odds.refuse > 0 {
			refuse := draw.IntN(2) == 0
			w.cloud.locked(func() { w.cloud.refuse = refuse })
			w.tracef("outage %v", refuse)
		}
	case n < 92:
		if w.faulty {
			jump := time.Duration(draw.IntN(240)-120) * time.Second
			w.mu.Lock()
			w.skew += jump
			w.mu.Unlock()
			w.tracef("the node's clock jumps by %s", jump)
		}
	case n < 95:
		b := w.specs[0]
		for i := range w.specs {
			if w.specs[i].ID == id {
				if w.specs[i].Settings.Mode == Leased {
					w.specs[i].Settings.TTL = time.Duration(1+draw.IntN(5)) * time.Minute
					w.specs[i].Settings.MaxTTL = w.specs[i].Settings.TTL + time.Duration(draw.IntN(8))*time.Minute
				}
				b = w.specs[i]
			}
		}
		_, err := node.core.Bind(ctx, b)
		w.tracef("role changed: %v", err)
	default:
		w.correct(ctx, draw, id, node)
	}
}

// correct lets the operator change the server by hand, or by a snapshot, and tell Vault so.
func (w *world) correct(ctx context.Context, draw *rand.Rand, id ID, n *simNode) {
	a := w.record(id)
	if a == nil || len(a.Versions) == 0 {
		return
	}
	old := a.Versions[draw.IntN(len(a.Versions))]
	restore := draw.IntN(2) == 0
	value := fmt.Sprintf("by-hand-%d", draw.Uint32())
	if restore {
		value = old.Password
	}
	w.mu.Lock()
	w.faulty = true // I5 is not counted over corrections
	w.mu.Unlock()
	w.byHand(id, value)
	w.mu.Lock()
	delete(w.burned, value) // it may be recorded even if the answer is an error
	w.mu.Unlock()
	var err error
	if restore {
		_, err = n.core.Restore(ctx, id, old.Number, false)
	} else {
		_, err = n.core.Import(ctx, id, value, false)
	}
	w.tracef("correction: %v", err)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.handed[value] = time.Now() // a person knows it
	w.mu.Unlock()
	w.told(id)
}

func (w *world) someLease(draw *rand.Rand) *simLease {
	w.mu.Lock()
	defer w.mu.Unlock()
	var live []*simLease
	for _, l := range w.leases {
		if !l.ended && !l.lost {
			live = append(live, l)
		}
	}
	if len(live) == 0 {
		return nil
	}
	return live[draw.IntN(len(live))]
}

// TestRandomSchedules simulates many random schedules. A failing one prints its seed and its trace;
// -sim.seed plays it again.
func TestRandomSchedules(t *testing.T) {
	if *simSeed != 0 {
		w := playRandom(t, *simSeed, rules{})
		t.Log(w.trace())
		if len(w.violations()) > 0 {
			w.fail(t, "random schedule")
		}
		return
	}
	var next atomic.Uint64
	next.Store(*simFrom)
	end := *simFrom + uint64(*simRuns)
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
			t.Parallel()
			for {
				seed := next.Add(1) - 1
				if seed >= end || t.Failed() {
					return
				}
				if w := playRandom(t, seed, rules{}); len(w.violations()) > 0 {
					w.fail(t, "random schedule")
				}
			}
		})
	}
}
