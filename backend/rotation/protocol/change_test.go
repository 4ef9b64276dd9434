package protocol

import (
	"testing"
	"time"
)

var (
	alice = Requester{EntityID: "e-1", DisplayName: "userpass-alice"}
	bob   = Requester{EntityID: "e-2", DisplayName: "userpass-bob"}
)

// minute is a time after t0.
func minute(minutes int) time.Time { return t0.Add(time.Duration(minutes) * time.Minute) }

// play applies events one after the other.
func play(t *testing.T, a *Account, events ...Event) *Account {
	t.Helper()
	for _, ev := range events {
		next, err := Transition(a, ev)
		if err != nil {
			t.Fatalf("%T: %v", ev, err)
		}
		a = next
	}
	return a
}

func TestAVersionKeepsWhyAndHowItWasMade(t *testing.T) {
	asked := RotationRequested{Reason: DueManual, Forced: true, By: alice, At: minute(0)}
	begun := RotationStarted{Password: "two", Attempt: Attempt{ID: "a", Started: minute(1)}}
	again := AttemptRepeated{Attempt: Attempt{ID: "b", Started: minute(3)}}
	for name, c := range map[string]struct {
		prepare func(*Account)
		events  []Event
		want    Change
	}{
		"an answer that is itself the proof, and has an id": {nil,
			[]Event{asked, begun, AttemptConfirmed{Attempt: "a", RequestID: "req-1", At: minute(2)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 1, RequestID: "req-1"}},
		"an answer without an id": {nil,
			[]Event{asked, begun, AttemptConfirmed{Attempt: "a", At: minute(2)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 1}},
		"the second attempt, whose outcome the cloud shows": {nil,
			[]Event{asked, begun, OutcomeUnknown{Attempt: "a"}, again, AttemptAccepted{Attempt: "b", RequestID: "req-2"},
				OperationObserved{Record: operationSucceeded("req-2"), At: minute(4)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 2, RequestID: "req-2"}},
		"a request that was not sent does not count": {nil,
			[]Event{asked, begun, AttemptNotSent{Attempt: "a"}, again, AttemptConfirmed{Attempt: "b", At: minute(4)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 1}},
		"due for another reason when somebody asks": {due(DueRevoked),
			[]Event{RotationRequested{Reason: DueManual, Forced: true, By: bob, At: minute(1)}, begun,
				AttemptConfirmed{Attempt: "a", At: minute(2)}},
			Change{Reason: DueRevoked, Since: minute(0), By: bob, Begun: minute(1), Attempts: 1}},
		"nobody asked": {due(DueSchedule), []Event{begun, AttemptConfirmed{Attempt: "a", At: minute(2)}},
			Change{Reason: DueSchedule, Since: minute(0), Begun: minute(1), Attempts: 1}},
		"what became a reason while the value was on its way is the next one's": {due(DueSchedule),
			[]Event{begun, RotationRequested{Reason: DueManual, Forced: true, By: bob, At: minute(2)},
				AttemptConfirmed{Attempt: "a", At: minute(3)}},
			Change{Reason: DueSchedule, Since: minute(0), Begun: minute(1), Attempts: 1}},
		"with a shutdown": {func(a *Account) { a.Settings.ForceStop = true },
			[]Event{asked, begun, AttemptConfirmed{Attempt: "a", At: minute(2)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 1, ForceStop: true}},
		"a shutdown that was allowed for an earlier attempt": {nil,
			[]Event{asked, forced{}, begun, OutcomeUnknown{Attempt: "a"}, unforced{}, again, AttemptConfirmed{Attempt: "b", At: minute(4)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 2, ForceStop: true}},
		"a shutdown that was allowed for a later attempt": {nil,
			[]Event{asked, begun, OutcomeUnknown{Attempt: "a"}, forced{}, again, AttemptConfirmed{Attempt: "b", At: minute(4)}},
			Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1), Attempts: 2, ForceStop: true}},
		"an import": {nil, []Event{PasswordRecorded{Password: "two", Source: FromImport, Reason: DueImport, By: bob, At: minute(5)}},
			Change{Reason: DueImport, Since: minute(5), By: bob}},
	} {
		t.Run(name, func(t *testing.T) {
			a := leasedAccount()
			if c.prepare != nil {
				c.prepare(a)
			}
			is(t, "change", play(t, a, c.events...).Current().Change, c.want)
		})
	}
}

// forced and unforced let a role's force_stop be changed between two attempts.
type (
	forced   struct{}
	unforced struct{}
)

func (forced) apply(a *Account) error   { a.Settings.ForceStop = true; return nil }
func (unforced) apply(a *Account) error { a.Settings.ForceStop = false; return nil }

func TestARequestIsKeptWithTheDue(t *testing.T) {
	a := play(t, leasedAccount(), RotationRequested{Reason: DueManual, Forced: true, By: alice, At: minute(0)})
	is(t, "who asked", a.Due.By, alice)
	a = play(t, leasedAccount(), PasswordRecorded{Password: "x", Source: FromImport, Reason: Restored, MakeDue: true, By: bob, At: minute(0)})
	is(t, "due after a restore", *a.Due, Due{Since: minute(0), Reason: DueImport, By: bob})
	is(t, "the restored version's reason", a.Current().Change.Reason, Restored)
	a = play(t, leasedAccount(), RotationRequested{Reason: DueManual, Forced: true, By: alice, At: minute(0)},
		RotationRequested{Reason: DueRevoked, At: minute(1)})
	is(t, "who asked, when a lease ended since", a.Due.By, alice)
}

func TestMembersKeepWhyTheirGroupChanged(t *testing.T) {
	g := &Account{ID: GroupID("conn", "web"), Role: "web", Settings: leasedSettings()}
	g.Settings.SharedPassword = true
	g = play(t, g, RotationRequested{Reason: DueManual, Forced: true, By: alice, At: minute(0)},
		BatchStarted{ID: "batch", Password: "two", At: minute(1)})
	m := leasedAccount()
	m.Settings.SharedPassword = true
	join := func(m *Account) *Account {
		o := g.Offers()
		return play(t, m, MemberJoined{Role: o.Role, Password: o.Password, Batch: o.Batch, Reason: o.Reason, Why: o.Why, Place: o.Place,
			Attempt: Attempt{ID: "a", Started: minute(2)}}, AttemptConfirmed{Attempt: "a", At: minute(3)})
	}
	want := Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(2), Attempts: 1}
	is(t, "a member's", join(m).Current().Change, want)
	g = play(t, g, BatchConfirmed{Batch: "batch", At: minute(4)})
	is(t, "the group's", g.Current().Change, Change{Reason: DueManual, Since: minute(0), By: alice, Begun: minute(1)})
	is(t, "that of a member which lagged behind", join(m).Current().Change, want)
}
