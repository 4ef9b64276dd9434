package protocol

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestCandidatesAreBoundedAndKept: however a cloud mixes failures, refused passwords and lost answers, an account keeps every
// value that its server may have, and no more than a few.
func TestCandidatesAreBoundedAndKept(t *testing.T) {
	for seed := range uint64(20) {
		draw := rand.New(rand.NewPCG(seed, 26))
		a := leasedAccount()
		due(DueRevoked)(a)
		may := map[string]bool{"one": true}
		apply := func(ev Event) error {
			next, err := Transition(a, ev)
			if err == nil {
				a = next
			}
			return err
		}
		tried := map[string]int{}
		for i := range 2000 {
			id := fmt.Sprint(i)
			var err error
			if p := a.Pending; p == nil || p.Rejected {
				value := a.CandidateToResend()
				if value == "" {
					value = "value-" + id
				}
				err = apply(RotationStarted{Password: value, Attempt: sent(id)})
			} else {
				err = apply(AttemptRepeated{sent(id)})
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v: %s", seed, i, err, describe(a))
			}
			value := a.Pending.Password
			tried[value]++
			switch draw.IntN(4) {
			case 0: // refused, at once
				err = apply(AttemptRefused{Attempt: id, PasswordRefused: true})
			case 1: // failed, which proves nothing
				may[value] = true
				if err = apply(AttemptAccepted{id, "op-" + id}); err == nil {
					err = apply(OperationObserved{Record: cloud.ResetRecord{OperationID: "op-" + id, State: cloud.OperationFailed}})
				}
			case 2: // lost, and closed by its window
				may[value] = true
				if err = apply(OutcomeUnknown{id, Backoff{}}); err == nil {
					err = apply(AttemptsSettled{Attempts: []string{id}})
				}
			default:
				err = apply(AttemptRefused{Attempt: id})
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v: %s", seed, i, err, describe(a))
			}
			for value := range may {
				if value != "one" && a.Pending.Password != value &&
					!slices.ContainsFunc(a.Candidates, func(c Candidate) bool { return c.Password == value }) {
					t.Fatalf("seed %d, step %d: the server may have %s, which is lost: %s", seed, i, value, describe(a))
				}
			}
			if len(a.Candidates) > maxCandidates {
				t.Fatalf("seed %d, step %d: %d candidates", seed, i, len(a.Candidates))
			}
		}
		if len(a.Candidates) < maxCandidates {
			t.Errorf("seed %d: only %d candidates: the test is not about their bound", seed, len(a.Candidates))
		}
		for _, c := range a.Candidates {
			if tried[c.Password] < 2 {
				t.Errorf("seed %d: %s was not sent again", seed, c.Password)
			}
		}
	}
}

// TestAMemberIsNotGivenTooManyValues: its group's values are not its own to choose.
func TestAMemberIsNotGivenTooManyValues(t *testing.T) {
	a := leasedAccount()
	rotating()(a)
	a.Settings.SharedPassword = true
	a.Pending.Batch, a.Pending.Rejected, a.Pending.Uncertain = "b1", true, true
	for i := range maxCandidates {
		a.Candidates = append(a.Candidates, Candidate{Password: fmt.Sprint(i)})
	}
	_, err := Transition(a, MemberJoined{Role: a.Role, Password: "other", Batch: "b2", Attempt: sent("x")})
	var told *Error
	if !errors.As(err, &told) || told.Kind != Conflict {
		t.Errorf("got %v", err)
	}
	a.Pending.Uncertain = false
	if _, err := Transition(a, MemberJoined{Role: a.Role, Password: "other", Batch: "b2", Attempt: sent("x")}); err != nil {
		t.Errorf("a value that was certainly refused is forgotten: %v", err)
	}
}
