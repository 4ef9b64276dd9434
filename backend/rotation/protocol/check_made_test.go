package protocol

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

var checkedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// checkable is a static account at rest with versions 1 ("one") and 2 ("two") of one place.
func checkable() *Account {
	const here = Place("0011223344556677/100")
	early := checkedAt.Add(-time.Hour)
	return &Account{
		ID: ID{"prod", "ins-1", "root"}, Role: "web", Place: here, Trusted: []Place{here}, LastVersion: 2,
		Settings: Settings{Mode: Static, CanReset: true, ResetMethod: "command", CheckMethod: "command", MaxVersions: 10},
		Versions: []Version{
			{Number: 1, Password: "one", Source: FromReset, Created: early, Place: here, Confirmed: true, Disclosed: early, Roles: "web"},
			{Number: 2, Password: "two", Source: FromReset, Created: early, Place: here, Confirmed: true, Roles: "web"},
		},
	}
}

// pending puts a value on its way, with the ids of its open attempts.
func (a *Account) pendingFor(password string, open ...string) {
	a.Due = &Due{Reason: DueManual, Since: checkedAt.Add(-time.Minute)}
	a.Pending = &Pending{Password: password, Why: *a.Due, Place: a.Place, Tried: 2, Uncertain: true}
	for _, id := range open {
		a.Pending.Attempts = append(a.Pending.Attempts, Attempt{ID: id, Place: a.Place})
	}
}

