package rotation

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// exclusiveWorld has a role with a shared, exclusive password of two servers, which somebody has.
func exclusiveWorld(t *testing.T, method simMethod) (w *world, members []ID, first *simLease) {
	t.Helper()
	s := with(sharedSettings(), func(s *Settings) { s.Checkout = Exclusive })
	w, members = sharedWorld(t, method, 2, s)
	if first = w.readShared(t.Context(), nil, 10*time.Minute); first == nil {
		t.Fatal("the role's password cannot be read")
	}
	return w, members, first
}

// refusedExclusively says that neither the role's password nor any of its members' is handed out.
func (w *world) refusedExclusively(t *testing.T, when string, members ...ID) {
	t.Helper()
	for _, id := range members {
		_, err := w.node.core.ReadMember(w.client(t.Context()), id, Reader{}, 0)
		var not *Error
		if !errors.As(err, &not) || not.Kind != Conflict {
			t.Errorf("%s, while somebody has the password exclusively, %s: %v", when, id, err)
		}
	}
}

// until passes time until something holds.
func (w *world) until(t *testing.T, what string, holds func(g *Account) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); !holds(w.record(GroupID("conn", simRole))); pass(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("%s: %s", what, describe(w.record(GroupID("conn", simRole))))
		}
	}
}

// TestOperatorsRotationFreesAnExclusiveGroup: the word ends the older lease when the group agrees. A member that has
// the new value before that is not handed out, and the group comes to rest afterwards.
func TestOperatorsRotationFreesAnExclusiveGroup(t *testing.T) {
	clouds(t, func(t *testing.T, method simMethod) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			w, members, first := exclusiveWorld(t, method)
			w.guests(members[:1], func(s *simServer) { s.hangs = true })
			w.rotateRole(ctx)
			w.refusedExclusively(t, "before it begins", members...)
			w.until(t, "the batch does not come to the member that works", func(g *Account) bool {
				return g.Pending != nil && w.record(members[1]).Confirmed(g.Pending.Batch)
			})
			w.refusedExclusively(t, "while the batch is under way", members[1])
			w.until(t, "the group does not agree", func(g *Account) bool { return g.LastVersion == 2 })
			second := w.readShared(ctx, &members[1], 0)
			if second == nil || second.password == first.password {
				t.Fatalf("after the operator's rotation: %+v", second)
			}
			w.refusedExclusively(t, "after it", members[1])
			if _, _, err := w.node.core.Renew(ctx, first.ref, first.issued, time.Hour); err == nil {
				t.Error("the older lease can be renewed")
			}
			w.revoke(ctx, first) // Vault still has it
			if g := w.record(GroupID("conn", simRole)); g.Due != nil || len(g.Leases) != 1 {
				t.Errorf("the older lease's end: %s", describe(g))
			}
			w.convergeGroup(ctx, members)
			if g := w.record(GroupID("conn", simRole)); len(g.Leases) != 0 || g.Current().Password == second.password {
				t.Errorf("at rest: %s", describe(g))
			}
			w.leave(t)
		})
	})
}

// rotateUnasked has the group rotated without an operator's word, to the end.
func (w *world) rotateUnasked(t *testing.T) {
	t.Helper()
	if err := w.node.core.RotateNew(t.Context(), GroupID("conn", simRole)); err != nil {
		t.Fatal(err)
	}
	w.until(t, "the group does not agree", func(g *Account) bool { return g.LastVersion == 2 })
}

// TestNoOtherRotationFreesAnExclusiveGroup: who has the older version exclusively keeps the others out.
func TestNoOtherRotationFreesAnExclusiveGroup(t *testing.T) {
	clouds(t, func(t *testing.T, method simMethod) {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			w, members, first := exclusiveWorld(t, method)
			w.rotateUnasked(t)
			w.refusedExclusively(t, "after a rotation that nobody has asked for", members...)
			w.revoke(ctx, first)
			if w.readShared(ctx, &members[1], 0) == nil {
				t.Error("after the older lease's end: not readable")
			}
			w.convergeGroup(ctx, members)
			w.leave(t)
		})
	})
}

// TestAnEarlierWordFreesNoExclusiveGroup: an operator's rotation has ended the lease of a version before. It says nothing
// of who has a later version exclusively.
func TestAnEarlierWordFreesNoExclusiveGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w, members, first := exclusiveWorld(t, serialMethod)
		w.revoke(ctx, first)
		w.until(t, "no new version", func(g *Account) bool { return g.LastVersion == 2 })
		w.rotateRole(ctx)
		w.until(t, "the group does not agree", func(g *Account) bool { return g.LastVersion == 3 })
		second := w.readShared(ctx, nil, time.Minute)
		if second == nil {
			t.Fatal("not readable")
		}
		if err := w.node.core.RotateNew(ctx, GroupID("conn", simRole)); err != nil {
			t.Fatal(err)
		}
		w.until(t, "the group does not agree", func(g *Account) bool { return g.LastVersion == 4 })
		w.refusedExclusively(t, "after a rotation that nobody has asked for", members...)
		w.revoke(ctx, second)
		w.convergeGroup(ctx, members)
		w.leave(t)
	})
}
