package rotation

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoSharedValueIsSentToTwoPlaces leads the connection of a group to and fro while its password is rotated, answers
// are lost and nodes die. In the end all members have one password (I8), and each had its own in storage always (I1).
func TestNoSharedValueIsSentToTwoPlaces(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		if w := playGroupPlaces(t, seed); len(w.violations()) > 0 {
			w.fail(t, "")
		}
	}
}

// playGroupPlaces simulates one random schedule of a shared password between two places.
func playGroupPlaces(t *testing.T, seed uint64) *world {
	t.Helper()
	o, _ := profile(seed)
	method := []simMethod{serialMethod, overlappingMethod}[seed%2]
	var w *world
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w = newWorld(t, seed, method, o)
		w.faulty.Store(true) // resets are counted elsewhere
		w.places = newSimPlaces(w)
		draw := rand.New(rand.NewPCG(seed, 4))
		w.start()
		s := sharedSettings()
		s.ResetMethod = string(method)
		members := []ID{w.bind(s), w.bind(s), w.bind(s)}
		for i := range w.specs {
			w.specs[i].Place = genuine
		}
		w.ensureBound(ctx)
		w.bindGroup(ctx, members)
		for range 10 {
			w.rotateRole(ctx)
			pass(time.Duration(draw.IntN(int(40 * time.Second))))
			synctest.Wait()
			w.recoverNode()
			switch n := draw.IntN(10); {
			case n == 0 && o.crash > 0:
				w.node.die("at random", "", "")
				w.recoverNode()
			case n < 3:
				w.depose()
			}
			w.places.lead(w.places.draw(draw))
			pass(time.Duration(draw.IntN(1 + draw.IntN(int(time.Hour)))))
			w.recoverNode()
			if len(w.violations()) > 0 {
				break
			}
		}
		w.places.lead(genuine)
		w.calm()
		pass(36 * time.Hour)
		w.recoverNode()
		for _, id := range members {
			a := w.record(id)
			if a == nil || !a.Gone.IsZero() {
				w.violation("I8", "%v is gone at the word of a place that nobody stands for", id)
				continue
			}
			if cur := a.Current(); cur != nil && cur.Place == genuine {
				if has, byHand, _ := w.server(id); has != cur.Password && !byHand {
					w.violation("I2", "%s is current, and server %s has %s: %s", cur.Password, id.InstanceID, has, describe(a))
				}
			}
		}
		if why := w.unsettledGroup(); why != "" {
			w.violation("I8", "a day and a half after the last trouble: %s", why)
		}
		for _, b := range w.specs {
			w.checkStored(b.ID)
		}
		w.node.core.Stop()
		pass(time.Minute)
	})
	return w
}

// TestASharedPasswordComesBackFromAnotherPlace: while the connection leads elsewhere the batch under way is neither sent
// nor polled; there the group gets a value of its own, and back at the first place another one again.
func TestASharedPasswordComesBackFromAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		w.places = newSimPlaces(w)
		w.start()
		s := sharedSettings()
		members := []ID{w.bind(s), w.bind(s)}
		for i := range w.specs {
			w.specs[i].Place = genuine
		}
		w.ensureBound(ctx)
		w.bindGroup(ctx, members)
		lead := func(to Place) {
			w.places.lead(to)
			w.rotateRole(ctx)
			pass(24 * time.Hour)
		}
		lead(genuine)
		first := w.record(GroupID("conn", simRole)).Current().Password
		lead(lying)
		for _, id := range members {
			has, _, _ := w.server(id)
			is(t, "what the server has meanwhile", has, first)
		}
		is(t, "values that were sent elsewhere", len(w.places.sent) > 1, true)
		lead(genuine)
		g := w.record(GroupID("conn", simRole))
		if g.Pending != nil || g.Due != nil || g.Current().Password == first || g.Current().Place != genuine {
			t.Fatalf("back at the first place: %s", describe(g))
		}
		for _, id := range members {
			has, _, _ := w.server(id)
			is(t, "what the server has in the end", has, g.Current().Password)
		}
		if v := w.violations(); len(v) > 0 {
			t.Error(v)
		}
		w.node.core.Stop()
	})
}
