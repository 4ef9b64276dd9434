package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// The words of docs/api/accounts.md.
const (
	stateBraked   = "braked"
	stateGone     = "gone"
	sourceImport  = "import"
	resultMatches = "matches"
)

func (a *Account) tooOld(limit time.Duration) bool { return a.Version > 0 && a.Age > limit }

func (a *Account) unconfirmed() bool { return a.Version > 0 && !a.Confirmed }

// unchecked is a password that somebody recorded by hand, and that nothing has compared with the server.
func (a *Account) unchecked() bool {
	return a.Version > 0 && a.Source == sourceImport && a.CheckedTime.IsZero()
}

// judge notes what an auditor should look at.
func (a *Account) judge(limit time.Duration) {
	a.Exceptions = nil
	add := func(is bool, format string, args ...any) {
		if is {
			a.Exceptions = append(a.Exceptions, fmt.Sprintf(format, args...))
		}
	}
	add(a.tooOld(limit), "older than %s", output.Age(limit))
	add(a.Version == 0, "no password yet")
	add(a.unconfirmed(), "no confirmation that the server has the password")
	add(a.Drifted, "the server has another password")
	add(!a.RebuiltTime.IsZero(), "the server seems to have been rebuilt since")
	add(a.State == stateBraked, "resets show no outcome")
	add(a.State == stateGone, "the server is gone")
	add(a.LastError != "", "fails: %s", a.LastError)
	add(a.unchecked(), "recorded by hand, never checked")
	add(!a.Drifted && a.CheckResult != "" && a.CheckResult != resultMatches, "last check: %s", a.CheckResult)
	add(a.CheckUserState != "", "the user is %s", a.CheckUserState)
	add(a.Role == "" && a.State != stateGone, "belongs to no role")
	add(a.MoreReaders, "also given to readers who are not known by name")
}

// marshalAccount writes an account's row and what is added to it as one object.
func marshalAccount(a Account) ([]byte, error) {
	row, err := json.Marshal(a.Account)
	if err != nil {
		return nil, err
	}
	type plain struct {
		Readers     any      `json:"readers"`
		ReadersSeen bool     `json:"readers_read"`
		MoreReaders bool     `json:"more_readers,omitempty"`
		Source      string   `json:"source,omitempty"`
		Exceptions  []string `json:"exceptions,omitempty"`
	}
	more, err := json.Marshal(plain{a.Readers, a.ReadersSeen, a.MoreReaders, a.Source, a.Exceptions})
	if err != nil {
		return nil, err
	}
	return append(append(row[:len(row)-1], ','), more[1:]...), nil
}
