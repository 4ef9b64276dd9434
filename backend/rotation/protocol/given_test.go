package protocol

import (
	"fmt"
	"testing"
	"time"
)

func client(entity, name string) Client {
	return Client{Requester: Requester{entity, name}, Address: "192.0.2.1"}
}

// TestReadersOfAVersion: the record says who was given a version, and needs a change for nobody whom it knows.
func TestReadersOfAVersion(t *testing.T) {
	var g Given
	for n, c := range []struct {
		to    Client
		write bool
	}{
		{client("e-alice", "userpass-alice"), true},
		{client("e-alice", "userpass-alice"), false},
		{client("e-alice", "ldap-alice"), true},
		{client("e-alice", "oidc-alice"), false}, // that it has other names is known
		{client("", "token"), true},
		{client("", "token"), false},
		{client("e-bob", "token"), true}, // not the one without an entity
		{Client{}, true},
		{Client{}, false},
		{client("", ""), false},
	} {
		if knows := g.Knows(c.to); knows == c.write {
			t.Errorf("%d: %+v is known: %t", n, c.to, knows)
		}
		if write := g.note(c.to, t0.Add(time.Duration(n)*time.Minute)); write != c.write {
			t.Errorf("%d: %+v needs a write: %t", n, c.to, write)
		}
	}
	is(t, "readers", len(g.Readers), 3)
	is(t, "first", g.Readers[0].First, t0)
	is(t, "last", g.Readers[0].Last, t0.Add(3*time.Minute))
	for who, want := range map[Requester]Certainty{
		{"e-alice", ""}: WasGiven, {"", "userpass-alice"}: WasGiven, {"e-bob", ""}: WasGiven, {"e-carol", ""}: MaybeGiven,
		{"", "ldap-alice"}: MaybeGiven,
	} {
		is(t, fmt.Sprint("given to ", who), g.To(who), want)
	}
	g.More = false
	is(t, "an entity that it does not name", g.To(Requester{EntityID: "e-carol"}), NotGiven)
	is(t, "a name that the entity with other names may have", g.To(Requester{DisplayName: "ldap-alice"}), MaybeGiven)
}

// TestReadersAreBounded: the first 20 are kept, and that there were more.
func TestReadersAreBounded(t *testing.T) {
	var g Given
	for n := range maxReaders + 1 {
		if !g.note(client(fmt.Sprint(n), "name"), t0) {
			t.Errorf("reader %d needs no write", n)
		}
	}
	is(t, "readers", len(g.Readers), maxReaders)
	is(t, "more", g.More, true)
	is(t, "a further one needs a write", g.note(client("one more", "name"), t0), false)
}

// TestANamelessReaderLeavesRoomForOthers: that there were more readers hides nobody while there is room.
func TestANamelessReaderLeavesRoomForOthers(t *testing.T) {
	g := Given{More: true}
	is(t, "needs a write", g.note(client("e", "name"), t0), true)
	is(t, "given", g.To(Requester{EntityID: "e"}), WasGiven)
}

// TestOlderRecordsKeepTheirReaders: the readers of a record that others look at do not change.
func TestOlderRecordsKeepTheirReaders(t *testing.T) {
	before := Given{Readers: make([]KnownReader, 0, 10)}
	before.note(client("one", ""), t0)
	one, two := before, before
	one.note(client("two", ""), t0)
	two.note(client("three", ""), t0)
	two.note(client("one", ""), t0.Add(time.Hour))
	is(t, "of the first", one.Readers[1].EntityID, "two")
	is(t, "last read before", before.Readers[0].Last, t0)
}

// TestOldVersionsKeepNoNames, which bounds the record.
func TestOldVersionsKeepNoNames(t *testing.T) {
	a := leasedAccount()
	for range 5 {
		second(a)
	}
	for i := range a.Versions {
		a.Versions[i].Given.note(client("e", "name"), t0)
	}
	a.prune()
	for i, v := range a.Versions {
		recent := i >= len(a.Versions)-versionsWithReaders
		is(t, fmt.Sprint("names with version ", v.Number), len(v.Given.Readers) > 0, recent)
		is(t, fmt.Sprint("others have read version ", v.Number), v.Given.More, !recent)
	}
	shown := VersionShown{Version: a.Versions[0].Number, Client: client("e", "name"), At: t0}
	if _, err := Transition(a, shown); !IsNoChange(err) {
		t.Errorf("an old version notes its reader: %v", err)
	}
	shown.Version = a.Current().Number
	shown.Client = client("e-2", "name")
	next, err := Transition(a, shown)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "the current one was given", next.Current().Given.To(Requester{EntityID: "e-2"}), WasGiven)
}

// TestLeasesNameTheirClients, at most 100 of them, and those of live leases.
func TestLeasesNameTheirClients(t *testing.T) {
	a := leasedAccount()
	a.Leases = map[string]Lease{}
	for n := range maxClients + 1 {
		a.Leases[fmt.Sprint(n)] = Lease{Version: 1, Client: a.clientRef(client(fmt.Sprint(n), ""))}
	}
	is(t, "the last of all", a.ClientOf(a.Leases[fmt.Sprint(maxClients)]), Client{})
	delete(a.Leases, "0")
	a.Leases["again"] = Lease{Version: 1, Client: a.clientRef(client("again", ""))}
	is(t, "one after another's end", a.ClientOf(a.Leases["again"]), client("again", ""))
	is(t, "one that was there", a.ClientOf(a.Leases["7"]), client("7", ""))
	a.Leases = nil
	is(t, "nothing that Vault tells", a.clientRef(Client{}), 0)
	is(t, "kept without leases", len(a.Clients), 0)
}

