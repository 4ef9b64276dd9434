package protocol

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The rules of handing out and ending, by number; see the package's doc comment.

// rotatedOnRead makes an account that has been read static, with rotate_on_read and a cooldown of an hour.
func rotatedOnRead(lastReset time.Duration) func(*Account) {
	return both(readAgo(time.Minute), func(a *Account) {
		a.Settings = with(staticSettings(), func(s *Settings) { s.RotateOnRead, s.RotateOnReadCooldown = true, time.Hour })
		a.LastReset = t0.Add(lastReset)
	})
}

func TestRule11Reads(t *testing.T) {
	grant := &Grant{}
	read := VersionDisclosed{Nonce: "n", At: t0, Grant: grant}
	runTransitions(t, []transitionCase{
		{"the first read discloses the version, for max_ttl, and holds a nonce", nil, read, nil, func(t *testing.T, a *Account) {
			is(t, "disclosed", a.Current().Disclosed, t0)
			is(t, "until", a.Current().Until, t0.Add(10*time.Minute))
			is(t, "lease", a.Leases["n"], Lease{Version: 1, Issued: t0, Expires: t0.Add(2 * time.Minute)})
			is(t, "grant", *grant, Grant{Nonce: "n", TTL: 2 * time.Minute, MaxTTL: 10 * time.Minute})
		}},
		{"a later read gets what is left of max_ttl", readAgo(9 * time.Minute), read, nil, func(t *testing.T, a *Account) {
			is(t, "until", a.Current().Until, t0.Add(time.Minute))
			is(t, "grant", *grant, Grant{Nonce: "n", TTL: time.Minute, MaxTTL: time.Minute})
		}},
		{"with under a tenth of ttl left it is not given out", readAgo(10*time.Minute - 11*time.Second), read, NotReadable, nil},
		{"with a tenth left it is", readAgo(10*time.Minute - 12*time.Second), read, nil, nil},
		{"with a short ttl a whole second must be left", both(func(a *Account) { a.Settings.TTL = 5 * time.Second },
			readAgo(10*time.Minute-900*time.Millisecond)), read, NotReadable, nil},
		{"not with a pending", rotating(), read, NotReadable, nil},
		{"not while due for a reason that forbids it", due(DueDeadline), read, NotReadable, nil},
		{"while due for another reason", due(DueManual), read, nil, nil},
		{"not of an instance that is gone", func(a *Account) { a.Gone = t0 }, read, NotFound, nil},
		{"not without a version", func(a *Account) { a.Versions = nil }, read, NotReadable, nil},
		{"while old_unresolved waits", func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }, read, nil, nil},
		{"exclusive: not while any version's lease lives", both(exclusive, holding("old", 1, time.Minute), second), read, Conflict, nil},
		{"exclusive: freely otherwise", exclusive, read, nil, nil},
		{"rotate_on_read: not within the cooldown", rotatedOnRead(-59 * time.Minute), read, ErrNoChange, nil},
		{"rotate_on_read: after it", rotatedOnRead(-time.Hour), read, nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueRead) }},
		{"rotate_on_read: a reset to come speaks of a clock that was set back", rotatedOnRead(24 * time.Hour), read, nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueRead) }},
		{"12: at most maxLeases live nonces", func(a *Account) {
			for i := range maxLeases {
				holding(fmt.Sprint(i), 1, time.Minute)(a)
			}
		}, read, NotReadable, nil},
		{"static: the first read is recorded", func(a *Account) { a.Settings = staticSettings() }, read, nil, func(t *testing.T, a *Account) {
			is(t, "disclosed", a.Current().Disclosed, t0)
			is(t, "leases", len(a.Leases), 0)
		}},
		{"static: a further read changes nothing", both(func(a *Account) { a.Settings = staticSettings() }, readAgo(time.Hour)), read,
			ErrNoChange, nil},
	})
}

