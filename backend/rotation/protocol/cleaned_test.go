package protocol

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// cleaned is an attempt whose record is to be removed.
func cleaned(id string) Attempt {
	t := ordered(id, t0.Unix())
	t.Cleans = true
	return t
}

// leaves are the names of the records that an account still has removed.
func leaves(a *Account) string {
	names := ""
	for _, l := range a.Leftovers {
		names += l.Name + " "
	}
	return names
}

// TestRule21WhatIsLeftToRemove: what is to be removed is noted in the write that has the outcome, and not before.
func TestRule21WhatIsLeftToRemove(t *testing.T) {
	at := t0.Unix()
	sent, unnamed := taking(at, cleaned("a")), cleaned("a")
	unnamed.Name = ""
	shows := func(s cloud.OperationState, kind cloud.Kind) OperationObserved {
		return OperationObserved{At: t0, Record: cloud.ResetRecord{OperationID: "op", Name: "name-a", State: s, Kind: kind}}
	}
	left := func(want string) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) {
			t.Helper()
			is(t, "left", leaves(a), want)
		}
	}
	runTransitions(t, []transitionCase{
		{"accepted", sent, AttemptAccepted{Attempt: "a", RequestID: "op"}, nil, left("")},
		{"running", sent, shows(cloud.OperationRunning, ""), nil, left("")},
		{"the answer is lost", sent, OutcomeUnknown{Attempt: "a"}, nil, left("")},
		{"not shown", sent, OperationObserved{At: t0, GraceOver: true}, nil, left("")},
		{"success", sent, shows(cloud.OperationSuccess, ""), nil, func(t *testing.T, a *Account) {
			is(t, "left", a.Leftovers[0], Leftover{Method: a.Settings.ResetMethod, RequestID: "op", Name: "name-a", Sent: t0})
		}},
		{"failed", sent, shows(cloud.OperationFailed, ""), nil, func(t *testing.T, a *Account) {
			left("name-a ")(t, a)
			next, err := Transition(a, AttemptsSettled{Attempts: []string{"a"}, At: t0})
			if err != nil {
				t.Fatal(err)
			}
			left("name-a ")(t, next) // once
		}},
		{"the guest refused", sent, shows(cloud.OperationFailed, cloud.Refused), nil, left("name-a ")},
		{"the window is over", sent, AttemptsSettled{Attempts: []string{"a"}, At: t0}, nil, left("name-a ")},
		{"that of an earlier value is over", func(a *Account) { a.OldUnresolved = []Attempt{cleaned("a")} },
			AttemptsSettled{Attempts: []string{"a"}, At: t0}, nil, left("name-a ")},
		{"refused by the cloud, which keeps no record", sent, AttemptRefused{Attempt: "a"}, nil, left("")},
		{"not sent", sent, AttemptNotSent{Attempt: "a"}, nil, left("")},
		{"what has no id cannot be removed", taking(at, unnamed), AttemptsSettled{Attempts: []string{"a"}, At: t0}, nil, left("")},
		{"by a method that removes none", taking(at, ordered("a", at)), shows(cloud.OperationSuccess, ""), nil, left("")},
		{"removed", leaving("a", "b"), RecordCleaned{Leftover{Name: "b"}}, nil, left("a ")},
		{"removed already", leaving("a"), RecordCleaned{Leftover{Name: "b"}}, ErrNoChange, nil},
		{"the server is gone, and may come back", leaving("a"), InstanceGone{At: t0}, nil, left("a ")},
		{"a place is forgotten", both(leaving("a"), func(a *Account) { a.Leftovers[0].Place, a.Place = lying, genuine }),
			PlaceForgotten{Place: lying, At: t0}, nil, left("")},
	})
}

// leaving gives an account records to remove.
func leaving(names ...string) func(*Account) {
	return func(a *Account) {
		for _, name := range names {
			a.Leftovers = append(a.Leftovers, Leftover{Name: name})
		}
	}
}

