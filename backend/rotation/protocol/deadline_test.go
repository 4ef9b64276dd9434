package protocol

import (
	"strings"
	"testing"
	"time"
)

func TestNextExpiry(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(*Account)
		want time.Time
	}{
		{"nothing is disclosed", nil, time.Time{}},
		{"the version's deadline", readAgo(0), t0.Add(10*time.Minute + Slack)},
		{"the earliest lease", both(readAgo(0), holding("n", 1, 3*time.Minute), holding("m", 1, time.Minute)), t0.Add(time.Minute + Slack)},
		{"no deadline once the account is due", both(readAgo(0), due(DueRevoked)), time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			if c.from != nil {
				c.from(a)
			}
			is(t, "next expiry", a.NextExpiry(), c.want)
		})
	}
}

// TestWhenAnExclusiveLeaseEndsAtTheLatest: it may be renewed up to max_ttl, unless it cannot be renewed any more.
func TestWhenAnExclusiveLeaseEndsAtTheLatest(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(*Account)
		want time.Duration
	}{
		{"it may be renewed", both(readAgo(time.Minute), holding("n", 1, time.Minute)), 9*time.Minute + Slack},
		{"it has ended", both(readAgo(5*time.Minute), holding("n", 1, -time.Minute)), -time.Minute + Slack},
		{"of an older version", both(readAgo(time.Minute), holding("n", 1, time.Minute), second), time.Minute + Slack},
		{"the account is to rotate", both(readAgo(time.Minute), holding("n", 1, time.Minute), due(DueDeadline)), time.Minute + Slack},
		{"of two the later one", both(readAgo(time.Minute), holding("n", 1, -time.Minute), holding("m", 1, time.Minute)), 9*time.Minute + Slack},
	} {
		a := leasedAccount()
		both(exclusive, c.from)(a)
		err := a.CheckNotCheckedOut(t0)
		if err == nil || !strings.Contains(err.Error(), "until "+t0.Add(c.want).Format(time.RFC3339)+" at the latest") ||
			!strings.Contains(err.Error(), "rotate-role/web") {
			t.Errorf("%s: %v, want %s", c.name, err, t0.Add(c.want))
		}
	}
}
