package protocol

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// The rules that change a password, by number; see the package's doc comment.

func TestRules1To3RecordingAttempts(t *testing.T) {
	runTransitions(t, []transitionCase{
		{"1: pending and its first attempt are one change", due(DueRevoked), RotationStarted{Password: "two", Attempt: sent("a")}, nil,
			func(t *testing.T, a *Account) {
				is(t, "pending", a.Pending.Password, "two")
				is(t, "open attempts", len(a.Pending.Attempts), 1)
				is(t, "tried", a.Pending.Tried, 1)
				is(t, "last reset", a.LastReset, t0)
				is(t, "reason", a.Due.Reason, DueRevoked)
			}},
		{"2: nothing is begun that is not due", nil, RotationStarted{Password: "two", Attempt: sent("a")}, ErrStale, nil},
		{"2: nothing is begun on an instance that is gone", both(due(DueRevoked), func(a *Account) { a.Gone = t0 }),
			RotationStarted{Password: "two", Attempt: sent("a")}, ErrStale, nil},
		{"2: a retry is one more open attempt", rotating(sent("a")), AttemptRepeated{sent("b")}, nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 2)
			is(t, "tried", a.Pending.Tried, 2)
		}},
		{"2: no retry while an accepted attempt may still be shown", rotating(acknowledged("a", "op")), AttemptRepeated{sent("b")}, ErrStale,
			nil},
		{"2: no retry without a pending", due(DueRevoked), AttemptRepeated{sent("b")}, ErrStale, nil},
		{"3: another value is not begun over a pending", rotating(sent("a")), RotationStarted{Password: "three", Attempt: sent("b")}, ErrStale,
			nil},
		{"3: a retry keeps the value", rotating(sent("a")), AttemptRepeated{sent("b")}, nil,
			func(t *testing.T, a *Account) { is(t, "pending", a.Pending.Password, "two") }},
		{"3: the request id is stored on acceptance", rotating(sent("a")), AttemptAccepted{"a", "op"}, nil, func(t *testing.T, a *Account) {
			is(t, "request id", a.Pending.Attempts[0].RequestID, "op")
		}},
		{"3: acceptance of a closed attempt is stale", rotating(sent("a")), AttemptAccepted{"other", "op"}, ErrStale, nil},
	})
}

