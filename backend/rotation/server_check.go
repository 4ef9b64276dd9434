package rotation

import (
	"context"
	"time"
)

// serverCheck is what this process knows of the checks of an account. The record's lock guards it.
type serverCheck struct {
	held   time.Time          // the server is not looked at before
	cancel context.CancelFunc // ends the look that is under way; nil: none is
}

// giveWay ends a look that is under way, since the account has become due: its rotation does not wait for that.
func (s *serverCheck) giveWay(before, after *Account) {
	if s.cancel != nil && after != nil && after.Due != nil && (before == nil || before.Due == nil) {
		s.cancel()
	}
}
