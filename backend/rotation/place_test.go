package rotation

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Two places: the real cloud, and where the connection is led meanwhile.
var ()

func TestAFingerprintKnowsNamesAndTheAccount(t *testing.T) {
	for name, c := range map[string]struct {
		a, b Place
		same bool
	}{
		"the same names":                        {PlaceOf([]string{"a"}, "", false), PlaceOf([]string{"a"}, "", false), true},
		"other names":                           {PlaceOf([]string{"a"}, "", false), PlaceOf([]string{"b"}, "", false), false},
		"names that run together":               {PlaceOf([]string{"a", "b"}, "", false), PlaceOf([]string{"ab"}, "", false), false},
		"an account that is not known":          {PlaceOf([]string{"a"}, "1", false), PlaceOf([]string{"a"}, "", false), true},
		"another account":                       {PlaceOf([]string{"a"}, "1", true), PlaceOf([]string{"a"}, "2", true), false},
		"an account, told and proven":           {PlaceOf([]string{"a"}, "1", true), PlaceOf([]string{"a"}, "1", false), true},
		"an account that is no printable name":  {PlaceOf([]string{"a"}, "1\n2", true), PlaceOf([]string{"a"}, "", false), true},
		"one account behind other names":        {PlaceOf([]string{"a"}, "1", true), PlaceOf([]string{"b"}, "1", true), false},
		"a place that was never told is no one": {"", PlaceOf([]string{"b"}, "", false), false},
	} {
		if c.a.same(c.b) != c.same || c.b.same(c.a) != c.same {
			t.Errorf("%s: same is not %v", name, c.same)
		}
	}
	is(t, "proven to be one account", PlaceOf([]string{"a"}, "1", true).sameAccount(PlaceOf([]string{"b"}, "1", true)), true)
	is(t, "told only", PlaceOf([]string{"a"}, "1", true).sameAccount(PlaceOf([]string{"b"}, "1", false)), false)
	is(t, "not told", PlaceOf([]string{"a"}, "", true).sameAccount(PlaceOf([]string{"b"}, "", true)), false)
}

