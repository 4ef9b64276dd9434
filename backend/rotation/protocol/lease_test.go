package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// owned gives an account leases of an owner, the first of which ends in a time.
func owned(owner string, n int, left time.Duration) func(*Account) {
	return func(a *Account) {
		if a.Leases == nil {
			a.Leases = map[string]Lease{}
		}
		for i := range n {
			a.Leases[fmt.Sprint(owner, i, left)] = Lease{Version: 1, Issued: t0.Add(-time.Minute),
				Expires: t0.Add(left + time.Duration(i)*time.Second), Owner: owner}
		}
	}
}

func TestOneReaderCannotUseUpAllLeases(t *testing.T) {
	read := func(owner string) VersionDisclosed {
		return VersionDisclosed{Reader: Reader{Owner: owner}, Nonce: "n", At: t0, Grant: &Grant{}}
	}
	isOwned := func(t *testing.T, a *Account) { is(t, "owner", a.Leases["n"].Owner, "e") }
	runTransitions(t, []transitionCase{
		{"one less than its bound", both(readAgo(time.Minute), owned("e", maxLeasesOfOwner-1, time.Minute)), read("e"), nil, isOwned},
		{"as many as its bound", both(readAgo(time.Minute), owned("e", maxLeasesOfOwner, time.Minute)), read("e"), NotReadable, nil},
		{"another reader meanwhile", both(readAgo(time.Minute), owned("f", maxLeasesOfOwner, time.Minute)), read("e"), nil, isOwned},
		{"leases that have ended do not count", both(readAgo(time.Minute), owned("e", maxLeasesOfOwner, -time.Minute)), read("e"), nil, isOwned},
		{"a lease of an older version counts", both(owned("e", maxLeasesOfOwner, time.Minute), second), read("e"), NotReadable, nil},
		{"nobody knows whose they are", both(readAgo(time.Minute), owned("", maxLeasesOfOwner, time.Minute)), read(""), nil, nil},
		{"an early reader of a group's batch", both(owned("e", maxLeasesOfOwner, time.Minute), func(a *Account) {
			a.Pending = &Pending{Password: "two", Batch: "b"}
		}), MemberDisclosed{Batch: "b", VersionDisclosed: read("e")}, NotReadable, nil},
	})
	a := leasedAccount()
	both(readAgo(time.Minute), owned("e", maxLeasesOfOwner, time.Minute))(a)
	_, err := Transition(a, read("e"))
	for _, says := range []string{"50 live leases", "renew", "vault lease revoke", t0.Add(time.Minute).Format(time.RFC3339)} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

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

func TestAnOperatorsRotationEndsTheLeasesOfOlderVersions(t *testing.T) {
	rotated := OperationObserved{Record: operationSucceeded("op"), At: t0}
	forced := func(a *Account) { a.Due.Forced = true }
	lost := holding("lost", 1, 24*time.Hour)
	runTransitions(t, []transitionCase{
		{"that an operator has asked for", both(exclusive, lost, rotating(acknowledged("a", "op")), forced), rotated, nil,
			func(t *testing.T, a *Account) {
				is(t, "version", a.Current().Number, 2)
				is(t, "leases", len(a.Leases), 0)
				if err := a.CheckNotCheckedOut(t0); err != nil {
					t.Error(err)
				}
			}},
		{"that nobody has asked for", both(exclusive, lost, rotating(acknowledged("a", "op"))), rotated, nil, func(t *testing.T, a *Account) {
			is(t, "leases", len(a.Leases), 1)
		}},
		{"of a group, whose batch was handed out early", both(holding("lost", 1, time.Hour), holding("early", 2, time.Hour), func(a *Account) {
			a.Due = &Due{Reason: DueManual, Forced: true}
			a.Pending = &Pending{Password: "two", Batch: "b", Disclosed: t0, Until: t0.Add(time.Hour)}
		}), BatchConfirmed{Batch: "b", At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "leases", len(a.Leases), 1)
			is(t, "the early one", a.Leases["early"].Version, 2)
		}},
	})
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

func operationSucceeded(id string) cloud.ResetRecord {
	return cloud.ResetRecord{OperationID: id, State: cloud.OperationSuccess}
}
