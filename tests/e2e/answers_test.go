//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// answer is a password that Vault has given, for how long ever it may last.
type answer struct {
	password     string
	asked, given time.Time // when the question left and when the answer had come
}

// checkAnswers finds the answers with a password that the server had at no moment between the question and the answer.
// attempts are all that ever wanted to set the server's password; nothing else changes it.
func checkAnswers(attempts []model.Attempt, answers []answer) []string {
	applied := slices.DeleteFunc(slices.Clone(attempts), func(a model.Attempt) bool { return a.Applied.IsZero() })
	slices.SortStableFunc(applied, func(a, b model.Attempt) int { return a.Applied.Compare(b.Applied) })
	had := func(x answer) bool {
		for i, a := range applied {
			ended := i+1 < len(applied) && applied[i+1].Applied.Before(x.asked)
			if a.Password == x.password && !a.Applied.After(x.given) && !ended {
				return true
			}
		}
		return false
	}
	var faults []string
	for _, x := range answers {
		if !had(x) {
			faults = append(faults, fmt.Sprintf("a password asked for at %s and given at %s was not the server's at any moment between",
				clock(x.asked), clock(x.given)))
		}
	}
	return faults
}

func TestHistoryOfAnswers(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	history := []model.Attempt{
		{Seq: 1, Password: "one", Applied: at(10)},
		{Seq: 2, Password: "two"}, // lost on its way
		{Seq: 3, Password: "two", Applied: at(20)},
		{Seq: 4, Password: "two", Applied: at(30)}, // a late repetition
	}
	for name, c := range map[string]struct {
		password     string
		asked, given int
		faults       int
	}{
		"the server's":              {"one", 11, 12, 0},
		"changed before it arrived": {"one", 19, 21, 0},
		"set before it arrived":     {"two", 19, 21, 0},
		"set twice":                 {"two", 31, 32, 0},
		"before any":                {"one", 8, 9, 1},
		"not set yet":               {"two", 11, 12, 1},
		"not any more":              {"one", 21, 22, 1},
		"never heard of":            {"three", 21, 22, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := checkAnswers(history, []answer{{password: c.password, asked: at(c.asked), given: at(c.given)}})
			if len(got) != c.faults {
				t.Errorf("found %q, want %d faults", got, c.faults)
			}
		})
	}
}