func TestWhatACheckShowsIsRecorded(t *testing.T) {
	const elsewhere = Place("8899aabbccddeeff/200")
	for name, c := range map[string]struct {
		given     func(*Account)
		match     string
		user      CheckResult
		unknown   string
		result    CheckResult
		version   int
		current   string // password of the current version
		drifted   bool
		due       Reason
		pending   bool
		unsettled int
	}{
		"the current version": {match: "two", result: CheckMatches, version: 2, current: "two"},
		"another password":    {result: CheckDiffers, current: "two", drifted: true},
		"an older version":    {match: "one", result: CheckOlder, version: 1, current: "two", drifted: true},
		"unknown":             {unknown: "no agent", result: CheckUnknown, current: "two"},
		"locked":              {match: "two", user: CheckLocked, result: CheckLocked, version: 2, current: "two"},
		"locked, and another password": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, user: CheckLocked,
			result: CheckLocked, current: "two", drifted: true},
		"login is off for the server": {match: "two", user: CheckLoginOff, result: CheckMatches, version: 2, current: "two"},
		"login is off for the user": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, user: CheckLoginOff,
			result: CheckLoginOff, current: "two", drifted: true},
		"login is off for the server, an older version": {given: func(a *Account) { a.Settings.DriftAction = DriftRestore }, match: "one",
			user: CheckLoginOff, result: CheckMatches, version: 3, current: "one"},
		"locked and unknown": {user: CheckLocked, unknown: "no hash", result: CheckUnknown, current: "two"},
		"no such user": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, user: CheckNoUser, result: CheckNoUser,
			current: "two", drifted: true},
		"an empty password": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, user: CheckNoPassword,
			result: CheckNoPassword, current: "two", drifted: true, due: DueDrifted},
		"rotate": {given: func(a *Account) { a.Settings.DriftAction = DriftRotate }, result: CheckDiffers, current: "two", drifted: true,
			due: DueDrifted},
		"rotate, asked for once": {given: func(a *Account) { a.Check = &Check{Asked: checkedAt.Add(-time.Second), Action: DriftRotate} },
			result: CheckDiffers, current: "two", drifted: true, due: DueDrifted},
		"report, asked for once": {given: func(a *Account) {
			a.Settings.DriftAction = DriftRotate
			a.Check = &Check{Asked: checkedAt.Add(-time.Second), Action: DriftReport}
		}, result: CheckDiffers, current: "two", drifted: true},
		"rotate what cannot be reset": {given: func(a *Account) { a.Settings.DriftAction, a.Settings.CanReset = DriftRotate, false },
			result: CheckDiffers, current: "two", drifted: true},
		"rotate at a place that is not trusted": {given: func(a *Account) { a.Settings.DriftAction, a.Doubted = DriftRotate, true },
			result: CheckDiffers, current: "two", drifted: true},
		"restore": {given: func(a *Account) { a.Settings.DriftAction = DriftRestore }, match: "one", result: CheckMatches, version: 3,
			current: "one"},
		"restore what is none of ours": {given: func(a *Account) { a.Settings.DriftAction = DriftRestore }, result: CheckDiffers,
			current: "two", drifted: true},
		"restore in a leased role": {given: func(a *Account) { a.Settings.DriftAction, a.Settings.Mode = DriftRestore, Leased }, match: "one",
			result: CheckMatches, version: 3, current: "one", due: DueDrifted},
		"the value on its way": {given: func(a *Account) { a.pendingFor("three", "a1") }, match: "three", result: CheckMatches, version: 3,
			current: "three", unsettled: 1},
		"the value on its way, locked": {given: func(a *Account) { a.pendingFor("three", "a1") }, match: "three", user: CheckLocked,
			result: CheckLocked, version: 3, current: "three", unsettled: 1},
		"the current version while an attempt is open": {given: func(a *Account) { a.pendingFor("three", "a1") }, match: "two",
			result: CheckUnknown, current: "two", due: DueManual, pending: true},
		"another password while an attempt is open": {given: func(a *Account) { a.pendingFor("three", "a1") }, result: CheckUnknown,
			current: "two", due: DueManual, pending: true},
		"another password while an old attempt is open": {given: func(a *Account) { a.OldUnresolved = []Attempt{{ID: "a0"}} },
			result: CheckUnknown, current: "two", unsettled: 1},
		"the current version, the value on its way never came": {given: func(a *Account) {
			a.pendingFor("three")
			a.Candidates = []Candidate{{Password: "c", Place: a.Place}}
		}, match: "two", result: CheckMatches, version: 2, current: "two", due: DueManual},
		"none of ours while a value waits": {given: func(a *Account) { a.pendingFor("three") }, result: CheckDiffers, current: "two",
			due: DueManual, pending: true},
		"a candidate": {given: func(a *Account) {
			a.pendingFor("three")
			a.Candidates = []Candidate{{Password: "c", Place: a.Place}, {Password: "d", Place: a.Place}}
		}, match: "c", result: CheckMatches, version: 3, current: "c", due: DueManual},
		"this place's own last version": {given: func(a *Account) { a.Versions[1].Place = elsewhere }, match: "one", result: CheckMatches,
			version: 3, current: "one"},
		"none of ours where another place's version is current": {given: func(a *Account) {
			a.Versions[1].Place, a.Settings.DriftAction = elsewhere, DriftRotate
		}, result: CheckUnknown, current: "two"},
		"a member of a group has drifted": {given: func(a *Account) { a.Settings.SharedPassword, a.Settings.DriftAction = true, DriftRotate },
			result: CheckDiffers, current: "two", drifted: true},
	} {
		a := checkable()
		if c.given != nil {
			c.given(a)
		}
		ev := CheckMade{Seen: a, Place: a.Place, Match: c.match, User: c.user, At: checkedAt}
		if c.unknown != "" {
			ev.Unknown = hint.Plain(c.unknown)
		}
		got, err := Transition(a, ev)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := got.Checked()
		if k.Result != c.result || k.Version != c.version || !k.Time.Equal(checkedAt) || got.Current().Password != c.current ||
			got.Drifted() != c.drifted || (got.Pending != nil) != c.pending || len(got.OldUnresolved) != c.unsettled {
			t.Errorf("%s: %+v, current %q, drifted %t, pending %t, unresolved %d", name, k, got.Current().Password, got.Drifted(),
				got.Pending != nil, len(got.OldUnresolved))
		}
		if due := got.Due; (due == nil) != (c.due == "") || due != nil && due.Reason != c.due {
			t.Errorf("%s: due %+v, want %q", name, due, c.due)
		}
		if !k.Asked.IsZero() {
			t.Errorf("%s: it is still asked for", name)
		}
		if got.Drifted() != (got.CheckReadable(checkedAt) != nil) && got.Due == nil && got.Pending == nil && !got.CurrentElsewhere() {
			t.Errorf("%s: drifted %t, but %v", name, got.Drifted(), got.CheckReadable(checkedAt))
		}
	}
}

