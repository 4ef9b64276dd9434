package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// simReaders are the roles to whose readers each password was given, and those passwords that an operator
// recorded, which may be given to any role that the account had then or gets later.
type simReaders struct {
	roles    map[string]map[string]bool
	recorded map[string]bool
}

func newSimReaders() simReaders {
	return simReaders{roles: map[string]map[string]bool{}, recorded: map[string]bool{}}
}

// roleOf is the role that an account has or should have.
func (w *world) roleOf(id ID) string {
	for _, b := range w.specs {
		if b.ID == id {
			return b.Role
		}
	}
	return ""
}

// checkReaders checks who knows what is given to readers of a role.
func (w *world) checkReaders(role string, answer *Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value := answer.Version.Password
	if w.readers.roles[value] == nil {
		w.readers.roles[value] = map[string]bool{}
	}
	w.readers.roles[value][role] = true
	if len(w.readers.roles[value]) > 1 && !w.readers.recorded[value] {
		w.lockedViolation("I16", "readers of role %s were given %s of %s, which those of another role know", role, value, answer.ID.InstanceID)
	}
}

// moveRole has an account moved to another role: with an operator's word or, which must be refused, without it.
func (w *world) moveRole(ctx context.Context, draw *rand.Rand, b *Binding) {
	next := *b
	next.Role = fmt.Sprintf("role%d", draw.IntN(3))
	word := draw.IntN(3) > 0
	if word {
		_, err := w.node.core.Move(ctx, b.ID, next.Role)
		w.tracef("an operator says that %s may move to %s: %v", b.InstanceID, next.Role, err)
	}
	before := w.record(b.ID)
	_, err := w.node.core.Bind(ctx, next)
	w.tracef("%s is bound to %s: %v", b.InstanceID, next.Role, err)
	after := w.record(b.ID)
	if after == nil || after.Role != next.Role {
		return
	}
	if before != nil && before.Owner() != "" && before.Owner() != next.Role && before.MoveTo != next.Role {
		w.violation("I16", "%s came from %s to %s without an operator's word", b.InstanceID, before.Owner(), next.Role)
	}
	if before != nil && before.Owner() != "" && before.Owner() != next.Role {
		w.mu.Lock()
		for _, l := range w.leases { // Vault still has them, and nobody counts them
			if l.ref.ID == b.ID {
				l.ended, l.lost = true, true
			}
		}
		w.mu.Unlock()
	}
	b.Role = next.Role
	w.unbound[b.ID] = false
}

// TestReadersOfTwoRolesNeverKnowOneValue moves an account between roles, over and over, with reads, ends of
// leases, unbindings and crashes between.
func TestReadersOfTwoRolesNeverKnowOneValue(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			draw := rand.New(rand.NewPCG(seed, 23))
			o, method := profile(seed)
			w := newWorld(t, seed, method, o)
			w.faulty.Store(true)
			w.start()
			w.bind(randomSettings(draw))
			w.ensureBound(ctx)
			b := &w.specs[0]
			for range 40 {
				switch draw.IntN(6) {
				case 0, 1:
					w.moveRole(ctx, draw, b)
				case 2:
					if err := w.node.core.Unbind(ctx, b.ID, b.Role); err == nil {
						w.unbound[b.ID] = true
					}
				case 3:
					w.endLeases(ctx)
				default:
					if !w.unbound[b.ID] {
						w.read(ctx, b.ID, 30*time.Second)
					}
				}
				w.recoverNode()
				pass(time.Duration(draw.IntN(int(time.Minute))))
				w.recoverNode()
			}
			w.converge(ctx)
			w.node.core.Stop()
			pass(time.Minute)
			if len(w.violations()) > 0 {
				w.fail(t, "moves between roles")
			}
		})
	}
}
