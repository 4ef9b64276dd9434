package protocol

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// TestRule25TheBrake: attempts whose outcome is not shown lead to pauses, and others do not.
func TestRule25TheBrake(t *testing.T) {
	foreign := cloud.ResetRecord{OperationID: "foreign", State: cloud.OperationSuccess}
	lost := Backoff{Failures: 4, Uncertain: 4, NotBefore: t0.Add(8 * time.Second), LastError: hint.Plain("the cloud shows another"),
		LastErrorTime: t0}
	look := OperationObserved{Record: foreign, Lost: lost, At: t0}
	unshown := func(n int) func(*Account) {
		return func(a *Account) {
			a.Pending.Brake = Brake{Unshown: n, Last: t0.Add(-time.Hour), Shown: hint.Plain("something")}
		}
	}
	braked := func(pause time.Duration) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) {
			is(t, "pending", a.Pending.Password, "two")
			is(t, "state", a.State(), "braked")
			is(t, "pause", a.brakedUntil(t0).Sub(t0), pause)
			is(t, "shown", a.Pending.Brake.Shown, lost.LastError)
			if err := a.CheckReadable(t0.Add(time.Minute)); err == nil {
				t.Error("it is readable")
			}
		}
	}
	accept := rotating(acknowledged("a", "op"))
	late := OperationObserved{Record: cloud.ResetRecord{OperationID: "before", State: cloud.OperationSuccess}, Lost: lost, GraceOver: true,
		At: t0}
	runTransitions(t, []transitionCase{
		{"an overwritten attempt counts, with the ordinary pause", accept, look, nil, func(t *testing.T, a *Account) {
			is(t, "unshown", a.Pending.Brake.Unshown, 1)
			is(t, "backoff", *a.Backoff, lost)
			is(t, "state", a.State(), "rotating")
			is(t, "braked until", a.brakedUntil(t0), time.Time{})
			is(t, "spent", a.Pending.Spent, t0)
		}},
		{"an attempt that is absent for the whole grace counts", accept, late, nil,
			func(t *testing.T, a *Account) { is(t, "unshown", a.Pending.Brake.Unshown, 1) }},
		{"an attempt that runs for the whole window counts", accept, AttemptsSettled{Attempts: []string{"a"}, Lost: lost, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "unshown", a.Pending.Brake.Unshown, 1)
				is(t, "uncertain", a.Pending.Uncertain, true)
				is(t, "backoff", *a.Backoff, lost)
			}},
		{"an id that was shown before the call confirms nothing", rotating(acknowledged("a", "before")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "before", State: cloud.OperationSuccess}, Lost: lost, GraceOver: true, At: t0},
			nil, func(t *testing.T, a *Account) {
				is(t, "versions", len(a.Versions), 1)
				is(t, "unshown", a.Pending.Brake.Unshown, 1)
			}},
		{"the window of an attempt that was never accepted does not count", rotating(sent("a")),
			AttemptsSettled{Attempts: []string{"a"}, Lost: lost, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "unshown", a.Pending.Brake.Unshown, 0)
			}},
		{"a lost answer does not count", rotating(sent("a")), OutcomeUnknown{"a", lost}, nil,
			func(t *testing.T, a *Account) { is(t, "unshown", a.Pending.Brake.Unshown, 0) }},
		{"a refusal does not count", rotating(sent("a")), AttemptRefused{Attempt: "a", Backoff: lost}, nil,
			func(t *testing.T, a *Account) { is(t, "unshown", a.Pending.Brake.Unshown, 0) }},
		{"the third brakes for an hour", both(accept, unshown(2)), look, nil, braked(time.Hour)},
		{"the next for two", both(accept, unshown(3)), look, nil, braked(2 * time.Hour)},
		{"at most for a day", both(accept, unshown(9)), look, nil, braked(24 * time.Hour)},
		{"however many there were", both(accept, unshown(1000)), look, nil, braked(24 * time.Hour)},
		{"a success ends it", both(accept, unshown(7)),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationSuccess}, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "state", a.State(), "ready")
				is(t, "backoff", a.Backoff == nil, true)
			}},
		{"an operator's word lets it go and keeps the count",
			both(rotating(sent("a")), unshown(3), func(a *Account) { a.Pending.Brake.NotBefore, a.Pending.Spent = t0.Add(time.Hour), t0 }),
			RotationRequested{Reason: DueManual, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "unshown", a.Pending.Brake.Unshown, 3)
				is(t, "braked until", a.brakedUntil(t0), t0)
				is(t, "spent", a.Pending.Spent, time.Time{})
			}},
		{"the value that replaces a rejected one goes on with the count",
			both(rotating(), unshown(2), func(a *Account) { a.Pending.Rejected = true }), RotationStarted{Password: "three", Attempt: sent("b")},
			nil, func(t *testing.T, a *Account) {
				is(t, "pending", a.Pending.Password, "three")
				is(t, "unshown", a.Pending.Brake.Unshown, 2)
			}},
	})
}

