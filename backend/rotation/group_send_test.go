package rotation

import (
	"slices"
	"testing"
	"time"
)

// TestAJointRequestKeepsTheEarliestTimes of all attempts that it is sent for, wherever they stand among them: others count the
// windows by these.
func TestAJointRequestKeepsTheEarliestTimes(t *testing.T) {
	of := func(instance string, sendBy, notAfter, expires time.Duration) *part {
		at := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return t0.Add(d)
		}
		rec := leasedAccount()
		rec.ID = ID{Connection: "conn", InstanceID: instance, Username: "root"}
		return &part{rec: rec, attempt: draft{sendBy: at(sendBy), notAfter: at(notAfter), expires: at(expires)}}
	}
	parts := []*part{of("i-1", 2*time.Second, 30*time.Second, 9*time.Minute), of("i-2", 4*time.Second, 10*time.Second, 0),
		of("i-3", time.Second, 20*time.Second, 8*time.Minute), of("i-4", 3*time.Second, 40*time.Second, 7*time.Minute)}
	for range parts {
		reset, sendBy := jointReset(parts, "value")
		is(t, "sent by", sendBy, t0.Add(time.Second))
		is(t, "not begun after", reset.NotAfter, t0.Add(10*time.Second))
		is(t, "expires", reset.Expires, t0.Add(7*time.Minute))
		is(t, "value", reset.Password, "value")
		var want []string
		for _, p := range parts {
			want = append(want, p.rec.InstanceID)
		}
		if !slices.Equal(reset.InstanceIDs, want) {
			t.Errorf("it is sent to %q, want %q", reset.InstanceIDs, want)
		}
		parts = append(parts[1:], parts[0])
	}
	for _, p := range parts {
		p.attempt.notAfter, p.attempt.expires = time.Time{}, time.Time{}
	}
	if reset, _ := jointReset(parts, "value"); !reset.NotAfter.IsZero() || !reset.Expires.IsZero() {
		t.Errorf("no attempt has such times, and the request has: not after %s, expires %s", reset.NotAfter, reset.Expires)
	}
}