// The protocol's model has a counterexample for each of these, where the rule is left out.
func TestRule18Places(t *testing.T) {
	atReal := both(rotating(acknowledged("a", "op")), placed(genuine))
	refusedAll := both(rotating(), placed(genuine))
	success := cloud.ResetRecord{OperationID: "op", State: cloud.OperationSuccess}
	candidates := func(a *Account) {
		a.Candidates = []Candidate{{Password: "here", Place: genuine}, {Password: "there", Place: lying}}
	}
	runTransitions(t, []transitionCase{
		{"pending is not sent again where the connection leads now", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying)), retried{sentTo(lying, "b")}, errStale, nil},
		{"nor is one whose attempts are all refused: the value is made for a place", both(refusedAll, led(lying)), retried{sentTo(lying, "b")}, errStale, nil},
		{"nor is an attempt recorded for a place that the connection has left", both(refusedAll, led(lying)), retried{sentTo(genuine, "b")}, errStale, nil},
		{"nor a new value", both(due(DueRevoked), placed(genuine), led(lying)), begun{password: "two", attempt: sentTo(genuine, "b")}, errStale, nil},
		{"what another place says of an attempt closes nothing", both(atReal, led(lying)), observed{record: success, at: t0, place: lying}, errNoChange, nil},
		{"nor that it was overwritten", both(atReal, led(lying)), observed{record: cloud.ResetRecord{OperationID: "other"}, graceOver: true, at: t0, place: lying}, errNoChange, nil},
		{"an answer of its own place that comes late still counts", both(atReal, led(lying)), observed{record: success, at: t0, place: genuine}, nil, func(t *testing.T, a *Account) {
			is(t, "current", a.current().Password, "two")
			is(t, "its place", a.current().Place, genuine)
		}},
		{"a confirmation drops the candidates of its place only", both(atReal, candidates), observed{record: success, at: t0, place: genuine}, nil, func(t *testing.T, a *Account) {
			is(t, "candidates", len(a.Candidates), 1)
			is(t, "candidate", a.Candidates[0].Password, "there")
		}},
		{"the version of another place is kept whatever max_versions says", both(due(DueManual), placed(genuine), led(lying), func(a *Account) {
			a.Settings.MaxVersions = 1
			a.Pending = &Pending{Password: "two", Place: lying, Attempts: []Attempt{sentTo(lying, "x")}}
			a.Pending.Attempts[0].RequestID = "op"
		}), observed{record: success, at: t0, place: lying}, nil, func(t *testing.T, a *Account) {
			is(t, "versions", len(a.Versions), 2)
			is(t, "the real place's", a.Versions[0].Password, "one")
			is(t, "current", a.current().Password, "two")
			is(t, "believed", a.current().Verified, false)
		}},
		{"until that place confirms a later one", both(due(DueManual), placed(genuine), func(a *Account) {
			a.Settings.MaxVersions = 1
			a.Pending = &Pending{Password: "three", Place: genuine, Attempts: []Attempt{sentTo(genuine, "x")}}
			a.Pending.Attempts[0].RequestID = "op"
			a.Versions = append(a.Versions, Version{Number: 2, Password: "two", Place: lying})
		}), observed{record: success, at: t0, place: genuine}, nil, func(t *testing.T, a *Account) {
			is(t, "versions", len(a.Versions), 2)
			is(t, "the other's", a.Versions[0].Password, "two")
			is(t, "current", a.current().Password, "three")
		}},
		{"a new value waits for the attempts of the old place", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying)), begun{password: "three", attempt: sentTo(lying, "b")}, errStale, nil},
		{"a change of the place is a barrier", both(rotating(sentTo(genuine, "a")), placed(genuine)), moved{place: lying, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "barriers", len(a.OldUnresolved), 1)
			is(t, "is one", a.OldUnresolved[0].Barrier, true)
			is(t, "its window", a.OldUnresolved[0].Window, 2*time.Minute)
		}},
		{"also for what only the settle window closed", both(placed(genuine), func(a *Account) { a.Loose, a.LooseFence = true, time.Hour }), moved{place: lying, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "its window", a.OldUnresolved[0].Window, time.Hour)
			is(t, "loose", a.Loose, false)
		}},
		{"an account at rest has nothing to wait for", placed(genuine), moved{place: lying, at: t0}, nil, func(t *testing.T, a *Account) { is(t, "barriers", len(a.OldUnresolved), 0) }},
		{"once all is closed pending becomes a candidate of its place, and the next value is new", both(rotating(), placed(genuine), func(a *Account) { a.Pending.Uncertain = true }, led(lying)),
			begun{password: "three", attempt: sentTo(lying, "b")}, nil, func(t *testing.T, a *Account) {
				is(t, "candidate", a.Candidates[0], Candidate{Password: "two", Created: t0, Place: genuine})
				is(t, "pending", a.Pending.Password, "three")
				is(t, "its place", a.Pending.Place, lying)
			}},
		{"one that was certainly refused is forgotten", both(refusedAll, led(lying)), begun{password: "three", attempt: sentTo(lying, "b")}, nil, func(t *testing.T, a *Account) { is(t, "candidates", len(a.Candidates), 0) }},
		{"if the place comes back pending goes on", both(atReal, led(lying), led(genuine)), observed{record: success, at: t0, place: genuine}, nil, func(t *testing.T, a *Account) {
			is(t, "current", a.current().Password, "two")
			is(t, "old_unresolved", len(a.OldUnresolved), 0)
		}},
		{"and is sent again at once", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying), led(genuine)), retried{sentTo(genuine, "b")}, nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 2)
			is(t, "loose", a.Loose, true)
		}},
		{"a barrier of another method stays", both(rotating(sentTo(genuine, "a")), placed(genuine), func(a *Account) {
			a.OldUnresolved = []Attempt{{ID: "barrier/api/x", Barrier: true, Place: genuine, Method: "api"}}
		}, led(lying), led(genuine)), retried{sentTo(genuine, "b")}, errStale, nil},
		{"where the place has a version of its own another's is due", both(placed(genuine), func(a *Account) {
			a.add(Version{Password: "two", Place: lying, Created: t0})
			a.Place = lying
		}), moved{place: genuine, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due.Reason, DuePlace)
			is(t, "readable", wanted(a.readable(t0), NotReadable), true)
		}},
		{"where it has a candidate of its own too", both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: lying}} }), moved{place: lying, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due.Reason, DuePlace)
		}},
		{"where it has none another's is readable", placed(genuine), moved{place: lying, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due, nil)
			is(t, "elsewhere", a.elsewhere(), true)
			is(t, "readable", a.readable(t0), nil)
		}},
		{"but not that of a place which was never believed", both(placed(genuine), func(a *Account) {
			a.Versions = []Version{{Number: 1, Password: "one", Place: lying}}
			a.Place = lying
		}), moved{place: genuine, at: t0}, nil, func(t *testing.T, a *Account) { is(t, "due", a.Due.Reason, DuePlace) }},
		{"where nothing can set another the reader hears why", both(placed(genuine), func(a *Account) {
			a.Settings = with(staticSettings(), func(s *Settings) { s.CanReset = false })
			a.add(Version{Password: "two", Place: lying, Created: t0})
			a.Place = lying
		}), moved{place: genuine, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due, nil)
			is(t, "readable", wanted(a.readable(t0), NotReadable), true)
		}},
		{"candidates of another place forbid no import", both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: lying}} }), recorded{password: "two", source: FromImport, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "place", a.current().Place, genuine)
			is(t, "candidates", len(a.Candidates), 1)
		}},
		{"those of this one do", both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: genuine}} }), recorded{password: "two", source: FromImport, at: t0}, Conflict, nil},
		{"what may no longer be remembered is not begun", both(due(DueManual), placed(genuine), crowd(maxPlaces-1), led(lying)), begun{password: "two", attempt: sentTo(lying, "b")}, Conflict, nil},
		{"an operator forgets a place", both(placed(genuine), crowd(3)), forgotten{place: numbered(1), at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "places", len(a.places()), 3)
			is(t, "candidates", len(a.Candidates), 2)
		}},
		{"not the one where the connection is", placed(genuine), forgotten{place: genuine, at: t0}, Conflict, nil},
	})
}

