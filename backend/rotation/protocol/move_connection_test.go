package protocol

import (
	"testing"
	"time"
)

// TestRule26AnotherConnection: an account goes on at another connection with all that it has, or is left as it is.
func TestRule26AnotherConnection(t *testing.T) {
	here, there := PlaceOf([]string{"a"}, "100", true), PlaceOf([]string{"b"}, "100", true)
	to := ID{Connection: "other", InstanceID: "i-1", Username: "root"}
	move := func(p Place) ConnectionChanged {
		return ConnectionChanged{To: to, Place: PlaceChanged{Place: p, At: t0}, Facts: Facts{PrivateIP: "10.0.0.2", Place: p}, At: t0}
	}
	word := func(role string) ConnectionChanged {
		m := move(here)
		m.Role = role
		return m
	}
	leases := func(version int) func(*Account) {
		return func(a *Account) {
			a.Leases = map[string]Lease{"n1": {Version: version, Client: 1}, "n2": {Version: version}}
			a.Clients = []Client{{Requester: Requester{EntityID: "e"}}}
		}
	}
	mismatched := move(here)
	mismatched.Facts.Place = there
	doubted := move(here)
	doubted.Place.Doubted = true
	at := placed(here)
	runTransitions(t, []transitionCase{
		{"all goes along but the role and its leases", both(at, leases(1), func(a *Account) {
			a.Candidates = []Candidate{{Password: "perhaps", Place: here}}
			a.Backoff, a.Gone, a.LateSerial, a.ClosedByTimeout = &Backoff{Failures: 2}, t0, true, true
			a.MoveTo, a.NextRotation, a.InitialKey = "db", t0, "k"
		}), move(here), nil, func(t *testing.T, a *Account) {
			is(t, "versions", a.Versions[0].Password, "one")
			is(t, "number", a.LastVersion, 1)
			is(t, "candidates", a.Candidates[0].Password, "perhaps")
			is(t, "late operations", a.LateSerial && a.ClosedByTimeout, true)
			is(t, "backoff", a.Backoff.Failures, 2)
			is(t, "initial password", a.InitialKey, "k")
			is(t, "role", a.Role, "")
			is(t, "last role", a.LastRole, "web")
			is(t, "an earlier word", a.MoveTo, "")
			is(t, "schedule", a.NextRotation, time.Time{})
			is(t, "gone", a.Gone, time.Time{})
			is(t, "address", a.Facts.PrivateIP, "10.0.0.2")
			is(t, "name", a.ID, ID{Connection: "conn", InstanceID: "i-1", Username: "root"})
			is(t, "successor", *a.Successor, to)
			next := a.Continued()
			is(t, "its name", next.ID, to)
			is(t, "its versions", len(next.Versions), 1)
			if next.Successor != nil {
				t.Error("the successor has a successor")
			}
		}},
		{"its leases end, and what was read is rotated", both(at, leases(1)), move(here), nil, func(t *testing.T, a *Account) {
			is(t, "leases", len(a.Leases)+len(a.Clients), 0)
			is(t, "known", a.Current().Known, true)
			is(t, "due", a.Due.Reason, DueMoved)
		}},
		{"those of an older version are none of the current one's", both(at, leases(0)), move(here), nil, func(t *testing.T, a *Account) {
			if a.Due != nil {
				t.Errorf("due %+v", a.Due)
			}
		}},
		{"a reason for being due goes along", both(at, due(DueRevoked)), move(here), nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due.Reason, DueRevoked) }},
		{"but not a scheduled one, of which only the role had use", both(at, due(DueSchedule)), move(here), nil,
			func(t *testing.T, a *Account) { is(t, "due", a.Due == nil, true) }},
		{"with a word for a role", at, word("db"), nil, func(t *testing.T, a *Account) { is(t, "word", a.MoveTo, "db") }},
		{"of which the last one needs none", at, word("web"), nil, func(t *testing.T, a *Account) { is(t, "word", a.MoveTo, "") }},
		{"also without a role", both(at, func(a *Account) { a.Role, a.LastRole = "", "web" }), word("db"), nil,
			func(t *testing.T, a *Account) { is(t, "owner and word", a.LastRole+" "+a.MoveTo, "web db") }},
		{"to other hosts of the same account", at, move(there), nil, func(t *testing.T, a *Account) {
			is(t, "place", a.Place, there)
			is(t, "trusted", a.TrustsHere(), true)
			is(t, "of the version", a.Current().Place, here)
		}},
		{"not while a value is on its way", both(at, rotating(sent("a"))), move(here), Conflict, nil},
		{"nor while its attempts are closed", both(at, rotating()), move(here), Conflict, nil},
		{"nor while an attempt of the current one is open", both(at, func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }), move(here),
			Conflict, nil},
		{"not as a member of a group", both(at, func(a *Account) { a.Settings.SharedPassword = true }), move(here), Conflict, nil},
		{"not to another account", at, move(PlaceOf([]string{"b"}, "200", true)), Conflict, nil},
		{"not to hosts that only say so", at, move(PlaceOf([]string{"b"}, "100", false)), Conflict, nil},
		{"not from a place that is not trusted", both(at, led(lying)), move(lying), Conflict, nil},
		{"not with credentials that may be another account's", both(at, func(a *Account) { a.Doubted = true }), move(here), Conflict, nil},
		{"not to such credentials", at, doubted, Conflict, nil},
		{"not on the word of another place", at, mismatched, Conflict, nil},
	})
}

// TestRule26NothingIsDoneWithWhatWasLeft but to finish the move.
func TestRule26NothingIsDoneWithWhatWasLeft(t *testing.T) {
	to := ID{Connection: "other", InstanceID: "i-1", Username: "root"}
	left := func(a *Account) { a.Successor, a.Role, a.LastRole = &to, "", "web" }
	runTransitions(t, []transitionCase{
		{"no role", left, RoleBound{Role: "web", Settings: leasedSettings(), At: t0}, NoRecord, nil},
		{"no rotation", left, RotationRequested{Reason: DueManual, At: t0}, NoRecord, nil},
		{"no reader", left, VersionShown{Version: 1, At: t0}, NoRecord, nil},
		{"no end of a lease", left, LeaseRevoked{Nonce: "n", At: t0}, NoRecord, nil},
		{"no second move", left, ConnectionChanged{To: to, At: t0}, NoRecord, nil},
	})
	a := leasedAccount()
	left(a)
	due(DueRevoked)(a)
	st, at := a.Plan(PlanInput{Now: t0})
	is(t, "step", st, StepMove)
	is(t, "time", at, t0)
}
