package protocol

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
		if c.a.Same(c.b) != c.same || c.b.Same(c.a) != c.same {
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
		{"pending is not sent again where the connection leads now", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying)),
			AttemptRepeated{sentTo(lying, "b")}, ErrStale, nil},
		{"nor is one whose attempts are all refused: the value is made for a place", both(refusedAll, led(lying)),
			AttemptRepeated{sentTo(lying, "b")}, ErrStale, nil},
		{"nor is an attempt recorded for a place that the connection has left", both(refusedAll, led(lying)),
			AttemptRepeated{sentTo(genuine, "b")}, ErrStale, nil},
		{"nor a new value", both(due(DueRevoked), placed(genuine), led(lying)), RotationStarted{Password: "two", Attempt: sentTo(genuine, "b")},
			ErrStale, nil},
		{"what another place says of an attempt closes nothing", both(atReal, led(lying)),
			OperationObserved{Record: success, At: t0, Place: lying}, ErrNoChange, nil},
		{"nor that it was overwritten", both(atReal, led(lying)), OperationObserved{Record: cloud.ResetRecord{OperationID: "other"},
			GraceOver: true, At: t0, Place: lying}, ErrNoChange, nil},
		{"an answer of its own place that comes late still counts", both(atReal, led(lying)),
			OperationObserved{Record: success, At: t0, Place: genuine}, nil, func(t *testing.T, a *Account) {
				is(t, "current", a.Current().Password, "two")
				is(t, "its place", a.Current().Place, genuine)
			}},
		{"a confirmation drops the candidates of its place only", both(atReal, candidates),
			OperationObserved{Record: success, At: t0, Place: genuine}, nil, func(t *testing.T, a *Account) {
				is(t, "candidates", len(a.Candidates), 1)
				is(t, "candidate", a.Candidates[0].Password, "there")
			}},
		{"the version of another place is kept whatever max_versions says", both(due(DueManual), placed(genuine), led(lying), func(a *Account) {
			a.Settings.MaxVersions = 1
			a.Pending = &Pending{Password: "two", Place: lying, Attempts: []Attempt{sentTo(lying, "x")}}
			a.Pending.Attempts[0].RequestID = "op"
		}), OperationObserved{Record: success, At: t0, Place: lying}, nil, func(t *testing.T, a *Account) {
			is(t, "versions", len(a.Versions), 2)
			is(t, "the real place's", a.Versions[0].Password, "one")
			is(t, "current", a.Current().Password, "two")
			is(t, "confirmed", a.Current().Confirmed, false)
		}},
		{"until that place confirms a later one", both(due(DueManual), placed(genuine), func(a *Account) {
			a.Settings.MaxVersions = 1
			a.Pending = &Pending{Password: "three", Place: genuine, Attempts: []Attempt{sentTo(genuine, "x")}}
			a.Pending.Attempts[0].RequestID = "op"
			a.Versions = append(a.Versions, Version{Number: 2, Password: "two", Place: lying})
		}), OperationObserved{Record: success, At: t0, Place: genuine}, nil, func(t *testing.T, a *Account) {
			is(t, "versions", len(a.Versions), 2)
			is(t, "the other's", a.Versions[0].Password, "two")
			is(t, "current", a.Current().Password, "three")
		}},
		{"a new value waits for the attempts of the old place", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying)),
			RotationStarted{Password: "three", Attempt: sentTo(lying, "b")}, ErrStale, nil},
		{"a change of the place is a barrier", both(rotating(sentTo(genuine, "a")), placed(genuine)), PlaceChanged{Place: lying, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "barriers", len(a.OldUnresolved), 1)
				is(t, "is one", a.OldUnresolved[0].IsFence, true)
				is(t, "its window", a.OldUnresolved[0].Window, 2*time.Minute)
			}},
		{"also for what only the settle window closed",
			both(placed(genuine), func(a *Account) { a.ClosedByTimeout, a.TimeoutFence = true, time.Hour }), PlaceChanged{Place: lying, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "its window", a.OldUnresolved[0].Window, time.Hour)
				is(t, "loose", a.ClosedByTimeout, false)
			}},
		{"an account at rest has nothing to wait for", placed(genuine), PlaceChanged{Place: lying, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "barriers", len(a.OldUnresolved), 0) }},
		{"once all is closed pending becomes a candidate of its place, and the next value is new",
			both(rotating(), placed(genuine), func(a *Account) { a.Pending.Uncertain = true }, led(lying)),
			RotationStarted{Password: "three", Attempt: sentTo(lying, "b")}, nil, func(t *testing.T, a *Account) {
				is(t, "candidate", a.Candidates[0], Candidate{Password: "two", Created: t0, Place: genuine})
				is(t, "pending", a.Pending.Password, "three")
				is(t, "its place", a.Pending.Place, lying)
			}},
		{"one that was certainly refused is forgotten", both(refusedAll, led(lying)),
			RotationStarted{Password: "three", Attempt: sentTo(lying, "b")}, nil,
			func(t *testing.T, a *Account) { is(t, "candidates", len(a.Candidates), 0) }},
		{"if the place comes back pending goes on", both(atReal, led(lying), led(genuine)),
			OperationObserved{Record: success, At: t0, Place: genuine}, nil, func(t *testing.T, a *Account) {
				is(t, "current", a.Current().Password, "two")
				is(t, "old_unresolved", len(a.OldUnresolved), 0)
			}},
		{"and is sent again at once", both(rotating(sentTo(genuine, "a")), placed(genuine), led(lying), led(genuine)),
			AttemptRepeated{sentTo(genuine, "b")}, nil, func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 2)
				is(t, "loose", a.ClosedByTimeout, true)
			}},
		{"a barrier of another method stays", both(rotating(sentTo(genuine, "a")), placed(genuine), func(a *Account) {
			a.OldUnresolved = []Attempt{{ID: "barrier/api/x", IsFence: true, Place: genuine, Method: "api"}}
		}, led(lying), led(genuine)), AttemptRepeated{sentTo(genuine, "b")}, ErrStale, nil},
		{"where the place has a version of its own another's is due", both(placed(genuine), func(a *Account) {
			a.Add(Version{Password: "two", Place: lying, Created: t0})
			a.Place = lying
		}), PlaceChanged{Place: genuine, At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due.Reason, DuePlace)
			is(t, "readable", wanted(a.CheckReadable(t0), NotReadable), true)
		}},
		{"where it has a candidate of its own too",
			both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: lying}} }),
			PlaceChanged{Place: lying, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "due", a.Due.Reason, DuePlace)
			}},
		{"where it has none another's is readable", placed(genuine), PlaceChanged{Place: lying, At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due, nil)
			is(t, "elsewhere", a.CurrentElsewhere(), true)
			is(t, "readable", a.CheckReadable(t0), nil)
		}},
		{"but not that of a place which was never trusted", both(placed(genuine), func(a *Account) {
			a.Versions = []Version{{Number: 1, Password: "one", Place: lying}}
			a.Place = lying
		}), PlaceChanged{Place: genuine, At: t0}, nil, func(t *testing.T, a *Account) { is(t, "due", a.Due.Reason, DuePlace) }},
		{"where nothing can set another the reader hears why", both(placed(genuine), func(a *Account) {
			a.Settings = with(staticSettings(), func(s *Settings) { s.CanReset = false })
			a.Add(Version{Password: "two", Place: lying, Created: t0})
			a.Place = lying
		}), PlaceChanged{Place: genuine, At: t0}, nil, func(t *testing.T, a *Account) {
			is(t, "due", a.Due, nil)
			is(t, "readable", wanted(a.CheckReadable(t0), NotReadable), true)
		}},
		{"candidates of another place forbid no import",
			both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: lying}} }),
			PasswordRecorded{Password: "two", Source: FromImport, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "place", a.Current().Place, genuine)
				is(t, "candidates", len(a.Candidates), 1)
			}},
		{"those of this one do", both(placed(genuine), func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: genuine}} }),
			PasswordRecorded{Password: "two", Source: FromImport, At: t0}, Conflict, nil},
		{"what may no longer be remembered is not begun", both(due(DueManual), placed(genuine), crowd(maxPlaces-1), led(lying)),
			RotationStarted{Password: "two", Attempt: sentTo(lying, "b")}, Conflict, nil},
		{"an operator forgets a place", both(placed(genuine), crowd(3)), PlaceForgotten{Place: numbered(1), At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "places", len(a.Places()), 3)
				is(t, "candidates", len(a.Candidates), 2)
			}},
		{"not the one where the connection is", placed(genuine), PlaceForgotten{Place: genuine, At: t0}, Conflict, nil},
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

