package audit

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// Report is what was found at one time.
type Report struct {
	Origin
	MaxAge      time.Duration `json:"-"`
	MaxAgeHours int64         `json:"max_age_hours"`
	Filter      string        `json:"filter,omitempty"` // which accounts it is about; empty: all
	Connections []Connection  `json:"connections"`
	Accounts    []Account     `json:"accounts"`
	// Notes say what the report lacks.
	Notes []string `json:"notes,omitempty"`
}

// Origin is where a report comes from.
type Origin struct {
	Made      time.Time `json:"made_time"`
	By        string    `json:"made_by"` // display name of the token
	Entity    string    `json:"made_by_entity_id,omitempty"`
	Address   string    `json:"vault_address"`
	Cluster   string    `json:"vault_cluster,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Mount     string    `json:"mount"`
	Plugin    string    `json:"plugin_version,omitempty"`
	Command   string    `json:"command_version"`
}

// Connection is a connection to a cloud, or to servers.
type Connection struct {
	Name             string        `json:"name"`
	Provider         string        `json:"provider,omitempty"`
	Accounts         int           `json:"accounts"`
	Exceptions       int           `json:"accounts_with_exceptions"`
	Oldest           time.Duration `json:"-"`
	CredentialAge    time.Duration `json:"-"`
	OldestSeconds    int64         `json:"oldest_password_age"`
	CredentialSecs   int64         `json:"credential_age,omitempty"`
	CredentialEnds   time.Time     `json:"credential_expires,omitzero"`
	CredentialChange time.Time     `json:"last_root_rotation,omitzero"`
	Trouble          string        `json:"trouble,omitempty"`
}

// Account is an account with what an auditor asks about it.
type Account struct {
	engine.Account
	Readers     []engine.Reader `json:"readers"`      // of the current version
	ReadersSeen bool            `json:"readers_read"` // whether they were asked for, and Vault told
	MoreReaders bool            `json:"more_readers,omitempty"`
	Source      string          `json:"source,omitempty"` // of the current version
	Exceptions  []string        `json:"exceptions,omitempty"`
}

// MarshalJSON adds the row's own fields, which engine.Account writes by itself.
func (a Account) MarshalJSON() ([]byte, error) { return marshalAccount(a) }

// Counts are the sums of a report.
type Counts struct {
	Accounts, Exceptions                                                  int
	TooOld, Empty, Unconfirmed, Drifted, Failing, Braked, Gone, Unchecked int
}

// Count sums up.
func (r *Report) Count() Counts {
	c := Counts{Accounts: len(r.Accounts)}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		if len(a.Exceptions) > 0 {
			c.Exceptions++
		}
		for _, is := range []struct {
			n  *int
			it bool
		}{
			{&c.TooOld, a.tooOld(r.MaxAge)}, {&c.Empty, a.Version == 0}, {&c.Unconfirmed, a.unconfirmed()}, {&c.Drifted, a.Drifted},
			{&c.Failing, a.LastError != ""}, {&c.Braked, a.State == stateBraked}, {&c.Gone, a.State == stateGone}, {&c.Unchecked, a.unchecked()},
		} {
			if is.it {
				*is.n++
			}
		}
	}
	return c
}
