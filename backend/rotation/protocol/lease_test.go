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

func operationSucceeded(id string) cloud.ResetRecord {
	return cloud.ResetRecord{OperationID: id, State: cloud.OperationSuccess}
}
