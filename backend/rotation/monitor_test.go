package rotation

import (
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

func TestHappenings(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	version := func(n int, disclosed time.Time) Version {
		return Version{Number: n, Source: FromReset, Created: t0, Disclosed: disclosed, Change: Change{Begun: t0, Reason: protocol.DueManual}}
	}
	pending := func(unshown int, attempts ...string) *protocol.Pending {
		p := &protocol.Pending{Why: protocol.Due{Reason: protocol.DueSchedule}, Brake: protocol.Brake{Unshown: unshown}}
		for _, id := range attempts {
			p.Attempts = append(p.Attempts, protocol.Attempt{ID: id})
		}
		return p
	}
	shared := Settings{SharedPassword: true}
	for name, c := range map[string]struct {
		before, after Account
		want          []Happening
	}{
		"nothing": {},
		"rotated": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)}},
			after:  Account{LastVersion: 2, Versions: []Version{version(1, t0), version(2, time.Time{})}},
			want:   []Happening{{Kind: Rotated, Version: 2, Reason: protocol.DueManual}},
		},
		"imported": {
			after: Account{LastVersion: 1, Versions: []Version{{Number: 1, Source: FromImport}}},
		},
		"refused": {
			before: Account{Pending: pending(0, "a")},
			after:  Account{Pending: pending(0), Backoff: &protocol.Backoff{Failures: 1}},
			want:   []Happening{{Kind: Failed, Reason: protocol.DueSchedule, First: true}},
		},
		"refused again": {
			before: Account{Pending: pending(0, "a"), Backoff: &protocol.Backoff{Failures: 1}},
			after:  Account{Pending: pending(0), Backoff: &protocol.Backoff{Failures: 2}},
			want:   []Happening{{Kind: Failed, Reason: protocol.DueSchedule}},
		},
		"no answer": {
			before: Account{Pending: pending(0, "a")},
			after:  Account{Pending: pending(0, "a"), Backoff: &protocol.Backoff{Failures: 1}},
			want:   []Happening{{Kind: UnknownOutcome, Reason: protocol.DueSchedule, First: true}},
		},
		"not shown, and over": {
			before: Account{Pending: pending(0, "a")},
			after:  Account{Pending: pending(1), Backoff: &protocol.Backoff{Failures: 1}},
			want:   []Happening{{Kind: UnknownOutcome, Reason: protocol.DueSchedule, First: true}},
		},
		"a backoff that is only released": {
			before: Account{Pending: pending(0), Backoff: &protocol.Backoff{Failures: 1, NotBefore: t0}},
			after:  Account{Pending: pending(0), Backoff: &protocol.Backoff{Failures: 1}},
		},
		"gone": {
			after: Account{Gone: t0},
			want:  []Happening{{Kind: Gone}},
		},
		"checked": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)}, Check: &protocol.Check{Asked: t0}},
			after: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0, Of: 1, Version: 1, Result: protocol.CheckMatches}},
			want: []Happening{{Kind: Checked, Version: 1, Result: protocol.CheckMatches}},
		},
		"drifted": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0, Of: 1, Version: 1, Result: protocol.CheckMatches}},
			after: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0.Add(time.Hour), Of: 1, Result: protocol.CheckDiffers}},
			want: []Happening{{Kind: Checked, Version: 1, Result: protocol.CheckDiffers},
				{Kind: Drifted, Version: 1, Result: protocol.CheckDiffers}},
		},
		"still drifted": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0, Of: 1, Result: protocol.CheckDiffers}},
			after: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0.Add(time.Hour), Of: 1, Result: protocol.CheckLocked}},
			want: []Happening{{Kind: Checked, Version: 1, Result: protocol.CheckLocked}},
		},
		"a check that is asked for": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0, Of: 1, Result: protocol.CheckDiffers}},
			after: Account{LastVersion: 1, Versions: []Version{version(1, t0)},
				Check: &protocol.Check{Time: t0, Of: 1, Result: protocol.CheckDiffers, Asked: t0.Add(time.Hour)}},
		},
		"further leases of a version": {
			before: Account{Leases: map[string]Lease{"a": {}}, LastVersion: 1, Versions: []Version{version(1, t0)}},
			after:  Account{Leases: map[string]Lease{"b": {}, "c": {}}, LastVersion: 1, Versions: []Version{version(1, t0)}},
		},
		"two first leases in one write": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, time.Time{})}},
			after:  Account{Leases: map[string]Lease{"b": {}, "c": {}}, LastVersion: 1, Versions: []Version{version(1, t0)}},
			want:   []Happening{{Kind: Disclosed, Version: 1}},
		},
		"a new version, given at once": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, t0)}},
			after:  Account{LastVersion: 2, Versions: []Version{version(1, t0), version(2, t0)}},
			want:   []Happening{{Kind: Rotated, Version: 2, Reason: protocol.DueManual}, {Kind: Disclosed, Version: 2}},
		},
		"first disclosure under a lease": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, time.Time{})}},
			after:  Account{Leases: map[string]Lease{"b": {}}, LastVersion: 1, Versions: []Version{version(1, t0)}},
			want:   []Happening{{Kind: Disclosed, Version: 1}},
		},
		"first disclosure of a static version": {
			before: Account{LastVersion: 1, Versions: []Version{version(1, time.Time{})}},
			after:  Account{LastVersion: 1, Versions: []Version{version(1, t0)}},
			want:   []Happening{{Kind: Disclosed, Version: 1}},
		},
		"a member's disclosure, which its group tells": {
			before: Account{Settings: shared, LastVersion: 1, Versions: []Version{version(1, time.Time{})}},
			after:  Account{Settings: shared, LastVersion: 1, Versions: []Version{version(1, t0)}},
		},
	} {
		c.before.ID = ID{Connection: "prod", InstanceID: "srv-1", Username: "root"}
		c.after.ID, c.after.Role = c.before.ID, "web"
		for i := range c.want {
			c.want[i].ID, c.want[i].Role = c.after.ID, "web"
		}
		if got := happenings(&c.before, &c.after); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
