package protocol

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// TestWhichPasswordIsTried: one that was made for the place, which of several tells most.
func TestWhichPasswordIsTried(t *testing.T) {
	const elsewhere = Place("8899aabbccddeeff/200")
	for name, c := range map[string]struct {
		given func(*Account)
		value string
		early bool
	}{
		"at rest":                           {func(*Account) {}, "two", false},
		"a value on its way":                {func(a *Account) { a.pendingFor("three", "a1") }, "three", false},
		"a value that may have been set":    {func(a *Account) { a.pendingFor("three") }, "three", false},
		"a value that was never sent":       {func(a *Account) { a.pendingFor("three"); a.Pending.Uncertain = false }, "two", false},
		"an old attempt is open":            {func(a *Account) { a.OldUnresolved = []Attempt{{ID: "a0"}} }, "", true},
		"a late operation may come":         {func(a *Account) { a.LateSerial = true }, "", true},
		"candidates":                        {func(a *Account) { a.Candidates = []Candidate{{Password: "c", Place: a.Place}} }, "two", false},
		"the current one is another's":      {func(a *Account) { a.Versions[1].Place = elsewhere }, "one", false},
		"all versions are another's":        {func(a *Account) { a.Versions[0].Place, a.Versions[1].Place = elsewhere, elsewhere }, "", false},
		"a value on its way to another one": {func(a *Account) { a.pendingFor("three"); a.Pending.Place = elsewhere }, "two", false},
		"only a candidate is this place's": {func(a *Account) {
			a.Versions[0].Place, a.Versions[1].Place = elsewhere, elsewhere
			a.Candidates = []Candidate{{Password: "b", Place: a.Place}, {Password: "c", Place: a.Place}, {Password: "d", Place: elsewhere}}
		}, "c", false},
		"a place that is not trusted":  {func(a *Account) { a.Trusted = []Place{elsewhere} }, "", false},
		"credentials that are doubted": {func(a *Account) { a.Doubted = true; a.pendingFor("three", "a1") }, "", false},
		"none yet":                     {func(a *Account) { a.Versions = nil }, "", false},
	} {
		a := checkable()
		c.given(a)
		if value, early := a.TryValue(); value != c.value || early != c.early {
			t.Errorf("%s: %q, %t", name, value, early)
		}
	}
}