// TestRule21NoMoreIsRememberedThanNeeded: the oldest are forgotten first.
func TestRule21NoMoreIsRememberedThanNeeded(t *testing.T) {
	a := leasedAccount()
	for i := range maxLeftovers + 2 {
		next := cleaned(fmt.Sprint(i))
		a.leave(next)
	}
	is(t, "remembered", len(a.Leftovers), maxLeftovers)
	is(t, "oldest", a.Leftovers[0].Name, "name-2")
}

// TestRule21NoneHoldsUpTheOthers: a record that cannot be removed yet comes last, and in its turn again.
func TestRule21NoneHoldsUpTheOthers(t *testing.T) {
	a := leasedAccount()
	leaving("a", "elsewhere", "b", "c")(a)
	a.Leftovers[1].Place = lying
	order := ""
	for passed := range 5 {
		l, any := a.Leftover(passed)
		is(t, "any", any, true)
		order += l.Name + " "
	}
	is(t, "order", order, "a b c a b ")
	a.Gone = t0
	_, any := a.Leftover(0)
	is(t, "of a server that is gone", any || a.AnyLeftover(), false)
	a.Gone, a.Leftovers = time.Time{}, a.Leftovers[1:2]
	_, any = a.Leftover(0)
	is(t, "where the connection leads now", any || a.AnyLeftover(), false)
}

// TestRule21RemovalComesLast: it holds up nothing, and nothing waits for it.
func TestRule21RemovalComesLast(t *testing.T) {
	left := leaving("a")
	for _, c := range []struct {
		name  string
		from  func(*Account)
		s     PlanInput
		want  Step
		after time.Duration
	}{
		{"at rest", left, PlanInput{}, StepClean, 0},
		{"after a failure", left, PlanInput{CleanHeld: t0.Add(time.Minute)}, StepClean, time.Minute},
		{"while the cloud does not work", left, PlanInput{Held: Waiting{t0.Add(time.Minute), ForBackoff}}, StepClean, time.Minute},
		{"besides what may wait", left, PlanInput{NoSpare: true}, StepNone, 0},
		{"a rotation is due", both(left, due(DueRevoked)), PlanInput{}, StepBegin, 0},
		{"a rotation is due soon", both(left, due(DueRevoked), func(a *Account) {
			a.Backoff = &Backoff{LastErrorTime: t0, NotBefore: t0.Add(cleanMargin - 1)}
		}), PlanInput{}, StepBegin, cleanMargin - 1},
		{"a rotation waits for long", both(left, due(DueRevoked), func(a *Account) {
			a.Backoff = &Backoff{LastErrorTime: t0, NotBefore: t0.Add(cleanMargin)}
		}), PlanInput{}, StepClean, 0},
		{"an outcome is to be seen", both(left, rotating(acknowledged("a", "op"))), PlanInput{NextPoll: t0.Add(time.Minute)}, StepPoll,
			time.Minute},
		{"a lease ends", both(left, readAgo(time.Hour)), PlanInput{}, StepExpire, 0},
		{"the server is to be looked at", both(left, func(a *Account) {
			a.Settings.CheckMethod, a.Check = "command", &Check{Asked: t0}
		}), PlanInput{}, StepCheck, 0},
		{"at another place", both(left, func(a *Account) { a.Leftovers[0].Place, a.Place = lying, genuine }), PlanInput{}, StepNone, 0},
		{"gone", both(left, func(a *Account) { a.Gone = t0 }), PlanInput{}, StepNone, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := leasedAccount()
			c.from(a)
			c.s.Now = t0
			c.s.Settles = func(Attempt) time.Time { return t0.Add(time.Hour) }
			step, at := a.Plan(c.s)
			if step != c.want || step != StepNone && at.Sub(t0) != c.after {
				t.Errorf("%s after %s, want %s after %s", step, at.Sub(t0), c.want, c.after)
			}
			if err := a.CheckSettled(); a.Pending == nil && err != nil {
				t.Errorf("an import has to wait: %v", err)
			}
		})
	}
}
