package rotation

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnAccountIsLiveAtOneConnection moves an account between two connections, over and over, with reads, ends of leases,
// rotations, checks, deletes of the role and crashes between.
func TestAnAccountIsLiveAtOneConnection(t *testing.T) {
	quick(t)
	seeds, moves := uint64(80), 0
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			draw := rand.New(rand.NewPCG(seed, 26))
			o, method := profile(seed)
			w := newWorld(t, seed, method, o)
			w.faulty.Store(true)
			w.start()
			w.bind(randomSettings(draw))
			w.ensureBound(ctx)
			b := &w.specs[0]
			for range 40 {
				before := b.ID
				w.moveOrUse(ctx, draw, b)
				if b.ID != before {
					moves++
				}
				w.recoverNode()
				pass(time.Duration(draw.IntN(int(time.Minute))))
				w.recoverNode()
			}
			w.converge(ctx)
			w.node.core.Stop()
			pass(time.Minute)
			if len(w.violations()) > 0 {
				w.fail(t, "moves between connections")
			}
		})
	}
	if moves < int(seeds) {
		t.Errorf("only %d moves in %d histories", moves, seeds)
	}
}

// moveOrUse is one step of it.
func (w *world) moveOrUse(ctx context.Context, draw *rand.Rand, b *Binding) {
	switch draw.IntN(8) {
	case 0, 1, 2:
		w.moveConnection(ctx, draw, b)
	case 3:
		if err := w.node.core.Unbind(ctx, b.ID, b.Role); err == nil {
			w.unbound[b.ID] = true
		}
	case 4:
		w.endLeases(ctx)
	case 5:
		_ = w.rotate(ctx, b.ID, 30*time.Second)
	default:
		if w.unbound[b.ID] {
			w.bindMoved(ctx, b)
			return
		}
		w.read(ctx, b.ID, 30*time.Second)
	}
}
