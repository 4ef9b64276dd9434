package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"
)

// simUser is a user of a server, whichever connection has its account.
type simUser struct{ instance, name string }

// names are those that an account can have: one at each connection.
func names(id ID) [2]ID {
	here, there := id, id
	here.Connection, there.Connection = simConnection, otherConnection
	return [2]ID{here, there}
}

// elsewhere is the account's name at the other connection.
func elsewhere(id ID) ID {
	all := names(id)
	if id == all[0] {
		return all[1]
	}
	return all[0]
}

// keeps reports whether storage has a password of an account, at whichever connection.
func (w *world) keeps(id ID, password string) bool {
	all := names(id)
	return w.disk.holds(accountKey(all[0]), password) || w.disk.holds(accountKey(all[1]), password)
}

// liveOf is the one record of an account that counts, at whichever connection.
func (w *world) liveOf(id ID) *Account {
	var left *Account
	for _, name := range names(id) {
		switch a := w.record(name); {
		case a != nil && a.Successor == nil:
			return a
		case a != nil:
			left = a.Continued()
		}
	}
	return left
}

// checkMoves checks I20 at a change of an account's record.
func (w *world) checkMoves(id ID, before, after *Account) {
	there := w.record(elsewhere(id))
	switch {
	case after == nil || there == nil:
	case after.Successor == nil && there.Successor == nil:
		w.violation("I20", "%s is live at both connections: %s and %s", id.InstanceID, describe(after), describe(there))
	case before == nil && !reflect.DeepEqual(after.Versions, there.Continued().Versions):
		w.violation("I20", "%s does not go on with all its versions: %s", id, describe(after))
	case before == nil:
		w.cloud.locked(func() { w.cloud.of(id).account = id })
	}
	a := w.liveOf(id)
	_, byHand, _ := w.server(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	user, number := simUser{id.InstanceID, id.Username}, 0
	if a != nil {
		number = a.LastVersion
	}
	if number < w.numbers[user] && !(a == nil && byHand) {
		w.lockedViolation("I20", "version %d of %s is lost: %s", w.numbers[user], id, describe(a))
	}
	w.numbers[user] = number
}

// moveConnection has an account go on at the other connection, and binds a role to it there.
func (w *world) moveConnection(ctx context.Context, draw *rand.Rand, b *Binding) {
	role, word := b.Role, ""
	if draw.IntN(2) == 0 {
		role = fmt.Sprintf("role%d", draw.IntN(3))
		word = role
	}
	if w.tryMove(ctx, b, word) {
		b.Role = role
		w.bindMoved(ctx, b)
	}
}

// tryMove has an account go on at the other connection, and reports whether it does, whatever the answer was.
func (w *world) tryMove(ctx context.Context, b *Binding, role string) bool {
	old, next := b.ID, elsewhere(b.ID)
	before := w.record(old)
	_, err := w.node.core.MoveTo(ctx, old, next.Connection, role, b.Facts)
	w.tracef("%s goes on as %s: %v", old, next, err)
	if left := w.record(old); before == nil || left != nil && left.Successor == nil || left == nil && w.record(next) == nil {
		return false
	}
	if before.Due == nil && before.Current() != nil && len(before.Leases) > 0 {
		w.expect(old)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.leases { // nobody counts them
		if l.ref.ID == old {
			l.ended, l.lost = true, true
		}
	}
	w.asked[next], w.words[next], w.expected[next], w.ticks[next] = w.asked[old], w.words[old], w.expected[old], w.ticks[old]
	w.unbound[next] = true
	b.ID = next
	return true
}

// bindMoved binds the account's role to it under its new name.
func (w *world) bindMoved(ctx context.Context, b *Binding) {
	_, err := w.node.core.Bind(ctx, *b)
	w.tracef("%s is bound to %s: %v", b.ID, b.Role, err)
	a := w.record(b.ID)
	w.unbound[b.ID] = a == nil || a.Role != b.Role
}

// insistOnMove repeats a move to the other connection until it is made and the role has the account there.
func (w *world) insistOnMove(ctx context.Context, b *Binding) {
	moved := false
	for range 200 {
		if !moved {
			moved = w.tryMove(ctx, b, "")
			w.recoverNode()
		}
		if moved {
			w.bindMoved(ctx, b)
			w.recoverNode()
			if !w.unbound[b.ID] {
				return
			}
		}
		pass(31 * time.Second)
		w.endLeases(ctx)
	}
	w.violation("I8", "%s cannot go on at the other connection: %s", b.ID, describe(w.liveOf(b.ID)))
}
