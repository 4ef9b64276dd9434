package rotation

import (
	"context"
	"time"
)

// cleaning is what this process knows of the removal of an account's records at the cloud. The record's lock guards it.
type cleaning struct {
	held     time.Time          // nothing is removed before
	failures int                // in a row
	cancel   context.CancelFunc // ends the removal that is under way; nil: none is
}

// giveWay ends a removal that is under way, since the account has become due: its rotation does not wait for that.
func (c *cleaning) giveWay(before, after *Account) {
	if c.cancel != nil && after != nil && after.Due != nil && (before == nil || before.Due == nil) {
		c.cancel()
	}
}
