package rotation

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// scenario is one operation and what leads to it, written so that it goes on after a crash anywhere.
type scenario struct {
	name     string
	settings Settings
	run      func(ctx context.Context, w *world, id ID)
}

// insist repeats a read until it gives an answer, over crashes.
func (w *world) insist(ctx context.Context, id ID) *simLease {
	for range 60 {
		l, answered := w.read(ctx, id, 45*time.Second)
		w.recoverNode()
		if answered {
			return l
		}
		pass(31 * time.Second)
		w.endLeases(ctx)
	}
	return nil
}

// manual asks for a rotation and waits for it.
func (w *world) manual(ctx context.Context, id ID, wait time.Duration) {
	for range 20 {
		if w.record(id) == nil {
			return
		}
		err := w.rotate(ctx, id, wait)
		dead := w.node.dead()
		w.recoverNode()
		if err == nil && !dead {
			return
		}
	}
}

// tell repeats an operator's correction until the core takes it.
func (w *world) tell(id ID, correct func() error) {
	var before *Account
	for range 200 {
		if _, byHand, _ := w.server(id); !byHand {
			return // Vault's own rotation has overtaken the operator: there is nothing to correct
		}
		before = w.record(id)
		err := correct()
		w.tracef("correction of %s: %v", id.InstanceID, err)
		if err == nil {
			break
		}
		w.recoverNode()
		pass(29 * time.Second)
	}
	w.told(id, before)
}

func scenarios() []scenario {
	return []scenario{
		{"first read", leasedSettings(), func(ctx context.Context, w *world, id ID) { w.insist(ctx, id) }},
		{"read again", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.insist(ctx, id)
		}},
		{"read and revoke together", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.readTogether(ctx, id, 3)
			w.recoverNode()
			w.revokeTogether(ctx, id, w.leasesOf(id))
			w.recoverNode()
			w.insist(ctx, id)
		}},
		{"check out together", with(leasedSettings(), func(s *Settings) { s.Checkout = Exclusive }), func(ctx context.Context, w *world, id ID) {
			if l := w.insist(ctx, id); l != nil {
				w.revoke(ctx, l)
				w.recoverNode()
			}
			pass(time.Minute)
			w.recoverNode()
			w.readTogether(ctx, id, 3)
			w.recoverNode()
		}},
		{"renew", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			if l := w.insist(ctx, id); l != nil {
				pass(time.Minute)
				w.renew(ctx, l, 5*time.Minute)
				w.recoverNode()
				pass(3 * time.Minute)
				w.endLeases(ctx)
			}
		}},
		{"revoke", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			if l := w.insist(ctx, id); l != nil {
				w.revoke(ctx, l)
				w.recoverNode()
				w.insist(ctx, id)
			}
		}},
		{"expiry", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			for range 10 {
				pass(time.Minute)
				w.recoverNode()
				w.endLeases(ctx)
			}
		}},
		{"exclusive", with(leasedSettings(), func(s *Settings) { s.Checkout = Exclusive }), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.manual(ctx, id, 30*time.Second)
			w.read(ctx, id, time.Minute)
			w.recoverNode()
			w.insist(ctx, id)
		}},
		{"rotate", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.manual(ctx, id, 45*time.Second)
			w.insist(ctx, id)
		}},
		{"schedule", with(staticSettings(), func(s *Settings) { s.Period = time.Hour }), func(ctx context.Context, w *world, id ID) {
			w.manual(ctx, id, 45*time.Second)
			w.read(ctx, id, 0)
			for range 14 {
				pass(5 * time.Minute)
				w.recoverNode()
			}
			w.insist(ctx, id)
		}},
		{"import", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.byHand(id, "by-hand")
			w.tell(id, func() error { _, err := w.node.core.Import(ctx, id, "by-hand", false); return err })
			w.insist(ctx, id)
		}},
		{"restore", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			if l := w.insist(ctx, id); l != nil {
				w.manual(ctx, id, 45*time.Second)
				w.byHand(id, l.password)
				w.tell(id, func() error { _, err := w.node.core.Restore(ctx, id, 1, false); return err })
				w.insist(ctx, id)
			}
		}},
		{"delete", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			if l := w.insist(ctx, id); l != nil {
				w.revoke(ctx, l)
				w.recoverNode()
			}
			w.cloud.vanish(id.InstanceID, true)
			for range 60 {
				if err := w.delete(ctx, id, false); err == nil || w.record(id) == nil {
					break
				}
				w.recoverNode()
				pass(time.Minute)
			}
		}},
		{"vanish and return", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			l := w.insist(ctx, id)
			w.cloud.vanish(id.InstanceID, true)
			if l != nil {
				w.revoke(ctx, l)
			}
			pass(2 * time.Minute)
			w.recoverNode()
			w.cloud.vanish(id.InstanceID, false)
			for range 20 {
				if err := w.node.core.Describe(ctx, id, w.specs[0].Facts); err == nil {
					break
				}
				w.recoverNode()
			}
			w.insist(ctx, id)
		}},
		{"role deletion", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			l := w.insist(ctx, id)
			for range 20 {
				if err := w.node.core.Unbind(ctx, id, "role"); err == nil {
					break
				}
				w.recoverNode()
			}
			if l != nil {
				w.revoke(ctx, l)
			}
			pass(2 * time.Minute)
			w.recoverNode()
		}},
		{"change of the reset method", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			w.specs[0].Settings.ResetMethod = string(simMethods[(slices.Index(simMethods, w.cloud.method)+1)%len(simMethods)])
			for range 20 {
				if _, err := w.node.core.Bind(ctx, w.specs[0]); err == nil && !w.node.dead() {
					break
				}
				w.recoverNode()
			}
			if l := w.insist(ctx, id); l != nil {
				w.revoke(ctx, l)
				w.recoverNode()
			}
			w.insist(ctx, id)
		}},
		{"leadership change", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			l := w.insist(ctx, id)
			if l != nil {
				w.revoke(ctx, l)
			}
			pass(150 * time.Millisecond)
			w.depose()
			w.insist(ctx, id)
		}},
		{"role change", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			w.insist(ctx, id)
			for range 20 {
				b := w.specs[0]
				b.Settings.MaxTTL = 5 * time.Minute
				if _, err := w.node.core.Bind(ctx, b); err == nil {
					break
				}
				w.recoverNode()
			}
			w.insist(ctx, id)
		}},
		{"another connection", leasedSettings(), func(ctx context.Context, w *world, id ID) {
			l := w.insist(ctx, id)
			w.insistOnMove(ctx, &w.specs[0])
			if l != nil {
				w.revoke(ctx, l) // Vault has it still
				w.recoverNode()
			}
			w.insist(ctx, w.specs[0].ID)
		}},
		{"another connection and back", with(leasedSettings(), func(s *Settings) { s.Source = FromInitial }),
			func(ctx context.Context, w *world, id ID) {
				w.insist(ctx, id)
				w.insistOnMove(ctx, &w.specs[0])
				w.insistOnMove(ctx, &w.specs[0])
				w.insist(ctx, w.specs[0].ID)
			}},
		{"initial password", with(leasedSettings(), func(s *Settings) { s.Source, s.ClearInitial = FromInitial, true }),
			func(ctx context.Context, w *world, id ID) {
				w.insist(ctx, id)
				pass(time.Minute)
				w.recoverNode()
				w.insist(ctx, id)
			}},
		{"static initial password", with(staticSettings(), func(s *Settings) { s.Source, s.CanReset = FromInitial, false }),
			func(ctx context.Context, w *world, id ID) {
				w.insist(ctx, id)
				w.insist(ctx, id)
			}},
	}
}

