package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// transientDelay holds an account back after failures that left no trace in its record: they cost no write, and a restart simply
// tries again. The record's lock guards it.
type transientDelay struct {
	wait     protocol.Waiting // until when, and for what
	failures int              // in a row
	panics   int              // steps in a row that have panicked
	cause    hint.Text        // the last failure
}

// clear ends the delay.
func (d *transientDelay) clear() {
	d.failures, d.wait, d.cause = 0, protocol.Waiting{}, hint.Text{}
}

// hold holds the account back.
func (d *transientDelay) hold(until time.Time, cause protocol.Cause, err error) {
	d.wait, d.cause = protocol.Waiting{Until: until, Cause: cause}, hint.Of(err)
}