func TestRules4And5ClosingAttempts(t *testing.T) {
	b := Backoff{Failures: 1, NotBefore: t0.Add(time.Minute), LastError: hint.Plain("why")}
	runTransitions(t, []transitionCase{
		{"4a: a refusal closes that very attempt only", rotating(sent("a"), sent("b")), AttemptRefused{Attempt: "a", Backoff: b}, nil,
			func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 1)
				is(t, "the open one", a.Pending.Attempts[0].ID, "b")
				is(t, "uncertain", a.Pending.Uncertain, false)
				is(t, "last error", a.Backoff.LastError.String(), "why")
			}},
		{"4a: a refusal of a closed attempt is stale", rotating(sent("a")), AttemptRefused{Attempt: "b", Backoff: b}, ErrStale, nil},
		{"4a: an attempt that was never sent closes without a trace", rotating(sent("a")), AttemptNotSent{"a"}, nil,
			func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 0)
				is(t, "tried", a.Pending.Tried, 0)
				is(t, "backoff", a.Backoff, nil)
			}},
		{"4b: a failure under its own id closes the attempt", rotating(acknowledged("a", "op"), sent("b")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationFailed}, Backoff: b, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "the open one", a.Pending.Attempts[0].ID, "b")
				is(t, "failures", a.Pending.Failures, 1)
				is(t, "uncertain", a.Pending.Uncertain, true)
			}},
		{"4c: the settle window closes, without certainty", rotating(sent("a"), sent("b")), AttemptsSettled{Attempts: []string{"a"}}, nil,
			func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 1)
				is(t, "uncertain", a.Pending.Uncertain, true)
				is(t, "loose", a.ClosedByTimeout, true)
			}},
		{"4c: nothing to settle", rotating(sent("a")), AttemptsSettled{Attempts: []string{"b"}}, ErrNoChange, nil},
		{"4: an unknown outcome closes nothing", rotating(sent("a")), OutcomeUnknown{"a", b}, nil, func(t *testing.T, a *Account) {
			is(t, "open attempts", len(a.Pending.Attempts), 1)
			is(t, "pending", a.Pending.Password, "two")
		}},
		{"5: the operation seen before the call means not visible yet", rotating(acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "before", State: cloud.OperationSuccess}, At: t0}, ErrNoChange, nil},
		{"4a: a record may show that the attempt did nothing", rotating(sent("x"), acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationFailed, Kind: cloud.Refused}, Backoff: b, At: t0},
			nil, func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 1)
				is(t, "uncertain", a.Pending.Uncertain, false)
				is(t, "failures", a.Pending.Failures, 0)
				is(t, "backoff", *a.Backoff, b)
			}},
		{"4a: or that the guest refuses the password", rotating(acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationFailed, Kind: cloud.PasswordRefused}, Backoff: b,
				At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "rejected", a.Pending.Rejected, true)
				is(t, "uncertain", a.Pending.Uncertain, false)
			}},
		{"2: an attempt by another method than the account's is not begun", due(DueManual),
			RotationStarted{Password: "two", Attempt: Attempt{ID: "a", Method: "api"}}, ErrStale, nil},
		{"3: nor repeated", rotating(sent("a")), AttemptRepeated{Attempt{ID: "b", Method: "api"}}, ErrStale, nil},
		{"5: after the grace it means overwritten", rotating(acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "before"}, GraceOver: true, At: t0}, nil, func(t *testing.T, a *Account) {
				is(t, "overwritten", a.Pending.Attempts[0].Overwritten, true)
			}},
		{"5: another id means overwritten, and the attempt stays open", rotating(acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "foreign", State: cloud.OperationSuccess}, At: t0}, nil,
			func(t *testing.T, a *Account) {
				is(t, "open attempts", len(a.Pending.Attempts), 1)
				is(t, "polled", a.Pending.AnyPolled(), false)
				is(t, "current", a.Current().Password, "one")
			}},
		{"5: a running operation changes nothing", rotating(acknowledged("a", "op")),
			OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationRunning}, At: t0}, ErrNoChange, nil},
		{"5: a look without an accepted attempt is stale", rotating(sent("a")), OperationObserved{Record: cloud.ResetRecord{OperationID: "op"},
			At: t0}, ErrStale, nil},
	})
}

func TestRule6Confirmation(t *testing.T) {
	success := OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationSuccess}, At: t0.Add(time.Minute)}
	runTransitions(t, []transitionCase{
		{"success under the attempt's own id promotes in one write", both(rotating(acknowledged("a", "op")), func(a *Account) {
			a.Candidates = []Candidate{{Password: "failed"}}
			a.Backoff = &Backoff{Failures: 2}
		}), success, nil, func(t *testing.T, a *Account) {
			is(t, "current", *a.Current(), Version{Number: 2, Password: "two", Source: FromReset, Created: t0.Add(time.Minute), Confirmed: true,
				Change: Change{Begun: t0, Attempts: 1, RequestID: "op"}})
			is(t, "end of version 1", a.Versions[0].Ended, t0.Add(time.Minute))
			is(t, "last rotation", a.LastRotation, t0.Add(time.Minute))
			if a.Pending != nil || a.Candidates != nil || a.Due != nil || a.Backoff != nil || a.OldUnresolved != nil {
				t.Errorf("left over: %s", encoded(t, a))
			}
		}},
		{"attempts that are still open become old_unresolved", rotating(sent("x"), acknowledged("a", "op"), sent("y")), success, nil,
			func(t *testing.T, a *Account) {
				is(t, "old_unresolved", len(a.OldUnresolved), 2)
			}},
		{"an answer that is itself the proof promotes", rotating(sent("a")), AttemptConfirmed{Attempt: "a", At: t0}, nil,
			func(t *testing.T, a *Account) { is(t, "current", a.Current().Password, "two") }},
		{"the proof of a closed attempt is stale", rotating(sent("a")), AttemptConfirmed{Attempt: "b", At: t0}, ErrStale, nil},
		{"old versions are pruned, the current one never",
			both(rotating(acknowledged("a", "op")), func(a *Account) { a.Settings.MaxVersions = 1 }), success, nil, func(t *testing.T, a *Account) {
				is(t, "versions", len(a.Versions), 1)
				is(t, "current", a.Current().Number, 2)
			}},
	})
}

