package protocol

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// ordered is an attempt of an order whose command the cloud has taken under a name of ours.
func ordered(id string, order int64) Attempt {
	const window = 20 * time.Minute
	return Attempt{ID: id, Started: t0, Method: "command", Name: "name-" + id, Order: order, Window: window, FenceWindow: window}
}

// taking is an account on its way to a value by attempts of a method that keeps the order.
func taking(order int64, attempts ...Attempt) func(*Account) {
	return both(rotating(attempts...), func(a *Account) {
		a.Settings.ResetMethod, a.Pending.Order, a.LastOrder = "command", order, order
	})
}

func rejected(a *Account) { a.Pending.Rejected = true }

func TestRule19TheOrderOfValues(t *testing.T) {
	at := t0.Unix()
	larger := RotationStarted{Password: "three", Attempt: ordered("b", at+1)}
	shown := func(r cloud.ResetRecord) OperationObserved { return OperationObserved{Record: r, At: t0} }
	failed := cloud.ResetRecord{OperationID: "op", Name: "name-a", State: cloud.OperationFailed}
	refused, badPassword, older := failed, failed, failed
	refused.Kind, badPassword.Kind, older.Order = cloud.Refused, cloud.PasswordRefused, at+500
	absurd := failed
	absurd.Order = MaxOrder
	runTransitions(t, []transitionCase{
		{"a new value needs a larger order", both(due(DueRevoked), func(a *Account) { a.Settings.ResetMethod, a.LastOrder = "command", at }),
			RotationStarted{Password: "two", Attempt: ordered("a", at)}, ErrStale, nil},
		{"which the record keeps", both(due(DueRevoked), func(a *Account) { a.Settings.ResetMethod = "command" }),
			RotationStarted{Password: "two", Attempt: ordered("a", at)}, nil, func(t *testing.T, a *Account) {
				is(t, "last order", a.LastOrder, at)
				is(t, "order of pending", a.Pending.Order, at)
			}},
		{"another attempt has the same one", taking(at, ordered("a", at)), AttemptNotSent{"a"}, nil, func(t *testing.T, a *Account) {
			if _, err := Transition(a, AttemptRepeated{ordered("b", at)}); err != nil {
				t.Error(err)
			}
			if _, err := Transition(a, AttemptRepeated{ordered("b", at-1)}); err == nil {
				t.Error("a smaller order is taken")
			}
		}},
		{"an open attempt does not keep a rejected value from being replaced", both(taking(at, ordered("a", at)), rejected), larger, nil,
			func(t *testing.T, a *Account) {
				is(t, "pending", a.Pending.Password, "three")
				is(t, "candidates", len(a.Candidates), 1)
				is(t, "open attempts of it", len(a.OldUnresolved), 1)
				is(t, "something is open", a.Open(), true)
				is(t, "state", a.State(), "rotating")
			}},
		{"one without an order does", both(taking(at, ordered("a", at), sent("old")), rejected), larger, ErrStale, nil},
		{"and a barrier", both(due(DueRevoked), func(a *Account) {
			a.Settings.ResetMethod, a.OldUnresolved = "command", []Attempt{{ID: "fence", IsFence: true, Order: at}}
		}), larger, ErrStale, nil},
		{"open attempts of an earlier value hold nothing back", both(due(DueRevoked), func(a *Account) {
			a.Settings.ResetMethod, a.LastOrder, a.OldUnresolved = "command", at, []Attempt{ordered("old", at)}
		}), larger, nil, func(t *testing.T, a *Account) { is(t, "pending", a.Pending.Password, "three") }},
		{"after a failure the command may be run again", taking(at, ordered("a", at)), shown(failed), nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 1)
			is(t, "polled", a.Pending.AnyPolled(), false)
			is(t, "uncertain", a.Pending.Uncertain, true)
			is(t, "failures", a.Pending.Failures, 1)
		}},
		{"after a refusal, too", taking(at, ordered("a", at)), shown(refused), nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 1)
			is(t, "uncertain", a.Pending.Uncertain, true)
			is(t, "failures", a.Pending.Failures, 0)
		}},
		{"a refused password becomes a candidate", taking(at, ordered("a", at)), shown(badPassword), nil, func(t *testing.T, a *Account) {
			is(t, "rejected", a.Pending.Rejected, true)
			next, err := Transition(a, larger)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "candidates", len(next.Candidates), 1)
		}},
		{"its window closes it", both(taking(at, ordered("a", at)), func(a *Account) { a.Pending.Attempts[0].Ended = true }),
			AttemptsSettled{Attempts: []string{"a"}, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 0)
				is(t, "counted for the brake", a.Pending.Brake.Unshown, 0)
				is(t, "fence", a.TimeoutFence, 20*time.Minute)
			}},
		{"what the cloud itself refused never runs", taking(at, ordered("a", at)), AttemptRefused{Attempt: "a"}, nil,
			func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 0)
				is(t, "uncertain", a.Pending.Uncertain, false)
			}},
		{"a larger order on the server is gone past", taking(at, ordered("a", at)), shown(older), nil, func(t *testing.T, a *Account) {
			is(t, "next order", a.NextOrder(t0, true), at+501)
			next, err := Transition(a, AttemptRepeated{ordered("b", at+501)})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "order of pending", next.Pending.Order, at+501)
			is(t, "of one more attempt", next.NextOrder(t0, true), at+501)
		}},
		{"an absurd one is not believed", taking(at, ordered("a", at)), shown(absurd), nil,
			func(t *testing.T, a *Account) { is(t, "next order", a.NextOrder(t0, true), at) }},
		{"after a success another method still has to wait", taking(at, ordered("a", at)),
			shown(cloud.ResetRecord{OperationID: "op", Name: "name-a", State: cloud.OperationSuccess}), nil, func(t *testing.T, a *Account) {
				is(t, "current", a.Current().Password, "two")
				is(t, "old_unresolved", len(a.OldUnresolved), 0)
				s := a.Settings
				s.ResetMethod = "api"
				next, err := Transition(a, SettingsChanged{Role: a.Role, Settings: s, At: t0})
				if err != nil {
					t.Fatal(err)
				}
				is(t, "barrier", next.Fenced(), true)
			}},
	})
}

func TestNextOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		last int64
		want int64
	}{
		{"the time", 0, t0.Unix()},
		{"past the last one, in the same second", t0.Unix(), t0.Unix() + 1},
		{"past the last one, though the clock was set back", t0.Unix() + 9000, t0.Unix() + 9001},
	} {
		is(t, c.name, (&Account{LastOrder: c.last}).NextOrder(t0, false), c.want)
	}
}

func TestRule20NamesOfOurOwn(t *testing.T) {
	at := t0.Unix()
	lost, after := taking(at, ordered("a", at)), ordered("a", at)
	after.SeenOperation = "before"
	runTransitions(t, []transitionCase{
		{"a lost answer's attempt is found by its name", lost, OperationObserved{At: t0,
			Record: cloud.ResetRecord{OperationID: "op", Name: "name-a", State: cloud.OperationSuccess}}, nil, func(t *testing.T, a *Account) {
			is(t, "current", a.Current().Password, "two")
			is(t, "request id", a.Current().Change.RequestID, "op")
		}},
		{"while it runs its id is kept", lost, OperationObserved{At: t0,
			Record: cloud.ResetRecord{OperationID: "op", Name: "name-a", State: cloud.OperationRunning}}, nil, func(t *testing.T, a *Account) {
			is(t, "request id", a.Pending.Attempts[0].RequestID, "op")
			is(t, "polled", a.Pending.AnyPolled(), true)
		}},
		{"another one's success is none of its own", lost, OperationObserved{At: t0,
			Record: cloud.ResetRecord{OperationID: "op", Name: "name-b", State: cloud.OperationSuccess}}, nil, func(t *testing.T, a *Account) {
			is(t, "current", a.Current().Password, "one")
		}},
		{"no operation is none of its own, though there was one before", taking(at, after), OperationObserved{At: t0,
			Record: cloud.ResetRecord{State: cloud.OperationSuccess}, GraceOver: true}, nil, func(t *testing.T, a *Account) {
			is(t, "current", a.Current().Password, "one")
		}},
		{"one without an id changes nothing while it runs", lost, OperationObserved{At: t0,
			Record: cloud.ResetRecord{Name: "name-a", State: cloud.OperationRunning}}, ErrNoChange, nil},
		{"absent, it is asked for again", lost, OperationObserved{At: t0}, ErrNoChange, nil},
		{"absent past the grace, it stays open", lost, OperationObserved{At: t0, GraceOver: true}, nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 1)
			is(t, "counted for the brake", a.Pending.Brake.Unshown, 0)
			next, err := Transition(a, AttemptRepeated{ordered("b", at)})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "open attempts then", len(next.Pending.Attempts), 2)
		}},
		{"nothing is sent again while it may be shown", lost, AttemptRepeated{ordered("b", at)}, ErrStale, nil},
		{"the window of one that was never acknowledged is no missing outcome", lost, AttemptsSettled{Attempts: []string{"a"}, At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "counted for the brake", a.Pending.Brake.Unshown, 0) }},
	})
}