func TestWhatANewPlaceSaysOfExistingServersIsNotTrusted(t *testing.T) {
	fresh := func(a *Account) { a.Versions, a.LastVersion, a.InitialOverwritten = nil, 0, false }
	proven := func(names string) Place { return PlaceOf([]string{names}, "100", true) }
	facts := Facts{PrivateIP: "192.0.2.66", Place: lying}
	runTransitions(t, []transitionCase{
		{"that one is gone", both(placed(genuine), led(lying)), InstanceGone{At: t0, Place: lying}, ErrNoChange, nil},
		{"which the old place said before the change", both(placed(genuine), led(lying)), InstanceGone{At: t0, Place: genuine}, ErrNoChange, nil},
		{"which initial password it has", both(fresh, placed(genuine), led(lying)), InitialPasswordRead{Password: "x", At: t0, Place: lying},
			ErrStale, nil},
		{"that the cloud's copy is cleared", both(placed(genuine), led(lying)), InitialPasswordCleared{At: t0, Place: lying}, ErrStale, nil},
		{"its addresses", both(placed(genuine), led(lying)), InstanceDescribed{Facts: facts}, ErrNoChange, nil},
		{"nor when the role is written", both(placed(genuine), led(lying)), RoleBound{Role: "web", Settings: leasedSettings(), Facts: facts,
			At: t0}, ErrNoChange, nil},
		{"the place at which it was made is trusted", placed(genuine), InstanceGone{At: t0, Place: genuine}, nil,
			func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that comes back is", both(placed(genuine), led(lying), led(genuine)), InstanceGone{At: t0, Place: genuine}, nil,
			func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that is proven to be the same account is", both(placed(proven("a")), led(proven("b"))), InstanceGone{At: t0, Place: proven("b")},
			nil, func(t *testing.T, a *Account) { is(t, "gone", a.Gone, t0) }},
		{"one that only says so is not", both(placed(proven("a")), led(PlaceOf([]string{"b"}, "100", false))),
			InstanceGone{At: t0, Place: PlaceOf([]string{"b"}, "100", false)}, ErrNoChange, nil},
		{"another account at the same hosts is not", both(placed(proven("a")), led(PlaceOf([]string{"a"}, "200", true))),
			InstanceGone{At: t0, Place: PlaceOf([]string{"a"}, "200", true)}, ErrNoChange, nil},
		{"credentials that may be another account's are not", both(placed(genuine), func(a *Account) { a.Doubted = true }),
			InstanceGone{At: t0, Place: genuine}, ErrNoChange, nil},
		{"an operator's word is trusted", both(placed(genuine), led(lying)), PlaceChanged{Place: lying, Trusted: true, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "trusted", a.TrustsHere(), true)
				is(t, "the old place too", a.Trusts(genuine), true)
			}},
	})
}

