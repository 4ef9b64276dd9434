package protocol

import (
	"errors"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// loginCheckable is checkable, by logins.
func loginCheckable() *Account {
	a := checkable()
	a.Settings.CheckMethod = cloud.CheckSSH
	return a
}

// TestAConfirmedVersionIsTried: an attempt's outcome makes a check by a login due at once, and one that only reports.
func TestAConfirmedVersionIsTried(t *testing.T) {
	const elsewhere = Place("8899aabbccddeeff/200")
	confirm := AttemptConfirmed{Attempt: "a1", At: checkedAt}
	for name, c := range map[string]struct {
		given  func(*Account)
		event  Event
		due    bool
		action DriftAction
	}{
		"by a login":              {func(*Account) {}, confirm, true, DriftReport},
		"though it drifts loudly": {func(a *Account) { a.Settings.DriftAction = DriftRotate }, confirm, true, DriftReport},
		"by a command":            {func(a *Account) { a.Settings.CheckMethod = cloud.CheckCommand }, confirm, false, ""},
		"by nothing":              {func(a *Account) { a.Settings.CheckMethod = "" }, confirm, false, ""},
		"a group's record":        {func(a *Account) { a.InstanceID = groupInstance }, confirm, false, ""},
		"at a place that is not trusted": {func(a *Account) { a.Place, a.Pending.Place = elsewhere, elsewhere },
			confirm, false, ""},
		"what was asked for stays": {func(a *Account) {
			a.Check = &Check{Asked: checkedAt.Add(-time.Minute), Action: DriftRotate, By: Requester{DisplayName: "bob"}}
		}, confirm, true, DriftRotate},
		"by a look": {func(*Account) {}, nil, false, ""},
	} {
		a := loginCheckable()
		a.pendingFor("three", "a1")
		c.given(a)
		if c.event == nil {
			c.event = CheckMade{Seen: a, Place: a.Place, Match: "three", Only: "three", At: checkedAt}
		}
		got, err := Transition(a, c.event)
		if err != nil || got.Current().Password != "three" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := got.Checked()
		if !k.Asked.IsZero() != c.due || k.Action != c.action {
			t.Errorf("%s: %+v", name, k)
		}
		if c.due && c.event == confirm {
			got.OldUnresolved = nil
			if step, at := got.Plan(PlanInput{Now: checkedAt}); step != StepCheck || at.After(checkedAt) {
				t.Errorf("%s: planned %s at %v", name, step, at)
			}
		}
	}
}

// TestACheckAfterARotationKeepsTheLockOutRule: it waits for the distance to the last try.
func TestACheckAfterARotationKeepsTheLockOutRule(t *testing.T) {
	a := loginCheckable()
	a.pendingFor("three", "a1")
	a.Check = &Check{Time: checkedAt.Add(-2 * time.Minute), Result: CheckDiffers, Of: 2, NotBefore: checkedAt.Add(8 * time.Minute)}
	a, err := Transition(a, AttemptConfirmed{Attempt: "a1", At: checkedAt})
	if err != nil {
		t.Fatal(err)
	}
	if step, at := a.Plan(PlanInput{Now: checkedAt}); step != StepCheck || !at.Equal(checkedAt.Add(8*time.Minute)) {
		t.Errorf("planned %s at %v", step, at)
	}
}

// TestARoleThatChangesItsChecksForgetsNoTry, nor does one that takes the account over, or a move to another connection.
func TestARoleThatChangesItsChecksForgetsNoTry(t *testing.T) {
	tried := func() *Account {
		a, err := Transition(loginCheckable(), CheckStarted{Clock: ClockReading{Now: checkedAt, Wall: checkedAt}, Interval: 10 * time.Minute,
			LongestTry: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	other := func(change func(*Settings)) Settings {
		s := tried().Settings
		change(&s)
		return s
	}
	bound := func(s Settings) Event { return SettingsChanged{Role: "web", Settings: s, At: checkedAt} }
	moved := ConnectionChanged{To: ID{"other", "ins-1", "root"}, Place: PlaceChanged{Place: tried().Place, Trusted: true},
		Facts: Facts{Place: tried().Place}, Role: "web", At: checkedAt}
	for name, events := range map[string][]Event{
		"another address": {bound(other(func(s *Settings) { s.CheckAddress, s.CheckPort = cloud.AddressPublic, 2222 }))},
		"another method": {bound(other(func(s *Settings) { s.CheckMethod = cloud.CheckCommand })),
			bound(other(func(s *Settings) { s.VerifyPeriod = time.Hour }))},
		"no method": {bound(other(func(s *Settings) { s.CheckMethod = "" })), bound(other(func(s *Settings) { s.VerifyPeriod = time.Hour }))},
		"another role": {RoleUnbound{Role: "web"}, MoveAllowed{Role: "next"},
			RoleBound{Role: "next", Settings: tried().Settings, Facts: Facts{Place: tried().Place}, At: checkedAt}},
		"another connection": {moved},
	} {
		a := tried()
		for _, ev := range events {
			next, err := Transition(a, ev)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a = next
		}
		if a.Successor != nil {
			a = a.Continued()
		}
		if held := a.CheckHeld(checkedAt); held != 11*time.Minute {
			t.Errorf("%s: it is held for %s", name, held)
		}
		again := CheckStarted{Clock: ClockReading{Now: checkedAt.Add(10 * time.Minute), Wall: checkedAt.Add(10 * time.Minute)}}
		if _, err := Transition(a, again); !errors.Is(err, ErrStale) {
			t.Errorf("%s: a second try: %v", name, err)
		}
	}
}

// TestACheckThatWasTooEarlyKeepsWhatItWasFor: the one that follows when nothing is open does that, and nothing else.
func TestACheckThatWasTooEarlyKeepsWhatItWasFor(t *testing.T) {
	a := loginCheckable()
	a.Settings.DriftAction = DriftRotate
	a.OldUnresolved = []Attempt{{ID: "a0"}}
	a.Check = &Check{Asked: checkedAt, Action: DriftReport}
	_, early := a.TryValue()
	a, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Unknown: NothingToTry(early), Early: early, At: checkedAt})
	if err != nil || a.Check.Action != DriftReport || !a.Check.Asked.IsZero() {
		t.Fatalf("%v: %+v", err, a.Checked())
	}
	a.OldUnresolved = nil
	a, err = Transition(a, CheckMade{Seen: a, Place: a.Place, Only: "two", At: checkedAt.Add(time.Minute)})
	if err != nil || !a.Drifted() || a.Due != nil {
		t.Errorf("%v: due %+v", err, a.Due)
	}
}

// TestADriftThatANewPasswordDidNotEndIsOnlyReported: the version was made for a drift, and no login ever got in with it.
func TestADriftThatANewPasswordDidNotEndIsOnlyReported(t *testing.T) {
	for name, c := range map[string]struct {
		given func(*Account)
		due   bool
	}{
		"found once":              {func(a *Account) { a.Check = nil }, true},
		"found of an older one":   {func(a *Account) { a.Check.Of = 1 }, true},
		"found twice":             {func(*Account) {}, false},
		"it was right in between": {func(a *Account) { a.Check.Result, a.Check.Version = CheckMatches, 2 }, true},
		"made for another reason": {func(a *Account) { a.Versions[1].Change.Reason = DueManual }, true},
		"somebody asks for it":    {func(a *Account) { a.Check.Asked, a.Check.Action = checkedAt, DriftRotate }, true},
		"by a command":            {func(a *Account) { a.Settings.CheckMethod = cloud.CheckCommand }, true},
	} {
		a := loginCheckable()
		a.Settings.DriftAction = DriftRotate
		a.Versions[1].Change.Reason = DueDrifted
		a.Check = &Check{Time: checkedAt.Add(-time.Hour), Result: CheckDiffers, Of: 2}
		c.given(a)
		got, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Only: "two", At: checkedAt})
		if err != nil || !got.Drifted() || (got.Due != nil) != c.due {
			t.Errorf("%s: %v, due %+v", name, err, got.Due)
		}
	}
}