// TestATrySpeaksForOneValue: what was not tried is not refuted.
func TestATrySpeaksForOneValue(t *testing.T) {
	const elsewhere = Place("8899aabbccddeeff/200")
	withCandidates := func(a *Account) {
		a.Candidates = []Candidate{{Password: "c", Place: a.Place}, {Password: "d", Place: a.Place}}
	}
	for name, c := range map[string]struct {
		given      func(*Account)
		match      bool
		user       CheckResult
		unknown    bool
		result     CheckResult
		version    int
		current    string
		drifted    bool
		due        Reason
		pending    bool
		candidates int
		reason     string
	}{
		"right": {match: true, result: CheckMatches, version: 2, current: "two"},
		"wrong": {result: CheckDiffers, current: "two", drifted: true, reason: "only the current version was tried"},
		"wrong, candidates": {given: withCandidates, result: CheckDiffers, current: "two", drifted: true, candidates: 2,
			reason: "only the current version was tried"},
		"right, candidates": {given: withCandidates, match: true, result: CheckMatches, version: 2, current: "two"},
		"wrong, restore": {given: func(a *Account) { a.Settings.DriftAction = DriftRestore }, result: CheckDiffers, current: "two",
			drifted: true, reason: "only the current version was tried"},
		"wrong, rotate": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, result: CheckDiffers, current: "two",
			drifted: true, due: DueDrifted, reason: "only the current version was tried"},
		"no such user": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, user: CheckNoUser, result: CheckNoUser,
			current: "two", drifted: true},
		"locked": {user: CheckLocked, unknown: true, result: CheckUnknown, current: "two", reason: "because"},
		"a value on its way": {given: func(a *Account) { a.pendingFor("three", "a1") }, match: true, result: CheckMatches, version: 3,
			current: "three"},
		"not the value on its way": {given: func(a *Account) { a.pendingFor("three", "a1") }, result: CheckUnknown, current: "two",
			due: DueManual, pending: true, reason: "may still take effect"},
		"not the value that may have been set": {given: func(a *Account) { a.pendingFor("three"); withCandidates(a) }, result: CheckUnknown,
			current: "two", due: DueManual, pending: true, candidates: 2, reason: "which is not the current version"},
		"not this place's own": {given: func(a *Account) { a.Versions[1].Place = elsewhere }, result: CheckUnknown, current: "two",
			reason: "which is not the current version"},
		"this place's own": {given: func(a *Account) { a.Versions[1].Place = elsewhere }, match: true, result: CheckMatches, version: 3,
			current: "one"},
	} {
		a := checkable()
		if c.given != nil {
			c.given(a)
		}
		value, _ := a.TryValue()
		ev := CheckMade{Seen: a, Place: a.Place, Only: value, User: c.user, Interval: 10 * time.Minute, Experimental: true, At: checkedAt}
		if c.match {
			ev.Match = value
		}
		if c.user == CheckNoUser {
			ev.Detail = hint.Plain("no such user")
		}
		if c.unknown {
			ev.Unknown = hint.Plain("because")
		}
		got, err := Transition(a, ev)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := got.Checked()
		if k.Result != c.result || k.Version != c.version || got.Current().Password != c.current || got.Drifted() != c.drifted ||
			(got.Pending != nil) != c.pending || len(got.Candidates) != c.candidates || !strings.Contains(k.Reason.String(), c.reason) ||
			!k.Experimental || !k.NotBefore.Equal(checkedAt.Add(10*time.Minute)) {
			t.Errorf("%s: %+v, current %q, drifted %t, pending %t, %d candidates", name, k, got.Current().Password, got.Drifted(),
				got.Pending != nil, len(got.Candidates))
		}
		if due := got.Due; (due == nil) != (c.due == "") || due != nil && due.Reason != c.due {
			t.Errorf("%s: due %+v, want %q", name, due, c.due)
		}
	}
}

// TestAfterAValueThatWasNotTheOnlyOneNothingHasDrifted: the value on its way was refused, and is given up later; of the current one
// nothing is known.
func TestAfterAValueThatWasNotTheOnlyOneNothingHasDrifted(t *testing.T) {
	a := checkable()
	a.pendingFor("three")
	a, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Only: "three", Interval: 10 * time.Minute, At: checkedAt})
	if err != nil {
		t.Fatal(err)
	}
	a.Pending, a.Due = nil, nil
	if a.Drifted() {
		t.Errorf("%+v", a.Checked())
	}
}

