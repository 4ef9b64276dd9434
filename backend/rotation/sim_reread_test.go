package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// rebuild makes the system of a server again: it has another password, which it tells the cloud if that has none, or has it
// replaced. Until Vault knows it nothing is promised.
func (w *world) rebuild(draw *rand.Rand, id ID) {
	password, replaces := fmt.Sprintf("initial-again-%d", draw.Uint32()), draw.IntN(4) > 0
	w.cloud.locked(func() {
		s := w.cloud.of(id)
		if s.gone || len(s.flying) > 0 || s.running[serialMethod]+s.running[serialElsewhere]+s.running[expiringMethod] > 0 {
			return // no cloud rebuilds a server whose password it is just setting
		}
		s.password, s.byHand, s.order, s.hand = password, true, 0, true
		if replaces || s.initial == "" {
			s.initial = password
		}
		w.tracef("server %s is rebuilt, and has %s; the cloud has %s", id.InstanceID, s.password, s.initial)
	})
}

// lookAt is the regular look at a server.
func (w *world) lookAt(ctx context.Context, draw *rand.Rand, id ID) {
	err := w.node.core.Describe(ctx, id, Facts{Image: fmt.Sprint("image-", draw.IntN(3))})
	w.tracef("%s is described: %v", id.InstanceID, err)
}

// reread is an operator's word that the cloud is to be asked again.
func (w *world) reread(ctx context.Context, id ID) {
	n := w.node // another one may be active by the time of the answer
	view, changed, err := n.core.Reread(w.client(ctx), id)
	if err != nil {
		w.tracef("the initial password of %s is not read again: %v", id.InstanceID, err)
		return
	}
	current := view.Current()
	if current == nil || current.Source != FromInitial {
		w.violation("I23", "%s has no initial password after it was read again", id)
	}
	w.tracef("the initial password of %s is read again: changed %v, version %d", id.InstanceID, changed, current.Number)
	w.trusted(n, id)
}

// trusted ends what a rebuild has begun once storage has the server's password as the current version, by a node that was active.
func (w *world) trusted(n *simNode, id ID) {
	a := w.record(id)
	w.cloud.locked(func() {
		if s := w.cloud.of(id); a != nil && a.Current() != nil && a.Current().Password == s.password && !n.deposed() {
			s.byHand = false
		}
	})
}

// checkReread checks I23 for one write.
func (w *world) checkReread(before, after *Account) {
	if before == nil || after == nil || after.LastVersion == before.LastVersion {
		return
	}
	cur, old := after.Current(), before.Current()
	if cur.Change.Reason != protocol.Reread {
		return
	}
	if old == nil || old.Source != FromInitial || before.Pending != nil || len(before.OldUnresolved)+len(before.Candidates) > 0 {
		w.violation("I23", "version %d of %s is an initial password after %s", cur.Number, after.ID, describe(before))
	}
	known := false
	w.cloud.locked(func() {
		s := w.cloud.of(after.ID)
		known = s.shownInitial[cur.Password]
	})
	if !known {
		w.violation("I23", "version %d of %s is %s, which the cloud has not shown", cur.Number, after.ID, cur.Password)
	}
}

// TestRebuiltServersOverRandomSchedules: servers are rebuilt, looked at, and their passwords asked for again, at any time among reads,
// ends of leases, rotations, crashes and outages. Nothing that a reset has set is ever replaced, and at rest the server has the
// current version wherever anybody was told the truth.
func TestRebuiltServersOverRandomSchedules(t *testing.T) {
	quick(t)
	var changed, refused int
	for seed := uint64(1); seed <= uint64(min(runs(), 300)); seed++ {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			draw := rand.New(rand.NewPCG(seed, 27))
			o, method := profile(seed)
			w := newWorld(t, seed, method, o)
			w.start()
			s := randomSettings(draw)
			s.Source, s.ClearInitial = FromInitial, draw.IntN(3) == 0
			if draw.IntN(3) == 0 {
				s = with(staticSettings(), func(s *Settings) { s.Source, s.CanReset, s.Period = FromInitial, false, 0 })
			}
			id := w.bind(s)
			w.ensureBound(ctx)
			var clients sync.WaitGroup
			for range 30 {
				w.rebuilding(ctx, &clients, draw, id)
				synctest.Wait()
				w.recoverNode()
				pass(time.Duration(draw.IntN(int(90 * time.Second))))
				w.recoverNode()
				w.endLeases(ctx)
				w.checkDeadlines()
			}
			w.converge(ctx)
			clients.Wait()
			w.checkResets()
			if a := w.record(id); a != nil {
				for _, v := range a.Versions {
					if v.Change.Reason == protocol.Reread {
						changed++
					} else if v.Source == FromReset {
						refused++
					}
				}
			}
			w.node.core.Stop()
			pass(time.Minute)
			if len(w.violations()) > 0 {
				w.fail(t, "rebuilt servers")
			}
		})
	}
	if changed < runs()/20 || refused < runs()/20 {
		t.Errorf("%d versions were read again, and %d set by resets: this shows little", changed, refused)
	}
}

// rebuilding does one thing that has to do with rebuilt servers, or goes wrong.
func (w *world) rebuilding(ctx context.Context, clients *sync.WaitGroup, draw *rand.Rand, id ID) {
	switch n := draw.IntN(20); {
	case n < 5:
		clients.Go(func() { w.read(ctx, id, 30*time.Second) })
	case n < 8:
		w.rebuild(draw, id)
	case n < 13:
		clients.Go(func() { w.reread(ctx, id) })
	case n < 15:
		w.lookAt(ctx, draw, id)
	case n < 17:
		if l := w.someLease(draw); l != nil {
			w.revoke(ctx, l)
		}
	case n < 18:
		if w.record(id) != nil && w.record(id).Settings.CanReset {
			_ = w.rotate(ctx, id, 0)
		}
	case w.faulty.Load() && n < 19:
		if w.odds().crash > 0 {
			w.node.die("at random", "", "")
		}
	case w.faulty.Load():
		w.depose()
	}
}
