package rotation

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
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

// profile is how a random schedule's passwords are set, and what kind of trouble it has. The seed chooses it.
func profile(seed uint64) (odds, simMethod) {
	r := rand.New(rand.NewPCG(seed, 7))
	method := simMethods[r.IntN(len(simMethods))]
	if method == orderedMethod && rand.New(rand.NewPCG(seed, 13)).IntN(3) == 0 {
		method = recordedMethod // the others keep what their seeds have always played
	}
	if r.IntN(10) == 0 {
		return odds{}, method // nothing goes wrong: I5 can be counted
	}
	some := func(p float64) float64 {
		if r.IntN(2) == 0 {
			return 0
		}
		return p * r.Float64()
	}
	return odds{storage: some(0.1), crash: some(0.08), refuse: some(0.4), lost: some(0.5), late: some(0.5), lag: some(0.7),
		failed: some(0.6), password: some(0.4)}, method
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
	randomChecks(r, &s)
	return s
}

// playRandom simulates one random schedule: concurrent clients, operators, Vault, and trouble.
func playRandom(t *testing.T, seed uint64) *world {
	t.Helper()
	o, method := profile(seed)
	return playMethod(t, seed, o, method)
}

// playMethod is playRandom with a profile of the caller's.
func playMethod(t *testing.T, seed uint64, o odds, method simMethod) *world {
	t.Helper()
	shared := sharesServer(seed, method)
	if shared && seed%6 == 0 {
		o = odds{} // so that I5 counts the resets of those, too
	}
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w = newWorld(t, seed, method, o)
		w.start()
		draw := rand.New(rand.NewPCG(seed, 1))
		for range 1 + draw.IntN(2) {
			settings := randomSettings(draw)
			if seed%4 == 1 && settings.Mode == Leased {
				settings.RotateOnRevoke = AnyLease
			}
			s := w.cloud.servers[w.bind(settings).InstanceID]
			s.readyAt = w.began.Add(time.Duration(draw.IntN(3)) * 3 * time.Minute)
		}
		if shared {
			w.shareServer(draw)
		}
		w.ensureBound(ctx)
		var clients sync.WaitGroup
		for range 12 + draw.IntN(28) {
			w.act(ctx, &clients, draw, &w.specs[draw.IntN(len(w.specs))])
			synctest.Wait()
			w.recoverNode()
			pass(time.Duration(draw.IntN(1 + draw.IntN(int(90*time.Second)))))
			w.recoverNode()
			w.endLeases(ctx)
			w.checkDeadlines()
			if len(w.violations()) > 0 {
				break
			}
		}
		w.converge(ctx)
		clients.Wait()
		w.checkResets()
		w.node.core.Stop()
		pass(time.Minute) // zombies end
		w.checkLateStarts()
	})
	return w
}

// act does one random thing.
func (w *world) act(ctx context.Context, clients *sync.WaitGroup, draw *rand.Rand, b *Binding) {
	id, core, faulty := b.ID, w.node.core, w.faulty.Load()
	wait := time.Duration(draw.IntN(2) * draw.IntN(int(45*time.Second)))
	switch n := draw.IntN(100); {
	case n < 38:
		switch {
		case w.unbound[id]: // no role, no path to read it by
		case draw.IntN(4) == 0:
			w.readTogether(ctx, id, 2+draw.IntN(3))
		default:
			clients.Go(func() { w.read(ctx, id, wait) })
		}
	case n < 54:
		if l := w.someLease(draw); l != nil && draw.IntN(2) == 0 {
			w.revokeTogether(ctx, l.ref.ID, w.leasesOf(l.ref.ID))
		} else if l != nil {
			w.revoke(ctx, l)
		}
	case n < 63:
		if l := w.someLease(draw); l != nil {
			w.renew(ctx, l, time.Duration(draw.IntN(1200))*time.Second)
		}
	case n < 70:
		clients.Go(func() { _ = w.rotate(ctx, id, wait) })
		if w.shared && draw.IntN(2) == 0 {
			w.rotateUsers(ctx, clients, id)
		}
	case n < 74:
		w.changeRole(ctx, draw, b)
	case n < 76:
		core.Invalidate(accountKey(id))
	case n < 77:
		core.ForgetConnection(id.Connection)
	case n < 81:
		w.correct(ctx, draw, id)
	case n < 84:
		w.verify(ctx, draw, id)
	case faulty:
		w.trip(ctx, draw, b)
	}
}

