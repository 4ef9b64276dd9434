package rotation

import (
	"context"
	"fmt"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// playClock simulates a history in which nothing goes wrong but the wall clock, which jumps ahead and back
// and returns before a step is believed. So every reset needs its reason (I5): no live lease is lost to a
// jump, and nothing is disclosed for longer than max_ttl, truly counted.
func playClock(t *testing.T, seed uint64) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w = newWorld(t, seed, overlappingMethod, odds{})
		draw := rand.New(rand.NewPCG(seed, 3))
		w.start()
		for range 1 + draw.IntN(3) {
			s := randomSettings(draw)
			s.Source, s.ClearInitial = FromReset, false
			w.bind(s)
		}
		w.ensureBound(ctx)
		pass(protocol.StartHold)
		var clients sync.WaitGroup
		jumped := time.Time{}
		for range 60 {
			switch {
			case w.skew.Load() != 0 && time.Since(jumped) > stepHold-2*time.Minute || draw.IntN(4) == 0:
				w.jump(0)
				pass(clockInterval) // the clocks agree at one look at least
			case w.skew.Load() == 0 && draw.IntN(3) == 0:
				w.jump(time.Duration(draw.IntN(int(6*time.Hour))) - 3*time.Hour)
				jumped = time.Now()
			}
			b := &w.specs[draw.IntN(len(w.specs))]
			wait := time.Duration(draw.IntN(2)) * 20 * time.Second
			switch n := draw.IntN(10); {
			case n < 5:
				clients.Go(func() { w.read(ctx, b.ID, wait) })
			case n < 7:
				if l := w.someLease(draw); l != nil {
					w.revoke(ctx, l)
				}
			case n < 9:
				if l := w.someLease(draw); l != nil {
					w.renew(ctx, l, time.Duration(draw.IntN(1200))*time.Second)
				}
			default:
				clients.Go(func() { _ = w.rotate(ctx, b.ID, wait) })
			}
			synctest.Wait()
			pass(time.Duration(draw.IntN(int(45 * time.Second))))
			w.endLeases(ctx)
			w.checkDeadlines()
			w.checkDisclosures()
		}
		w.jump(0)
		pass(2 * protocol.ExpiryRecheck) // what was looked at while the clocks disagreed
		clients.Wait()
		w.calm()
		w.rest(ctx, settleBound, func() string {
			for _, b := range w.specs {
				if s := w.unsettled(b.ID); s != "" {
					return s
				}
			}
			return ""
		})
		w.checkResets()
		w.node.core.Stop()
		pass(time.Minute)
	})
	return w
}

// jump sets the wall clock.
func (w *world) jump(to time.Duration) {
	if w.skew.Swap(int64(to)) != int64(to) {
		w.tracef("the wall clock is %s off", to)
	}
}

// checkDisclosures checks rule 12 by what has truly happened: no password outlives max_ttl, counted from its first
// reader, by more than the slack and what a doubted clock may add.
func (w *world) checkDisclosures() {
	for _, b := range w.specs {
		if b.Settings.Mode != Leased {
			continue
		}
		has, _, _ := w.server(b.ID)
		w.mu.Lock()
		first, ok := w.first[has]
		w.mu.Unlock()
		if over := time.Since(first.Add(b.Settings.MaxTTL + protocol.Slack)); ok && over > stepHold+time.Minute+b.Settings.MinResetInterval {
			w.violation("I4", "%s is known for %s longer than max_ttl: %s", has, over, describe(w.record(b.ID)))
		}
	}
}

func TestAJumpOfTheClockCostsNobodyALease(t *testing.T) {
	quick(t)
	var next atomic.Uint64
	end := uint64(min(runs(), 1000))
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("worker %d", i), func(t *testing.T) {
			t.Parallel()
			for {
				seed := next.Add(1)
				if seed > end || t.Failed() {
					return
				}
				if w := playClock(t, seed); len(w.violations()) > 0 {
					w.fail(t, "clock")
				}
			}
		})
	}
}

func TestAClockAheadForSecondsResetsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.start()
		settings := with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = time.Hour, 2*time.Hour })
		for range 20 {
			w.bind(settings)
		}
		w.ensureBound(t.Context())
		for _, b := range w.specs {
			w.insist(t.Context(), b.ID)
		}
		pass(time.Minute)
		for _, jump := range []time.Duration{2 * time.Hour, 1000 * time.Hour, -2 * time.Hour} {
			w.jump(jump)
			for i, b := range w.specs { // what makes the core look at its accounts
				w.node.core.Invalidate(accountKey(b.ID))
				if l, answered := w.read(t.Context(), b.ID, 0); i == 0 && (!answered || l == nil) {
					t.Fatal("no answer")
				}
			}
			pass(5 * time.Second)
			w.jump(0)
			pass(2 * time.Minute)
		}
		for _, b := range w.specs {
			a := w.record(b.ID)
			if a.LastVersion != 1 || a.Due != nil {
				t.Errorf("reset by a jump: %s", describe(a))
			}
			if until := a.Current().Disclosed.Add(settings.MaxTTL); !a.Current().Until.Equal(until) || time.Until(until) > settings.MaxTTL {
				t.Errorf("disclosed until %s", a.Current().Until)
			}
		}
		w.node.core.Stop()
	})
}

// TestAStepThatStaysIsActedUpon: leases that Vault has lost end by the new time, and one that was granted
// while the step was doubted keeps its length.
func TestAStepThatStaysIsActedUpon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.start()
		settings := with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = time.Hour, 2*time.Hour })
		lost, fresh := w.bind(settings), w.bind(settings)
		w.ensureBound(t.Context())
		w.insist(t.Context(), lost).lost = true
		pass(10 * time.Minute)
		w.jump(3 * time.Hour)
		pass(time.Minute)
		l := w.insist(t.Context(), fresh)
		pass(stepHold + stepPause + 2*clockInterval)
		if a := w.record(lost); a.Due == nil && a.LastVersion == 1 {
			t.Errorf("the lost lease still counts: %s", describe(a))
		}
		if a := w.record(fresh); a.Due != nil || a.LastVersion != 1 || len(a.Leases) != 1 {
			t.Errorf("the live lease is lost: %s", describe(a))
		}
		w.revoke(t.Context(), l)
		w.node.core.Stop()
		pass(time.Minute)
	})
}

// TestAProcessThatStartsWithAWrongClock resets nobody before the clock is right, and then ends what it has
// granted meanwhile in time.
func TestAProcessThatStartsWithAWrongClock(t *testing.T) {
	for _, wrong := range []time.Duration{2 * time.Hour, -2 * time.Hour, 30 * 365 * 24 * time.Hour} {
		for _, after := range []time.Duration{5 * time.Second, 90 * time.Second} {
			t.Run(fmt.Sprintf("%s for %s", wrong, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { startWrong(t, wrong, after) })
			})
		}
	}
}

func startWrong(t *testing.T, wrong, after time.Duration) {
	ctx := context.WithoutCancel(t.Context())
	w := newWorld(t, 1, overlappingMethod, odds{})
	w.start()
	settings := with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = time.Hour, 90*time.Minute })
	before, during := w.bind(settings), w.bind(settings)
	static := w.bind(with(staticSettings(), func(s *Settings) { s.Period = time.Hour }))
	w.ensureBound(ctx)
	held := w.insist(ctx, before)
	if _, err := w.node.core.Rotate(ctx, static, 45*time.Second); err != nil {
		t.Fatal(err)
	}
	pass(time.Minute)
	w.node.core.Stop()
	w.jump(wrong)
	w.start()
	pass(after / 2)
	w.insist(ctx, during)
	granted := time.Now()
	pass(after / 2)
	w.jump(0)
	pass(20 * time.Minute)
	for _, id := range []ID{before, during, static} {
		if a := w.record(id); a.LastVersion != 1 || a.Due != nil {
			t.Errorf("reset by a wrong clock: %s", describe(a))
		}
	}
	a := w.record(during)
	if until := a.Current().Until; until.After(granted.Add(settings.MaxTTL+time.Minute)) ||
		until.Before(granted.Add(settings.MaxTTL-time.Minute)) {
		t.Errorf("granted %s, disclosed until %s", granted, until)
	}
	if a := w.record(before); a.Current().Until.After(held.granted[1].Add(settings.MaxTTL + time.Minute)) {
		t.Errorf("disclosed until %s", a.Current().Until)
	}
	w.node.core.Stop()
	pass(time.Minute)
}