// TestALoginThatWasLetInIsRemembered, until the server may have another system.
func TestALoginThatWasLetInIsRemembered(t *testing.T) {
	a := loginCheckable()
	a.Facts = Facts{Image: "one", Place: a.Place}
	step := func(ev Event) {
		t.Helper()
		next, err := Transition(a, ev)
		if err != nil {
			t.Fatal(err)
		}
		a = next
	}
	step(CheckMade{Seen: a, Place: a.Place, Match: "two", Only: "two", LoggedIn: true, At: checkedAt})
	step(CheckMade{Seen: a, Place: a.Place, Only: "two", At: checkedAt.Add(time.Hour)})
	step(CheckMade{Seen: a, Place: a.Place, Only: "two", Unknown: hint.Plain("no route"), At: checkedAt.Add(2 * time.Hour)})
	if !a.Checked().LoggedIn {
		t.Error("it is forgotten")
	}
	in := a
	step(InstanceDescribed{Facts: Facts{Image: "two", Place: a.Place}, At: checkedAt})
	if a.Checked().LoggedIn || a.Rebuilt == nil {
		t.Errorf("after the rebuild: %+v", a.Checked())
	}
	a = in
	step(PasswordRecorded{Password: "by hand", Source: FromImport, At: checkedAt, Reason: DueImport})
	if a.Checked().LoggedIn {
		t.Error("after somebody has recorded another password")
	}
}

// TestOnlyAnAddressOfThePlaceIsAsked: what another place says of a server's address counts nothing.
func TestOnlyAnAddressOfThePlaceIsAsked(t *testing.T) {
	a := loginCheckable()
	a.Facts = Facts{Name: "web-1", PrivateIP: "10.0.0.7", PublicIP: "192.0.2.7", Place: a.Place}
	for kind, want := range map[cloud.AddressKind]string{"": "10.0.0.7", cloud.AddressPrivate: "10.0.0.7", cloud.AddressPublic: "192.0.2.7",
		cloud.AddressName: "web-1"} {
		a.Settings.CheckAddress = kind
		is(t, "address "+string(kind), a.CheckAddress(), want)
	}
	a.Facts.Place = "8899aabbccddeeff/200"
	is(t, "of another place", a.CheckAddress(), "")
}

// TestATriedPasswordIsTheMembersOwn: the value of a group that was not made for a member, or has not come to it, is not tried there.
func TestATriedPasswordIsTheMembersOwn(t *testing.T) {
	a := loginCheckable()
	a.Settings.SharedPassword, a.Joining = true, Rejoins
	if value, _ := a.TryValue(); value != "two" {
		t.Errorf("a member that waits to join is tried with %q", value)
	}
	a.pendingFor("batch", "a1")
	a.Pending.Batch = "b1"
	if value, _ := a.TryValue(); value != "batch" {
		t.Errorf("the value on its way is not tried: %q", value)
	}
	got, err := Transition(a, CheckMade{Seen: a, Place: a.Place, Only: "batch", Unknown: hint.Plain("no route"), At: checkedAt})
	if err != nil || got.Pending == nil || got.Drifted() {
		t.Errorf("%v: %+v", err, got.Checked())
	}
}
