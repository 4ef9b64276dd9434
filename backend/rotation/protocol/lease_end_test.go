package protocol

import (
	"testing"
	"time"
)

func TestRule12Deadlines(t *testing.T) {
	runTransitions(t, []transitionCase{
		{"a lease that Vault lost ends after its slack, and the account is due", both(readAgo(time.Minute), holding("n", 1, -Slack)),
			LeasesExpired{t0}, nil, func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 0)
				is(t, "reason", a.Due.Reason, DueDeadline)
			}},
		{"not before", both(readAgo(time.Minute), holding("n", 1, -Slack+time.Nanosecond)), LeasesExpired{t0}, ErrNoChange, nil},
		{"a version ends after max_ttl and slack, whatever leases live", both(readAgo(12*time.Minute), holding("n", 1, time.Minute)),
			LeasesExpired{t0}, nil, func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 1)
				is(t, "reason", a.Due.Reason, DueDeadline)
			}},
		{"not before", readAgo(12*time.Minute - time.Nanosecond), LeasesExpired{t0}, ErrNoChange, nil},
		{"an account that is due already stays so", both(readAgo(time.Hour), due(DueRevoked)), LeasesExpired{t0}, ErrNoChange, nil},
		{"a lost lease of an older version ends quietly", both(holding("n", 1, -Slack), second), LeasesExpired{t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 0)
				is(t, "due", a.Due, nil)
			}},
	})
}

func TestRule13Revocations(t *testing.T) {
	runTransitions(t, []transitionCase{
		{"the last lease of the current version makes the account due", both(readAgo(time.Minute), holding("n", 1, time.Minute)),
			LeaseRevoked{"n", t0}, nil, func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 0)
				is(t, "due", *a.Due, Due{Since: t0, Reason: DueRevoked})
			}},
		{"another one of it does not", both(holding("n", 1, time.Minute), holding("m", 1, time.Minute)), LeaseRevoked{"n", t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 1)
				is(t, "due", a.Due, nil)
			}},
		{"one of an older version does not", both(holding("n", 1, time.Minute), second), LeaseRevoked{"n", t0}, nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due, nil) }},
		{"a lease of an older version does not keep the current one", both(holding("old", 1, time.Minute), second, holding("n", 2, time.Minute)),
			LeaseRevoked{"n", t0}, nil, func(t *testing.T, a *Account) {
				is(t, "reason", a.Due.Reason, DueRevoked)
			}},
		{"an unknown nonce changes nothing", holding("n", 1, time.Minute), LeaseRevoked{"m", t0}, ErrNoChange, nil},
		{"during a rotation too", both(rotating(sent("a")), holding("n", 1, time.Minute)), LeaseRevoked{"n", t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "leases", len(a.Leases), 0)
				is(t, "pending", a.Pending.Password, "two")
			}},
		{"it turns a reason that allows reading into one that does not", both(due(DueManual), holding("n", 1, time.Minute)),
			LeaseRevoked{"n", t0}, nil, func(t *testing.T, a *Account) {
				is(t, "reason", a.Due.Reason, DueRevoked)
			}},
	})
}