func TestAStaleCheckChangesNothing(t *testing.T) {
	for name, meanwhile := range map[string]func(*Account){
		"a version":     func(a *Account) { a.Add(Version{Password: "three", Place: a.Place}) },
		"a value":       func(a *Account) { a.pendingFor("three") },
		"an attempt":    func(a *Account) { a.OldUnresolved = []Attempt{{ID: "a0"}} },
		"a candidate":   func(a *Account) { a.Candidates = []Candidate{{Password: "c"}} },
		"the place":     func(a *Account) { a.Place = "8899aabbccddeeff/200" },
		"other, pruned": func(a *Account) { a.Versions = a.Versions[1:] },
	} {
		seen := checkable()
		now := seen.Clone()
		meanwhile(now)
		for _, match := range []string{"", "one", "two"} {
			if _, err := Transition(now, CheckMade{Seen: seen, Place: seen.Place, Match: match, At: checkedAt}); !errors.Is(err, ErrStale) {
				t.Errorf("%s, %q: %v", name, match, err)
			}
		}
	}
	leased := checkable()
	now := leased.Clone()
	now.Leases = map[string]Lease{"n": {Version: 2}} // who reads changes nothing of what the server has
	if _, err := Transition(now, CheckMade{Seen: leased, Place: leased.Place, Match: "two", At: checkedAt}); err != nil {
		t.Errorf("a lease: %v", err)
	}
}

// TestACheckEndsABrakedRotation has the value on the server though the cloud never showed it, in one record at another place.
func TestACheckEndsABrakedRotation(t *testing.T) {
	a := checkable()
	a.pendingFor("three", "a1", "a2")
	a.Pending.Brake = Brake{Unshown: MaxUnshown, Last: checkedAt.Add(-time.Minute), NotBefore: checkedAt.Add(time.Hour)}
	if at, ok := a.nextCheck(checkedAt, checkedAt); !ok || at.After(checkedAt) {
		t.Errorf("it is checked at %v, %t", at, ok)
	}
	got, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Match: "three", At: checkedAt})
	if err != nil {
		t.Fatal(err)
	}
	if v := got.Current(); got.Due != nil || got.Pending != nil || got.Backoff != nil || !v.Change.Checked || v.Change.Attempts != 2 ||
		!v.Confirmed || len(got.OldUnresolved) != 2 {
		t.Errorf("%+v", got)
	}
	if _, err := Transition(a, CheckMade{Seen: a, Place: "8899aabbccddeeff/200", Match: "three", At: checkedAt}); !errors.Is(err, ErrStale) {
		t.Errorf("another place's word for a value: %v", err)
	}
}

// TestTheBrakeOutlivesAValueThatNeverCame: else checks would let each rotation spend its attempts anew.
func TestTheBrakeOutlivesAValueThatNeverCame(t *testing.T) {
	a := checkable()
	a.pendingFor("three")
	a.Pending.Brake = Brake{Unshown: 4, Last: checkedAt.Add(-time.Minute), NotBefore: checkedAt.Add(2 * time.Hour),
		Shown: hint.Plain("nothing")}
	got, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Match: "two", At: checkedAt})
	if err != nil {
		t.Fatal(err)
	}
	if got.Pending != nil || !got.backsOff(checkedAt).Equal(checkedAt.Add(2*time.Hour)) {
		t.Fatalf("%+v %+v", got.Pending, got.Backoff)
	}
	next, err := Transition(got, RotationStarted{Password: "four", Attempt: Attempt{ID: "a9", Method: "command", Place: a.Place}})
	if err != nil || next.Pending.Brake.Unshown != 4 {
		t.Errorf("%v: %+v", err, next.Pending)
	}
}