// TestWhatAReaderIsTold: why an account that is to rotate does not, and when another try makes sense.
func TestWhatAReaderIsTold(t *testing.T) {
	nightly := func(a *Account) { a.Settings.Cron, a.Settings.Window = "0 3 * * *", time.Hour }
	forced := func(a *Account) { a.Due.Forced = true }
	spaced := func(a *Account) { a.Settings.MinResetInterval, a.LastReset = time.Hour, t0.Add(-10*time.Minute) }
	for _, c := range []struct {
		name string
		from func(*Account)
		says string // "": nothing of a window
		in   time.Duration
	}{
		{"due", due(DueRevoked), "", retryInterval},
		{"due, the window is shut", both(nightly, due(DueRevoked)), "which the rotation window allows from 2026-03-02T03:00:00Z on",
			15 * time.Hour},
		{"due, an operator has overridden it", both(nightly, due(DueRevoked), forced), "", retryInterval},
		{"due, too soon after the last reset", both(spaced, due(DueRevoked)), "which min_reset_interval allows in 50m0s", 50 * time.Minute},
		{"rotating", both(nightly, rotating(acknowledged("a", "op"))), "", retryInterval},
		{"rotating, the next try waits", both(nightly, rotating(sent("a"))),
			"the rotation window allows the next try from 2026-03-02T03:00:00Z on", 15 * time.Hour},
		{"rotating, an operator has overridden it", both(nightly, rotating(sent("a")), forced), "", retryInterval},
	} {
		a := leasedAccount()
		c.from(a)
		var told *Error
		if err := a.CheckReadable(t0); !errors.As(err, &told) {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !strings.Contains(told.Error(), c.says) || c.says == "" && strings.Contains(told.Error(), "window") {
			t.Errorf("%s: %s", c.name, told.Message)
		}
		is(t, c.name, told.RetryAfter, c.in)
	}
}

func TestRule12Renewals(t *testing.T) {
	var grant Grant
	held := both(readAgo(time.Minute), holding("n", 1, time.Minute))
	renewal := func(increment, issuedAgo time.Duration) LeaseRenewed {
		return LeaseRenewed{Lease: LeaseRef{Version: 1, Nonce: "n"}, Issued: t0.Add(-issuedAgo), Increment: increment, At: t0, Grant: &grant}
	}
	runTransitions(t, []transitionCase{
		{"the ttl again", held, renewal(0, time.Minute), nil, func(t *testing.T, a *Account) {
			is(t, "expires", a.Leases["n"].Expires, t0.Add(2*time.Minute))
			is(t, "ttl", grant.TTL, 2*time.Minute)
			is(t, "max ttl from the issue", grant.MaxTTL, 10*time.Minute)
		}},
		{"the client's increment beats the ttl", held, renewal(5*time.Minute, time.Minute), nil, func(t *testing.T, a *Account) {
			is(t, "expires", a.Leases["n"].Expires, t0.Add(5*time.Minute))
		}},
		{"nothing beats the end of the disclosure", held, renewal(time.Hour, time.Minute), nil, func(t *testing.T, a *Account) {
			is(t, "expires", a.Leases["n"].Expires, t0.Add(9*time.Minute))
		}},
		{"the maximum counts from when Vault issued the lease", held, renewal(0, 20*time.Second), nil, func(t *testing.T, _ *Account) {
			is(t, "max ttl", grant.MaxTTL, 9*time.Minute+20*time.Second)
		}},
		{"a lease is never shortened", both(readAgo(time.Minute), holding("n", 1, 8*time.Minute)), renewal(0, time.Minute), ErrNoChange, nil},
		{"not past the end", both(readAgo(10*time.Minute), holding("n", 1, time.Minute)), renewal(0, time.Minute), Invalid, nil},
		{"not an unknown lease", nil, renewal(0, 0), Invalid, nil},
		{"not a version that is not current", both(held, second), renewal(0, 0), Invalid, nil},
		{"not during a rotation", both(held, rotating()), renewal(0, 0), Invalid, nil},
		{"not when the account is to rotate", both(held, due(DueDeadline)), renewal(0, 0), Invalid, nil},
	})
}

// TestAnAccountThatLeavesItsRoleIsNotReadThroughIt: also if it leaves between the path's look and the write.
func TestAnAccountThatLeavesItsRoleIsNotReadThroughIt(t *testing.T) {
	for name, settings := range map[string]Settings{"leased": leasedSettings(), "static": staticSettings()} {
		a := leasedAccount()
		a.Settings = settings
		readAgo(time.Minute)(a)
		read := VersionDisclosed{Nonce: "n", At: t0, Grant: &Grant{}}
		for role, allowed := range map[string]bool{"": true, a.Role: true, "other": false} {
			read.Role = role
			_, err := Transition(a, read)
			if refused := err != nil && !IsNoChange(err); refused == allowed {
				t.Errorf("%s, through %q: %v", name, role, err)
			}
			is(t, name+" nothing new through "+role, read.NothingNew(a), allowed && name == "static")
		}
	}
}

// TestALeaseOfAnOlderVersionIsNotRenewed: not after the next version is disclosed either, whose end is later.
func TestALeaseOfAnOlderVersionIsNotRenewed(t *testing.T) {
	a := leasedAccount()
	both(readAgo(time.Minute), holding("old", 1, time.Minute), second, func(a *Account) {
		cur := a.Current()
		cur.Disclosed, cur.Until = t0, t0.Add(a.Settings.MaxTTL)
	}, holding("new", 2, time.Minute))(a)
	for nonce, renewable := range map[string]bool{"old": false, "new": true} {
		var grant Grant
		_, err := Transition(a, LeaseRenewed{Lease: LeaseRef{Nonce: nonce}, Issued: t0.Add(-time.Minute), At: t0, Grant: &grant})
		if (err == nil) != renewable {
			t.Errorf("%s: %v", nonce, err)
		}
	}
}