// TestBrakeAndTheClock: a pause that a clock far ahead has stored does not count.
func TestBrakeAndTheClock(t *testing.T) {
	a := leasedAccount()
	rotating(sent("a"))(a)
	a.Pending.Brake = Brake{Unshown: 3, Last: t0.Add(10 * 365 * 24 * time.Hour), NotBefore: t0.Add(11 * 365 * 24 * time.Hour)}
	is(t, "braked until", a.brakedUntil(t0), time.Time{})
	a.Pending.Brake.Last, a.Pending.Brake.NotBefore = t0.Add(time.Second), t0.Add(time.Hour) // another node's clock differs a little
	is(t, "braked until", a.brakedUntil(t0), t0.Add(time.Hour))
}

// TestMinResetIntervalCountsFromSpentAttempts: an attempt that may have reset the server is not followed by another within
// min_reset_interval, and one that certainly has not is.
func TestMinResetIntervalCountsFromSpentAttempts(t *testing.T) {
	overwritten := acknowledged("a", "op")
	overwritten.Overwritten = true
	b := Backoff{Failures: 1, LastErrorTime: t0, NotBefore: t0.Add(2 * time.Second)}
	third := b
	third.Uncertain = maxQuick
	own := func(state cloud.OperationState, kind cloud.Kind) cloud.ResetRecord {
		return cloud.ResetRecord{OperationID: "op", State: state, Kind: kind}
	}
	accept := rotating(acknowledged("a", "op"))
	for name, c := range map[string]struct {
		from  func(*Account)
		event Event
		after time.Duration
	}{
		"overwritten": {accept, OperationObserved{Record: cloud.ResetRecord{OperationID: "x"}, Lost: b, At: t0},
			10 * time.Minute},
		"reported as failed": {accept, OperationObserved{Record: own(cloud.OperationFailed, ""), Backoff: b, At: t0},
			10 * time.Minute},
		"refused by the guest": {accept, OperationObserved{Record: own(cloud.OperationFailed, cloud.Refused), Backoff: b, At: t0},
			2 * time.Second},
		"refused at once": {rotating(sent("a")), AttemptRefused{Attempt: "a", Backoff: b}, 2 * time.Second},
		"the value refused": {rotating(sent("a")), AttemptRefused{Attempt: "a", PasswordRefused: true, Backoff: b},
			2 * time.Second},
		"a lost answer":                  {rotating(sent("a")), OutcomeUnknown{"a", b}, 2 * time.Second},
		"the third lost answer in a row": {rotating(sent("a")), OutcomeUnknown{"a", third}, 10 * time.Minute},
		"failed three times, and a new one": {both(accept, func(a *Account) { a.Pending.Failures = 2 }),
			OperationObserved{Record: own(cloud.OperationFailed, ""), Backoff: b, At: t0}, 10 * time.Minute},
	} {
		a := leasedAccount()
		a.Settings.MinResetInterval = 10 * time.Minute
		c.from(a)
		next, err := Transition(a, c.event)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		st, at := next.Plan(PlanInput{Now: t0, Settles: func(Attempt) time.Time { return t0.Add(time.Hour) },
			Traits: allMethods(cloud.ResetTraits{})})
		if st != StepRetry && st != StepBegin || !at.Equal(t0.Add(c.after)) {
			t.Errorf("%s: %s in %s, want the next attempt in %s", name, st, at.Sub(t0), c.after)
		}
	}
}
