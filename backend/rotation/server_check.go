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

// giveWay ends a look that is under way: since the account has become due, as its rotation does not wait for that, or since somebody
// has recorded another password, as the one that the look has with it is an old one then, which must not be tried any more.
func (s *serverCheck) giveWay(before, after *Account) {
	if s.cancel == nil || after == nil {
		return
	}
	if after.Due != nil && (before == nil || before.Due == nil) || before != nil && tryValue(before) != tryValue(after) {
		s.cancel()
	}
}

// tryValue is the password that a login has with it.
func tryValue(a *Account) string {
	value, _ := a.TryValue()
	return value
}