// TestTriesKeepTheirDistance: what is stored before a try holds until its end is known, and a look that tried nothing costs nothing.
func TestTriesKeepTheirDistance(t *testing.T) {
	agreed := func(at time.Time) ClockReading { return ClockReading{Now: at, Wall: at} }
	start := CheckStarted{Clock: agreed(checkedAt), Interval: 10 * time.Minute, LongestTry: 5 * time.Minute}
	begun, err := Transition(checkable(), start)
	if err != nil || !begun.Check.NotBefore.Equal(checkedAt.Add(15*time.Minute)) || begun.CheckHeld(checkedAt) != 15*time.Minute {
		t.Fatalf("%v, %+v", err, begun.Checked())
	}
	late := start
	late.Clock = agreed(checkedAt.Add(15*time.Minute - time.Nanosecond))
	if _, err := Transition(begun, late); !errors.Is(err, ErrStale) {
		t.Errorf("a second try: %v", err)
	}
	late.Clock = agreed(checkedAt.Add(15 * time.Minute))
	if _, err := Transition(begun, late); err != nil {
		t.Errorf("in time: %v", err)
	}
	at := checkedAt.Add(time.Minute)
	for name, c := range map[string]struct {
		made CheckMade
		want time.Time
	}{
		"tried": {CheckMade{Interval: 10 * time.Minute}, at.Add(10 * time.Minute)},
		"its end unseen": {CheckMade{Interval: 10 * time.Minute, Unended: true, Unknown: hint.Plain("no answer")},
			checkedAt.Add(15 * time.Minute)},
		"nothing tried": {CheckMade{Unknown: hint.Plain("locked"), User: CheckLocked}, time.Time{}},
	} {
		c.made.Seen, c.made.Place, c.made.Only, c.made.Match, c.made.At = begun, begun.Place, "two", "", at
		next, err := Transition(begun, c.made)
		if err != nil || !next.Checked().NotBefore.Equal(c.want) {
			t.Errorf("%s: %v, %v", name, err, next.Checked().NotBefore)
		}
	}
	if err := begun.NotCheckableYet(checkedAt); err == nil || !strings.Contains(err.Error(), "until 2026-03-01T12:15:01Z") {
		t.Errorf("%v", err)
	}
	for _, now := range []time.Time{checkedAt.Add(14 * time.Minute), checkedAt.Add(time.Hour)} {
		if err := begun.NotCheckableYet(now); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// TestTriesKeepTheirDistanceThoughAClockIsSet: a clock that is wrong when a try begins, and set right then or at the next start,
// brings no two tries together.
func TestTriesKeepTheirDistanceThoughAClockIsSet(t *testing.T) {
	for name, wall := range map[string]time.Duration{"ahead": 27 * time.Minute, "behind": -27 * time.Minute} {
		clock := ClockReading{Now: checkedAt, Wall: checkedAt.Add(wall)}
		begun, err := Transition(checkable(), CheckStarted{Clock: clock, Interval: 10 * time.Minute, LongestTry: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		made, err := Transition(begun, CheckMade{Seen: begun, Place: begun.Place, Only: "two", Interval: 10 * time.Minute, At: clock.Now,
			Latest: clock.Latest()})
		if err != nil {
			t.Fatal(err)
		}
		for _, later := range []ClockReading{
			{Now: checkedAt.Add(9 * time.Minute), Wall: checkedAt.Add(wall + 9*time.Minute)},      // not set yet
			{Now: checkedAt.Add(wall + 9*time.Minute), Wall: checkedAt.Add(wall + 9*time.Minute)}, // believed, or a start
			{Now: checkedAt.Add(9 * time.Minute), Wall: checkedAt.Add(9 * time.Minute)},           // taken back
		} {
			again := CheckStarted{Clock: later, Interval: 10 * time.Minute}
			for what, a := range map[string]*Account{"begun": begun, "made": made} {
				if _, err := Transition(a, again); !errors.Is(err, ErrStale) {
					t.Errorf("%s, %s: a second try after 9 minutes, by %v: %v", name, what, later, err)
				}
				a.Check.Asked = checkedAt
				in := PlanInput{Now: later.Now, Clock: later}
				if at, ok := a.nextCheck(in.Now, in.earliest()); !ok || !at.After(later.Now) {
					t.Errorf("%s, %s: planned for %v, by %v", name, what, at, later)
				}
			}
		}
	}
}

// TestNothingToTryIsEarlyWhileAnAttemptIsOpen, so that the server is checked once it is settled.
func TestNothingToTryIsEarlyWhileAnAttemptIsOpen(t *testing.T) {
	a := checkable()
	a.OldUnresolved = []Attempt{{ID: "a0"}}
	_, early := a.TryValue()
	a, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Unknown: NothingToTry(early), Early: early, At: checkedAt})
	if err != nil || !a.Check.Early || a.Drifted() || a.Check.Result != CheckUnknown {
		t.Fatalf("%v: %+v", err, a.Checked())
	}
	a.OldUnresolved = nil
	if at, ok := a.nextCheck(checkedAt.Add(time.Hour), checkedAt.Add(time.Hour)); !ok || at.After(checkedAt.Add(time.Hour)) {
		t.Errorf("it is checked at %v, %t", at, ok)
	}
	if !strings.Contains(NothingToTry(false).String(), "no password that was made for the place") {
		t.Error("it is not said why")
	}
}