func TestWhenTheServerIsLookedAt(t *testing.T) {
	const never = -1
	now := checkedAt
	for name, c := range map[string]struct {
		given func(*Account)
		in    time.Duration
	}{
		"not asked for":       {func(*Account) {}, never},
		"asked for":           {func(a *Account) { a.Check = &Check{Asked: now} }, 0},
		"asked for too often": {func(a *Account) { a.Check = &Check{Asked: now, Time: now.Add(-20 * time.Second)} }, 40 * time.Second},
		"no method":           {func(a *Account) { a.Settings.CheckMethod, a.Check = "", &Check{Asked: now} }, never},
		"gone":                {func(a *Account) { a.Gone, a.Check = now, &Check{Asked: now} }, never},
		"no password":         {func(a *Account) { a.Versions, a.Check = nil, &Check{Asked: now} }, never},
		"its first time":      {func(a *Account) { a.Settings.VerifyPeriod = time.Hour }, 0},
		"its next time": {func(a *Account) {
			a.Settings.VerifyPeriod, a.Check = 4*time.Hour, &Check{Time: now.Add(-time.Hour), Result: CheckMatches}
		}, 3 * time.Hour},
		"unknown last time": {func(a *Account) {
			a.Settings.VerifyPeriod, a.Check = 4*time.Hour, &Check{Time: now.Add(-time.Minute), Result: CheckUnknown}
		}, 59 * time.Minute},
		"its time comes while it is rotated": {func(a *Account) { a.Settings.VerifyPeriod = time.Hour; a.pendingFor("three") }, never},
		"asked for while it waits":           {func(a *Account) { a.pendingFor("three", "a1"); a.Check = &Check{Asked: now} }, 0},
		"asked for while the cloud shows the outcome": {func(a *Account) {
			a.pendingFor("three", "a1")
			a.Pending.Attempts[0].RequestID, a.Check = "r", &Check{Asked: now}
		}, never},
		"too early last time": {func(a *Account) {
			a.Check = &Check{Time: now.Add(-time.Minute), Result: CheckUnknown, Early: true}
		}, 0},
		"tried a while ago": {func(a *Account) {
			a.Check = &Check{Asked: now, Time: now.Add(-2 * time.Minute), NotBefore: now.Add(8 * time.Minute)}
		}, 8 * time.Minute},
		"tried, and its end was not seen": {func(a *Account) {
			a.Check = &Check{Asked: now, NotBefore: now.Add(20 * time.Minute)}
		}, 20 * time.Minute},
		"tried by a clock that was ahead by minutes": {func(a *Account) {
			a.Check = &Check{Asked: now, Time: now.Add(5 * time.Minute), NotBefore: now.Add(15 * time.Minute)}
		}, 15 * time.Minute},
		"tried by a clock that was ahead by days": {func(a *Account) {
			a.Check = &Check{Asked: now, Time: now.Add(48 * time.Hour), NotBefore: now.Add(49 * time.Hour)}
		}, 0},
		"its next time comes before another try may": {func(a *Account) {
			a.Settings.VerifyPeriod = 10 * time.Minute
			a.Check = &Check{Time: now.Add(-9 * time.Minute), Result: CheckMatches, NotBefore: now.Add(5 * time.Minute)}
		}, 5 * time.Minute},
		"a brake that must wait for the next try": {func(a *Account) {
			a.pendingFor("three", "a1")
			a.Pending.Brake = Brake{Unshown: MaxUnshown, Last: now.Add(-time.Minute), NotBefore: now.Add(time.Hour)}
			a.Check = &Check{Time: now.Add(-2 * time.Minute), NotBefore: now.Add(8 * time.Minute)}
		}, 8 * time.Minute},
		"still too early": {func(a *Account) {
			a.pendingFor("three", "a1")
			a.Check = &Check{Time: now.Add(-time.Minute), Result: CheckUnknown, Early: true}
		}, never},
	} {
		a := checkable()
		c.given(a)
		at, ok := a.nextCheck(now, now)
		if ok != (c.in != never) || ok && max(at.Sub(now), 0) != c.in {
			t.Errorf("%s: %v, %t", name, at.Sub(now), ok)
		}
		if !ok || a.Pending != nil {
			continue
		}
		step, planned := a.Plan(PlanInput{Now: now, CheckHeld: now.Add(time.Second)})
		if want := max(c.in, time.Second); step != StepCheck || planned.Sub(now) != want {
			t.Errorf("%s: planned %s in %s", name, step, planned.Sub(now))
		}
	}
}

