package backend

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// viewAge is how long an answer of Vault about the mount's place in a cluster is used again.
const viewAge = time.Second

// mountView is Vault's view for one mount, which remembers what the framework asks before each operation: whether the
// request must be forwarded. Each of these questions is a round trip from the plugin to Vault, as long as a whole read
// without them. Vault sets a mount's backend up again when its node takes another part in the cluster, so the answers do
// not change while a backend lives; viewAge bounds what would happen if they did, and a failed question's false answer.
type mountView struct {
	logical.SystemView
	now         func() time.Time
	replication recent[consts.ReplicationState]
	local       recent[bool]
}

// ReplicationState is the part that the node takes in replication.
func (v *mountView) ReplicationState() consts.ReplicationState {
	return v.replication.get(v.now, v.SystemView.ReplicationState)
}

// LocalMount tells whether the mount is kept from replication.
func (v *mountView) LocalMount() bool { return v.local.get(v.now, v.SystemView.LocalMount) }

// forget has the next questions asked of Vault.
func (v *mountView) forget() {
	v.replication.known.Store(nil)
	v.local.known.Store(nil)
}

// WriteSafeReplicationState reports whether this node may write the mount's storage now, which decides about background
// work and is always asked of Vault.
func (b *backend) WriteSafeReplicationState() bool {
	if v, ok := b.System().(*mountView); ok {
		v.forget()
	}
	return b.Backend.WriteSafeReplicationState()
}

// recent is a value that is asked for again once it is older than viewAge.
type recent[T any] struct {
	known atomic.Pointer[dated[T]]
}

type dated[T any] struct {
	value T
	at    time.Time
}

// get may ask several times at once, when several requests find the value too old.
func (r *recent[T]) get(now func() time.Time, ask func() T) T {
	at := now() // before the question, so that its answer is never older than it seems
	if known := r.known.Load(); known != nil && at.Sub(known.at) < viewAge {
		return known.value
	}
	value := ask()
	r.known.Store(&dated[T]{value, at})
	return value
}
