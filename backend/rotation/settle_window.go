package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// settleWindow is the time after which nothing that an attempt sent can take effect any more
// (rule 10), counted from when the attempt was first seen: the time it may wait to be signed and
// sent, the exchange itself, the life of its signature, and the operation where the cloud does not
// order it with the next one: that of another method (barrier) it never orders. A request whose expiry was fixed
// beforehand, by the cloud's own clock, is accepted no later however long it waits and whatever our clocks do. Where the server
// keeps the order of values it is the deadline after which that refuses them, by clocks of which the server's may be behind and
// this one's have been ahead (rule 19).
func settleWindow(t cloud.ResetTraits, bound cloud.ResetBound, barrier bool, v *Connection) time.Duration {
	if t.KeepsOrder {
		return max(cloud.OrderDeadline+t.LongestOperation, sendPatience(v)+v.RequestTimeout) + protocol.ClockSkew
	}
	w := sendPatience(v) + v.RequestTimeout + t.SignatureLifetime + protocol.ClockSkew
	if !bound.Expires.IsZero() {
		w = bound.Within
	}
	if !t.Serial || barrier {
		w += t.LongestOperation
	}
	return w
}

// boundOf has a request's expiry fixed, where the reset method can do so now. It must be asked before the attempt is recorded:
// another node counts the window from then.
func boundOf(r cloud.PasswordResetter, v *Connection) cloud.ResetBound {
	if b, ok := r.(cloud.ResetBounder); ok {
		return b.BoundReset(sendPatience(v) + v.RequestTimeout)
	}
	return cloud.ResetBound{}
}

// sendPatience is how long an attempt may take from before it is recorded, and wait for the connection's
// limiter, until it is signed. Past it the request is not sent any more.
func sendPatience(v *Connection) time.Duration {
	patience := limiterTimeout
	if v.RequestsPerSecond > 0 {
		patience += time.Duration(2 / v.RequestsPerSecond * float64(time.Second))
	}
	return patience
}

// limiterTimeout is how long a background request waits for the connection's limiter.
const limiterTimeout = 30 * time.Second