func TestAnAnswerShowsAddressesOfTheVersionsPlaceOnly(t *testing.T) {
	a := leasedAccount()
	placed(genuine)(a)
	a.Facts = Facts{PrivateIP: "10.0.0.1", Platform: cloud.Linux, Place: genuine}
	is(t, "at its own place", a.FactsFor(a.Current()).PrivateIP, "10.0.0.1")
	led(lying)(a)
	is(t, "while the connection leads elsewhere", a.FactsFor(a.Current()).PrivateIP, "10.0.0.1")
	a.Add(Version{Password: "two", Place: lying})
	is(t, "of another place's version", a.FactsFor(a.Current()), Facts{Platform: cloud.Linux, Place: genuine})
	a.Facts.Place = lying
	is(t, "of the real version", a.FactsFor(&a.Versions[0]).PrivateIP, "")
}

func TestAnAttemptOfAnotherPlaceEndsByItsWindow(t *testing.T) {
	a := leasedAccount()
	both(rotating(acknowledged("a", "op")), placed(genuine))(a)
	a.Pending.Attempts[0].Serial = true
	is(t, "left to its record", len(a.Settling(nil)), 0)
	led(lying)(a)
	is(t, "attempt and barrier", len(a.Settling(nil)), 2)
	st, _ := a.Plan(PlanInput{Now: t0, Settles: func(Attempt) time.Time { return t0.Add(time.Hour) }})
	is(t, "until then", st, StepSettle)
}
