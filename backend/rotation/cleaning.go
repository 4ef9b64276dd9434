package rotation

import (
	"context"
	"time"
)

// cleaning is what this process knows of the removal of an account's records at the cloud. The record's lock guards it.
type cleaning struct {
	held     time.Time          // nothing is removed before
	failures int                // in a row
	passed   int                // how many times a record could not be removed yet
	cancel   context.CancelFunc // ends the removal that is under way; nil: none is
}

// observe follows the account's record. A removal that is under way is ended if the account has become due: its rotation does not
// wait for that. And a new record to remove does not wait until others can be removed.
func (c *cleaning) observe(before, after *Account) {
	if before != nil && after != nil && len(after.Leftovers) > len(before.Leftovers) {
		c.failures, c.held = 0, time.Time{}
	}
	if c.cancel != nil && after != nil && after.Due != nil && (before == nil || before.Due == nil) {
		c.cancel()
	}
}