func numbered(i int) Place { return PlaceOf([]string{"place", string(rune('0' + i))}, "", false) }

// crowd gives an account candidates of n further places.
func crowd(n int) func(*Account) {
	return func(a *Account) {
		for i := range n {
			a.Candidates = append(a.Candidates, Candidate{Password: "x", Place: numbered(i)})
		}
	}
}

func TestWhatANewPlaceSaysOfExistingServersIsNotBelieved(t *testing.T) {
	fresh := func(a *Account) { a.Versions, a.LastVersion, a.InitialOverwritten = nil, 0, false }
	proven := func(names string) Place { return PlaceOf([]string{names}, "100", true) }
	facts := Facts{PrivateIP: "192.0.2.66", Place: lying}
	runTransitions(t, []transitionCase{
		{"that one is gone", both(placed(genuine), led(lying)), vanished{at: t0, place: lying}, errNoChange, nil},
		{"which the old place said before the change", both(placed(genuine), led(lying)), vanished{at: t0, place: genuine}, errNoChange, nil},
		{"which initial password it has", both(fresh, placed(genuine), led(lying)), initialRead{password: "x", at: t0, place: lying}, errStale, nil},
		{"that the cloud's copy is cleared", both(placed(genuine), led(lying)), initialCleared{at: t0, place: lying}, errStale, nil},
		{"its addresses", both(placed(genuine), led(lying)), described{facts}, errNoChange, nil},
		{"nor when the role is written", both(placed(genuine), led(lying)), bound{role: "web", settings: leasedSettings(), facts: facts, at: t0}, errNoChange, nil},
		{"the place at which it was made is believed", placed(genuine), vanished{at: t0, place: genuine}, nil, func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that comes back is", both(placed(genuine), led(lying), led(genuine)), vanished{at: t0, place: genuine}, nil, func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that is proven to be the same account is", both(placed(proven("a")), led(proven("b"))), vanished{at: t0, place: proven("b")}, nil, func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that only says so is not", both(placed(proven("a")), led(PlaceOf([]string{"b"}, "100", false))), vanished{at: t0, place: PlaceOf([]string{"b"}, "100", false)}, errNoChange, nil},
		{"another account at the same hosts is not", both(placed(proven("a")), led(PlaceOf([]string{"a"}, "200", true))), vanished{at: t0, place: PlaceOf([]string{"a"}, "200", true)}, errNoChange, nil},
		{"credentials that may be another account's are not", both(placed(genuine), func(a *Account) { a.Doubted = true }), vanished{at: t0, place: genuine}, errNoChange, nil},
		{"an operator's word is believed", both(placed(genuine), led(lying)), moved{place: lying, trusted: true, at: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "believed", a.believed(), true)
			is(t, "the old place too", a.believes(genuine), true)
		}},
	})
}

func TestAnAnswerShowsAddressesOfTheVersionsPlaceOnly(t *testing.T) {
	a := leasedAccount()
	placed(genuine)(a)
	a.Facts = Facts{PrivateIP: "10.0.0.1", Platform: cloud.Linux, Place: genuine}
	is(t, "at its own place", a.factsFor(a.current()).PrivateIP, "10.0.0.1")
	led(lying)(a)
	is(t, "while the connection leads elsewhere", a.factsFor(a.current()).PrivateIP, "10.0.0.1")
	a.add(Version{Password: "two", Place: lying})
	is(t, "of another place's version", a.factsFor(a.current()), Facts{Platform: cloud.Linux, Place: genuine})
	a.Facts.Place = lying
	is(t, "of the real version", a.factsFor(&a.Versions[0]).PrivateIP, "")
}

func TestAnAttemptOfAnotherPlaceEndsByItsWindow(t *testing.T) {
	a := leasedAccount()
	both(rotating(acknowledged("a", "op")), placed(genuine))(a)
	a.Pending.Attempts[0].Serial = true
	is(t, "left to its record", len(a.settling(nil)), 0)
	led(lying)(a)
	is(t, "attempt and barrier", len(a.settling(nil)), 2)
	st, _ := a.plan(situation{now: t0, settles: func(Attempt) time.Time { return t0.Add(time.Hour) }})
	is(t, "until then", st, stepSettle)
}
