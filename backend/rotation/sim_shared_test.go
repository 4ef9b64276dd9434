package rotation

import (
	"context"
	"math/rand/v2"
	"sync"
)

// In a part of the random schedules two connections lead to one cloud account, and each has another user of one server.

// otherConnection leads to the same cloud as simConnection.
const otherConnection = "other"

// sharesServer chooses these schedules. Where each reset has a record of its own, nobody gets in another's way.
func sharesServer(seed uint64, method simMethod) bool {
	return seed%2 == 0 && (method == serialMethod || method == overlappingMethod)
}

// shareServer gives the first server a second user, by the other connection.
func (w *world) shareServer(draw *rand.Rand) {
	s := randomSettings(draw)
	s.Source, s.ClearInitial = FromReset, false // the cloud has root's initial password only
	w.bindUser(ID{Connection: otherConnection, InstanceID: w.specs[0].InstanceID, Username: "ubuntu"}, "other", s)
	w.shared = true
}

// rotateUsers is an operator's word about the other users of an account's server, at the same time.
func (w *world) rotateUsers(ctx context.Context, clients *sync.WaitGroup, id ID) {
	for _, user := range w.cloud.servers[id.InstanceID].users {
		if other := user.account; other != id {
			clients.Go(func() { _ = w.rotate(ctx, other, 0) })
		}
	}
}

// deafen lets a connection's requests go unanswered, but for resets, or no connection's any more.
func (w *world) deafen(draw *rand.Rand, connection string) {
	if draw.IntN(2) == 0 {
		connection = ""
	}
	w.cloud.locked(func() { w.cloud.deaf = connection })
	w.tracef("the cloud is deaf to connection %q", connection)
}
