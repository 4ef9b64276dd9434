package rotation

import (
	"sync/atomic"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// groupLook is what a process knows of the members of a group. The lock of the group's record guards it, but for what is atomic:
// members, which must not wait for the group, use that.
type groupLook struct {
	// changes counts the changes of the members, and agreed is the count at which all of them were seen to have the group's value.
	changes, agreed atomic.Uint64
	// record is the group's record, for the plans of its members.
	record atomic.Pointer[Account]

	seenChanges uint64    // the count of changes at the last look
	last, next  time.Time // the last look, and the next one if nothing changes; zero: none
	together    bool      // some members are to be sent the group's value in a joint request
}

// begun notes the beginning of a look at the members.
func (g *groupLook) begun(now time.Time) { g.last = now }

// done notes the end of a look at the members, as they were at that count of changes. rec is the group's record by now.
func (g *groupLook) done(changes uint64, plan protocol.Rollout, rec *Account) {
	g.seenChanges, g.next, g.together = changes, plan.Next, len(plan.Together) > 0
	if rec != nil && rec.Pending == nil && plan.Awaited == 0 {
		g.agreed.Store(changes)
	}
}

// nextLook is when the members are to be looked at; zero: when one of them changes.
func (g *groupLook) nextLook() time.Time {
	if g.seenChanges != g.changes.Load() {
		return g.last.Add(protocol.RolloutInterval)
	}
	return g.next
}

// disagree reports whether the members may not all have the group's value.
func (g *groupLook) disagree() bool { return g.changes.Load() != g.agreed.Load() }