func TestDriftIsSaidInWords(t *testing.T) {
	a := checkable()
	a.Check = &Check{Time: checkedAt, Result: CheckOlder, Of: 2, Version: 1}
	err := a.CheckReadable(checkedAt)
	if err == nil || !strings.Contains(err.Error(), "had version 1 when it was checked at 2026-03-01T12:00:00Z") {
		t.Errorf("%v", err)
	}
	a.Settings.ReadDrifted = true
	if err := a.CheckReadable(checkedAt); err != nil {
		t.Errorf("though the role lets it be read: %v", err)
	}
}

// TestACheckThatCannotTellEndsNoDrift: the password is still not the server's while its agent is offline.
func TestACheckThatCannotTellEndsNoDrift(t *testing.T) {
	a := checkable()
	offline := func(seen *Account) CheckMade {
		return CheckMade{Seen: seen, Place: seen.Place, Unknown: hint.Plain("the agent is offline"), At: checkedAt}
	}
	steps := []struct {
		made    func(*Account) CheckMade
		drifted bool
	}{
		{offline, false},
		{func(seen *Account) CheckMade { return CheckMade{Seen: seen, Place: seen.Place, At: checkedAt} }, true},
		{offline, true},
		{offline, true},
		{func(seen *Account) CheckMade {
			return CheckMade{Seen: seen, Place: seen.Place, Match: "two", At: checkedAt}
		}, false},
		{offline, false},
	}
	for i, step := range steps {
		next, err := Transition(a, step.made(a))
		if err != nil {
			t.Fatal(err)
		}
		if a = next; a.Drifted() != step.drifted {
			t.Errorf("after check %d: drifted %t", i+1, a.Drifted())
		}
	}
}

// TestACheckAnswersOnlyWhoAskedBefore: who asks while it is under way wants to know what is true now.
func TestACheckAnswersOnlyWhoAskedBefore(t *testing.T) {
	seen := checkable()
	seen.Check = &Check{Asked: checkedAt.Add(-time.Minute)}
	now := seen.Clone()
	now.Check = &Check{Asked: checkedAt.Add(-time.Second), Action: DriftRotate, By: Requester{DisplayName: "bob"}}
	for name, made := range map[string]CheckMade{
		"right":   {Seen: seen, Place: seen.Place, Match: "two", At: checkedAt},
		"unknown": {Seen: seen, Place: seen.Place, Unknown: hint.Plain("offline"), At: checkedAt},
	} {
		next, err := Transition(now, made)
		if err != nil {
			t.Fatal(err)
		}
		if c := next.Checked(); !c.Asked.Equal(now.Check.Asked) || c.Action != DriftRotate || c.By.DisplayName != "bob" {
			t.Errorf("%s: %+v", name, c)
		}
		if next, err = Transition(seen, made); err != nil || !next.Checked().Asked.IsZero() {
			t.Errorf("%s: %v, %+v is still asked for", name, err, next.Checked())
		}
	}
}

// TestALateOperationOfASerialCloudIsNotRefuted: its settle window is over, but the cloud may still carry it out, since a window there
// does not contain the operation.
func TestALateOperationOfASerialCloudIsNotRefuted(t *testing.T) {
	for _, serial := range []bool{true, false} {
		a := checkable()
		a.pendingFor("three", "a1")
		a.Pending.Attempts[0].Serial = serial
		a, err := Transition(a, AttemptsSettled{Attempts: []string{"a1"}, At: checkedAt})
		if err != nil {
			t.Fatal(err)
		}
		next, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Match: "two", At: checkedAt})
		if err != nil || (next.Pending != nil) != serial {
			t.Errorf("serial %t: %v, pending %+v", serial, err, next.Pending)
		}
		if next, err = Transition(a, CheckMade{Seen: a, Place: a.Place, Match: "three", At: checkedAt}); err != nil || next.LateSerial {
			t.Errorf("serial %t: %v, the cloud orders the next one behind it", serial, err)
		}
	}
}
