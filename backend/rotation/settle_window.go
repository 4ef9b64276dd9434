package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// settleWindow is the time after which nothing that an attempt sent can take effect any more
// (rule 10), counted from when the attempt was first seen: the time it may wait to be signed and
// sent, the exchange itself, the life of its signature, and the operation where the cloud does not
// order it with the next one: that of another method (barrier) it never orders.
func settleWindow(t cloud.ResetTraits, barrier bool, v *Connection) time.Duration {
	w := sendPatience(v) + v.RequestTimeout + t.SignatureLifetime + protocol.ClockSkew
	if !t.Serial || barrier {
		w += t.LongestOperation
	}
	return w
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