func TestRules7And8RefusalsAndFailures(t *testing.T) {
	failed := OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationFailed}, Backoff: Backoff{Failures: 3},
		At: t0}
	rejected := func(uncertain bool, open ...Attempt) func(*Account) {
		return both(rotating(open...), func(a *Account) { a.Pending.Rejected, a.Pending.Uncertain = true, uncertain })
	}
	runTransitions(t, []transitionCase{
		{"7: a failure keeps pending and the reason", rotating(acknowledged("a", "op")), failed, nil, func(t *testing.T, a *Account) {
			is(t, "pending", a.Pending.Password, "two")
			is(t, "reason", a.Due.Reason, DueRevoked)
			is(t, "rejected", a.Pending.Rejected, false)
		}},
		{"8: the third failure rejects", both(rotating(acknowledged("a", "op")), func(a *Account) { a.Pending.Failures = 2 }), failed, nil,
			func(t *testing.T, a *Account) {
				is(t, "rejected", a.Pending.Rejected, true)
				is(t, "pending", a.Pending.Password, "two")
			}},
		{"8: with a full set of candidates the pending is kept instead", both(rotating(acknowledged("a", "op")), func(a *Account) {
			a.Pending.Failures = 2
			a.Candidates = make([]Candidate, maxCandidates)
		}), failed, nil, func(t *testing.T, a *Account) { is(t, "rejected", a.Pending.Rejected, false) }},
		{"8: a refused password rejects", rotating(sent("a")), AttemptRefused{Attempt: "a", PasswordRefused: true}, nil,
			func(t *testing.T, a *Account) { is(t, "rejected", a.Pending.Rejected, true) }},
		{"8: a rejected value is not sent again", rejected(false), AttemptRepeated{sent("b")}, ErrStale, nil},
		{"8: it is not replaced while an attempt is open", rejected(false, sent("a")), RotationStarted{Password: "three", Attempt: sent("b")},
			ErrStale, nil},
		{"8: certainly refused, it is forgotten", rejected(false), RotationStarted{Password: "three", Attempt: sent("b")}, nil,
			func(t *testing.T, a *Account) { is(t, "candidates", len(a.Candidates), 0) }},
		{"8: otherwise it becomes a candidate", rejected(true), RotationStarted{Password: "three", Attempt: sent("b")}, nil,
			func(t *testing.T, a *Account) {
				is(t, "candidates", len(a.Candidates), 1)
				is(t, "candidate", a.Candidates[0].Password, "two")
				is(t, "pending", a.Pending.Password, "three")
			}},
		{"8: candidates do not count as versions", both(rejected(true), func(a *Account) {
			a.Settings.MaxVersions = 1
			a.Candidates = []Candidate{{Password: "x"}, {Password: "y"}}
		}), RotationStarted{Password: "three", Attempt: sent("b")}, nil, func(t *testing.T, a *Account) {
			is(t, "candidates", len(a.Candidates), 3)
			is(t, "current", a.Current().Password, "one")
		}},
	})
}

func TestRule9NoNewValueWhileOldOnesAreOpen(t *testing.T) {
	unresolved := both(due(DueRevoked), func(a *Account) { a.OldUnresolved = []Attempt{sent("old")} })
	runTransitions(t, []transitionCase{
		{"old_unresolved holds the next rotation back", unresolved, RotationStarted{Password: "two", Attempt: sent("a")}, ErrStale, nil},
		{"the settle window sets it free", unresolved, AttemptsSettled{Attempts: []string{"old"}}, nil, func(t *testing.T, a *Account) {
			is(t, "old_unresolved", len(a.OldUnresolved), 0)
			is(t, "current", a.Current().Password, "one")
		}},
	})
}