// play runs one scenario in its own bubble of virtual time and returns its world.
func play(t *testing.T, s scenario, method simMethod, crashAt map[int]bool, o odds) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w = newWorld(t, 1, method, o)
		w.crashAt = crashAt
		if len(crashAt) > 0 {
			w.faulty.Store(true)
		}
		w.start()
		id := w.bind(s.settings)
		w.ensureBound(ctx)
		s.run(ctx, w, id)
		w.converge(ctx)
		w.checkResets()
		w.node.core.Stop()
	})
	return w
}

func clouds(t *testing.T, f func(t *testing.T, method simMethod)) {
	for _, method := range append(slices.Clone(simMethods), sessionMethod) {
		t.Run(string(method), func(t *testing.T) { f(t, method) })
	}
}

// TestScenariosWithoutFaults: every operation, nothing going wrong; each completed lease costs exactly
// one reset.
func TestScenariosWithoutFaults(t *testing.T) {
	clouds(t, func(t *testing.T, method simMethod) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				if w := play(t, s, method, nil, odds{}); len(w.violations()) > 0 {
					w.fail(t, s.name)
				}
			})
		}
	})
}

// TestEveryCrash crashes every operation at every storage write and cloud call, before and after it
// took effect, alone and in pairs.
func TestEveryCrash(t *testing.T) {
	quick(t)
	clouds(t, func(t *testing.T, method simMethod) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				runs := everyCrash(t, s, method, !testing.Short(), func(w *world, what string) { w.fail(t, what) })
				t.Logf("%d histories", runs)
			})
		}
	})
}

// everyCrash plays a scenario once for each crash point, and for each pair of them, where the second
// one counts on in the history that the first one changed.
func everyCrash(t *testing.T, s scenario, method simMethod, pairs bool, found func(w *world, what string)) (runs int) {
	half := 2 * play(t, s, method, nil, odds{}).points
	for i := range half {
		w := play(t, s, method, map[int]bool{i: true}, odds{})
		runs++
		if len(w.violations()) > 0 {
			found(w, fmt.Sprintf("%s, crash at half point %d", s.name, i))
			return runs
		}
		if !pairs {
			continue
		}
		for j := i + 1; j < 2*w.points; j++ {
			w := play(t, s, method, map[int]bool{i: true, j: true}, odds{})
			runs++
			if len(w.violations()) > 0 {
				found(w, fmt.Sprintf("%s, crashes at half points %d and %d", s.name, i, j))
				return runs
			}
		}
	}
	return runs
}