// trip lets one random thing go wrong.
func (w *world) trip(ctx context.Context, draw *rand.Rand, b *Binding) {
	id, o := b.ID, w.odds()
	if w.shared && draw.IntN(8) == 0 {
		w.deafen(draw, id.Connection)
		return
	}
	switch n := draw.IntN(25); {
	case n < 4:
		w.cloud.overwrite(id.InstanceID)
	case n < 7:
		if o.crash > 0 {
			w.node.die("at random", "", "")
		}
	case n < 10:
		w.depose()
	case n < 12:
		if o.refuse > 0 {
			refuse := draw.IntN(2) == 0
			w.cloud.locked(func() { w.cloud.refuse = refuse })
			w.tracef("outage %v", refuse)
		}
	case n < 14:
		jump := time.Duration(draw.IntN(int(4*time.Minute))) - 2*time.Minute
		if draw.IntN(5) == 0 {
			jump *= 30
		}
		w.mu.Lock()
		w.skew.Add(int64(jump))
		w.setBack += max(-jump, 0)
		w.mu.Unlock()
		w.tracef("the nodes' clock jumps by %s", jump)
	case n < 16:
		_, _, gone := w.server(id)
		w.cloud.vanish(id.InstanceID, !gone)
		w.reappear(ctx)
	case n < 17:
		if _, _, gone := w.server(id); gone || draw.IntN(4) == 0 {
			_ = w.delete(ctx, id, false)
		}
	case n < 19:
		if !w.unbound[id] {
			err := w.node.core.Unbind(ctx, id, b.Role)
			w.tracef("role of %s deleted: %v", id.InstanceID, err)
			w.unbound[id] = true
		} else {
			w.changeRole(ctx, draw, b)
		}
	case n < 20 && draw.IntN(2) == 0:
		if draw.IntN(2) == 0 {
			w.moveConnection(ctx, draw, b)
		} else {
			w.moveRole(ctx, draw, b)
		}
	case n < 20:
		w.reappear(ctx)
	case n < 22:
		w.drift(draw, id)
	default:
		var l lies
		if draw.IntN(3) > 0 {
			l = randomLies(draw)
		}
		w.cloud.locked(func() { w.cloud.lies = l })
		w.tracef("the cloud lies: %+v", l)
	}
}

// changeRole writes the role with other times.
func (w *world) changeRole(ctx context.Context, draw *rand.Rand, b *Binding) {
	if b.Settings.Mode == Leased {
		b.Settings.TTL = time.Duration(1+draw.IntN(5)) * time.Minute
		b.Settings.MaxTTL = b.Settings.TTL + time.Duration(draw.IntN(8))*time.Minute
	}
	if w.faulty.Load() && draw.IntN(3) == 0 { // what it has to wait for would look like trouble elsewhere
		b.Settings.ResetMethod = string(simMethods[draw.IntN(len(simMethods))])
	}
	_, err := w.node.core.Bind(ctx, *b)
	w.tracef("role of %s written: %v", b.InstanceID, err)
	w.unbound[b.ID] = w.unbound[b.ID] && err != nil
}

// correct lets the operator change the server by hand, or by a snapshot, and tell Vault so.
func (w *world) correct(ctx context.Context, draw *rand.Rand, id ID) {
	before := w.record(id)
	if before == nil || len(before.Versions) == 0 {
		return
	}
	old := before.Versions[draw.IntN(len(before.Versions))]
	restore := draw.IntN(2) == 0
	value := fmt.Sprintf("by-hand-%d", draw.Uint32())
	if restore {
		value = old.Password
	}
	w.byHand(id, value)
	w.mu.Lock()
	delete(w.burned, value) // it may be recorded even if the answer is an error
	w.readers.recorded[value] = true
	w.mu.Unlock()
	var err error
	if restore {
		_, err = w.node.core.Restore(ctx, id, old.Number, false)
	} else {
		_, err = w.node.core.Import(ctx, id, value, false)
	}
	w.tracef("correction: %v", err)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.handed[value] = time.Now() // a person knows it
	w.mu.Unlock()
	w.told(id, before)
}

// runs is how many random schedules are to be simulated; a few in short mode, as under the race detector.
func runs() int {
	if testing.Short() {
		return min(*simRuns, 300)
	}
	return *simRuns
}

// quick lets the garbage wait longer: a history lives for milliseconds.
func quick(t *testing.T) {
	old := debug.SetGCPercent(400)
	t.Cleanup(func() { debug.SetGCPercent(old) })
}

// TestRandomSchedules simulates many random schedules. A failing one prints its seed and its trace;
// -sim.seed plays it again.
func TestRandomSchedules(t *testing.T) {
	if *simSeed != 0 {
		w := playRandom(t, *simSeed)
		t.Log(w.trace())
		if len(w.violations()) > 0 {
			w.fail(t, "random schedule")
		}
		return
	}
	quick(t)
	var next atomic.Uint64
	next.Store(*simFrom)
	end := *simFrom + uint64(runs())
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
			t.Parallel()
			for {
				seed := next.Add(1) - 1
				if seed >= end || t.Failed() {
					return
				}
				if w := playRandom(t, seed); len(w.violations()) > 0 {
					w.fail(t, "random schedule")
				}
			}
		})
	}
}