// TestARestoredPasswordKeepsItsReaders: they know it still.
func TestARestoredPasswordKeepsItsReaders(t *testing.T) {
	a := leasedAccount()
	a.Versions[0].Given.note(client("e-alice", "alice"), t0)
	second(a)
	for reason, by := range map[Reason]Requester{Restored: {EntityID: "e-operator"}, DueImport: {EntityID: "e-importer"}} {
		next, err := Transition(a, PasswordRecorded{Password: a.Versions[0].Password, Source: FromReset, At: t0, Reason: reason, By: by})
		if err != nil {
			t.Fatal(err)
		}
		current, _ := next.GivenTo(Requester{EntityID: "e-alice"})
		is(t, string(reason)+": alice", current, WasGiven)
		current, _ = next.GivenTo(by)
		is(t, string(reason)+": the operator", current == WasGiven, reason == DueImport)
	}
}

// TestAWithdrawnAnswerWasGivenToNobody, if nobody else has the version.
func TestAWithdrawnAnswerWasGivenToNobody(t *testing.T) {
	a := leasedAccount()
	a.Leases = nil
	read := VersionDisclosed{Reader: Reader{Client: client("e", "name")}, Nonce: "n", At: t0, Grant: &Grant{}}
	a, err := Transition(a, read)
	if err != nil {
		t.Fatal(err)
	}
	current, _ := a.GivenTo(Requester{EntityID: "e"})
	is(t, "after the read", current, WasGiven)
	if a, err = Transition(a, LeaseWithdrawn{Nonce: "n", At: t0}); err != nil {
		t.Fatal(err)
	}
	current, _ = a.GivenTo(Requester{EntityID: "e"})
	is(t, "after it is taken back", current, NotGiven)
}

// TestRule13AnyLease: with rotate_on_revoke=any the first lease that ends makes the account due, and the others change nothing.
func TestRule13AnyLease(t *testing.T) {
	anyLease := func(a *Account) { a.Settings.RotateOnRevoke = AnyLease }
	two := both(anyLease, readAgo(time.Minute), holding("n", 1, time.Minute), holding("m", 1, 2*time.Minute))
	runTransitions(t, []transitionCase{
		{"a lease is revoked while another one lives", two, LeaseRevoked{"n", t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", *a.Due, Due{Since: t0, Reason: DueRevoked})
			is(t, "leases", len(a.Leases), 1)
			if a.CheckReadable(t0) == nil {
				t.Error("it is readable")
			}
		}},
		{"a lease expires while another one lives", two, LeasesExpired{t0.Add(time.Minute + Slack)}, nil, func(t *testing.T, a *Account) {
			is(t, "reason", a.Due.Reason, DueDeadline)
			is(t, "leases", len(a.Leases), 1)
		}},
		{"a lease of an older version ends", both(anyLease, holding("n", 1, time.Minute), second, holding("m", 2, time.Minute)),
			LeaseRevoked{"n", t0}, nil, func(t *testing.T, a *Account) { is(t, "due", a.Due, nil) }},
		{"an answer that reached nobody is taken back", two, LeaseWithdrawn{"n", t0}, nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due, nil) }},
	})
}

// TestAValueOnItsWayThatALeaverKnowsIsReplaced: it was handed out for a member that had it early.
func TestAValueOnItsWayThatALeaverKnowsIsReplaced(t *testing.T) {
	a := leasedAccount()
	a.ID, a.Settings.SharedPassword = GroupID("conn", "web"), true
	a.Due = &Due{Since: t0, Reason: DueRevoked}
	a.Pending = &Pending{Password: "two", Batch: "b", Created: t0, Disclosed: t0}
	by := Requester{DisplayName: "operator"}
	holding("m", 2, time.Minute)(a) // somebody else holds it
	a, err := Transition(a, RotationRequested{Reason: DueReader, At: t0, Forced: true, By: by, Again: true})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "reason", a.Due.Reason, DueRevoked)
	next, err := Transition(a, BatchConfirmed{Batch: "b", At: t0.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "current", next.Current().Password, "two")
	if next.Due == nil {
		t.Fatal("the group is at rest with a value that must be replaced")
	}
	is(t, "due", *next.Due, Due{Since: t0, Reason: DueReader, Forced: true, By: by})
}

// TestAnEarlyBatchUnderAnyLease: one of its leases has ended before the group agreed, and another one lives.
func TestAnEarlyBatchUnderAnyLease(t *testing.T) {
	for which, want := range map[RotateOnRevoke]bool{AnyLease: true, LastLease: false} {
		a := leasedAccount()
		a.ID, a.Settings.SharedPassword, a.Settings.RotateOnRevoke = GroupID("conn", "web"), true, which
		a.Due = &Due{Since: t0, Reason: DueRevoked}
		a.Pending = &Pending{Password: "two", Batch: "b", Created: t0, Disclosed: t0, Until: t0.Add(time.Hour)}
		holding("n", 2, time.Minute)(a)
		holding("m", 2, time.Minute)(a)
		for _, ev := range []Event{LeaseRevoked{"n", t0}, BatchConfirmed{Batch: "b", At: t0.Add(time.Second)}} {
			next, err := Transition(a, ev)
			if err != nil {
				t.Fatal(err)
			}
			a = next
		}
		is(t, string(which)+": due", a.Due != nil, want)
	}
}
