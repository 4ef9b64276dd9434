package protocol

import (
	"testing"
	"time"
)

// TestALeaseThatNobodyWasGivenIsTakenBack: it costs no reset where nobody knows the version, and one where
// somebody does.
func TestALeaseThatNobodyWasGivenIsTakenBack(t *testing.T) {
	issued := t0.Add(-time.Minute)
	granted := both(readAgo(time.Minute), func(a *Account) {
		a.Versions[0].Created = t0.Add(-time.Hour)
		a.Leases = map[string]Lease{"n": {Version: 1, Issued: issued, Expires: t0.Add(time.Minute)}}
	})
	other := func(a *Account) { a.Leases["m"] = Lease{Version: 1, Issued: t0, Expires: t0.Add(time.Minute)} }
	undisclosed := func(t *testing.T, a *Account) {
		is(t, "leases", len(a.Leases), 0)
		is(t, "due", a.Due, nil)
		is(t, "disclosed", a.Current().Disclosed.IsZero(), true)
		is(t, "until", a.Current().Until.IsZero(), true)
	}
	due := func(t *testing.T, a *Account) {
		is(t, "leases", len(a.Leases), 0)
		is(t, "due", *a.Due, Due{Since: t0, Reason: DueRevoked})
	}
	after := func(events ...Event) func(*Account) {
		return func(a *Account) {
			for _, ev := range events {
				if err := ev.apply(a); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	runTransitions(t, []transitionCase{
		{"nobody else was given the version", granted, LeaseWithdrawn{"n", t0}, nil, undisclosed},
		{"somebody else has a lease", both(granted, other), LeaseWithdrawn{"n", t0}, nil, func(t *testing.T, a *Account) {
			is(t, "leases", len(a.Leases), 1)
			is(t, "due", a.Due, nil)
			is(t, "disclosed", a.Current().Disclosed, t0)
		}},
		{"several are taken back", both(granted, other, after(LeaseWithdrawn{"n", t0})), LeaseWithdrawn{"m", t0}, nil, undisclosed},
		{"somebody had one that has ended", both(granted, other, after(LeaseRevoked{"m", t0})), LeaseWithdrawn{"n", t0}, nil, due},
		{"somebody was given it before", both(granted, readAgo(time.Hour)), LeaseWithdrawn{"n", t0}, nil, due},
		{"an operator has recorded the version", both(granted, func(a *Account) { a.Versions[0].Created = issued }), LeaseWithdrawn{"n", t0}, nil,
			due},
		{"a version that is not current any more", both(granted, second), LeaseWithdrawn{"n", t0}, nil, func(t *testing.T, a *Account) {
			is(t, "leases", len(a.Leases), 0)
			is(t, "due", a.Due, nil)
		}},
		{"an unknown one", granted, LeaseWithdrawn{"x", t0}, ErrNoChange, nil},
		{"of a group's batch", func(a *Account) {
			a.Pending = &Pending{Password: "two", Batch: "b", Disclosed: issued, Until: t0}
			a.Leases = map[string]Lease{"n": {Version: 2, Issued: issued, Expires: t0}}
		}, LeaseWithdrawn{"n", t0}, nil, func(t *testing.T, a *Account) {
			is(t, "disclosed", a.Pending.Disclosed.IsZero(), true)
			is(t, "leases", len(a.Leases), 0)
		}},
		{"of a group's batch that somebody knows", func(a *Account) {
			a.Pending = &Pending{Password: "two", Batch: "b", Disclosed: issued, Until: t0, Known: true}
			a.Leases = map[string]Lease{"n": {Version: 2, Issued: issued, Expires: t0}}
		}, LeaseWithdrawn{"n", t0}, nil, func(t *testing.T, a *Account) {
			is(t, "disclosed", a.Pending.Disclosed, issued)
		}},
	})
}
