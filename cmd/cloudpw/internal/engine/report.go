package engine

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Account is a row of the path report: one user of one server. docs/api/status.md says what the fields mean.
type Account struct {
	Connection  string    `json:"connection"`
	InstanceID  string    `json:"instance_id"`
	Username    string    `json:"username"`
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	Role        string    `json:"role"`
	Mode        string    `json:"mode"`
	State       string    `json:"state"`
	Version     int       `json:"version,omitzero"` // 0: there is no password yet
	CreatedTime time.Time `json:"created_time,omitzero"`
	// Age of the password when Vault answered; only if there is one.
	Age            time.Duration `json:"-"`
	Confirmed      bool          `json:"confirmed"`
	DueReason      string        `json:"due_reason,omitzero"`
	DueSince       time.Time     `json:"due_since,omitzero"`
	WaitingFor     string        `json:"waiting_for,omitzero"`
	NextTry        time.Time     `json:"next_try,omitzero"`
	Failures       int           `json:"failures"`
	LastError      string        `json:"last_error"`
	Leases         int           `json:"leases"`
	Holders        []string      `json:"holders,omitempty"` // display names of live leases; not all if there are many
	Drifted        bool          `json:"drifted"`
	CheckResult    string        `json:"check_result,omitzero"`
	CheckUserState string        `json:"check_user_state,omitzero"`
	CheckedTime    time.Time     `json:"checked_time,omitzero"`
	RebuiltTime    time.Time     `json:"rebuilt_time,omitzero"`
}

// ID names the account as Vault's paths and campaigns do: connection/instance_id/username.
func (a *Account) ID() string { return a.Connection + "/" + a.InstanceID + "/" + a.Username }

type plainAccount Account

type wireAccount struct {
	*plainAccount
	Seconds *int64 `json:"age,omitempty"`
}

// UnmarshalJSON reads a row; age is in seconds there.
func (a *Account) UnmarshalJSON(data []byte) error {
	wire := wireAccount{plainAccount: (*plainAccount)(a)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.Seconds != nil {
		a.Age = time.Duration(*wire.Seconds) * time.Second
	}
	return nil
}

// MarshalJSON writes the fields as the path report has them.
func (a Account) MarshalJSON() ([]byte, error) {
	wire := wireAccount{plainAccount: (*plainAccount)(&a)}
	if a.Version > 0 {
		seconds := int64(a.Age / time.Second)
		wire.Seconds = &seconds
	}
	return json.Marshal(wire)
}

// Filter narrows a report. What is empty does not; what is given must all match.
type Filter struct {
	Connection, Role string
	Name             string // of the server in the cloud; * stands for any characters
	Server           string // instance id, exact name or address
	Holder           string // display name or entity id of who has a live lease
	States           []string
	DueReasons       []string
	CheckResults     []string
	OlderThan        time.Duration // in whole seconds
	Failing          *bool
	Drifted          *bool
	Rebuilt          *bool
}

func (f Filter) query() url.Values {
	q := url.Values{}
	set := func(field, value string) {
		if value != "" {
			q.Set(field, value)
		}
	}
	set("connection", f.Connection)
	set("role", f.Role)
	set("name", f.Name)
	set("server", f.Server)
	set("holder", f.Holder)
	set("state", strings.Join(f.States, ","))
	set("due_reason", strings.Join(f.DueReasons, ","))
	set("check_result", strings.Join(f.CheckResults, ","))
	if f.OlderThan > 0 {
		q.Set("older_than", strconv.FormatInt(int64(f.OlderThan/time.Second), 10)+"s")
	}
	for field, value := range map[string]*bool{"failing": f.Failing, "drifted": f.Drifted, "rebuilt": f.Rebuilt} {
		if value != nil {
			q.Set(field, strconv.FormatBool(*value))
		}
	}
	return q
}

// Page is a part of a report.
type Page struct {
	Accounts []Account `json:"accounts"` // sorted by connection, instance id and user
	Total    int       `json:"total"`    // on all pages
	Next     string    `json:"next"`     // the value of after for the next page; empty: this is the last one
	// Loading: Vault still loads accounts after a start, so some are missing.
	Loading bool `json:"loading"`
	// Warnings are Vault's. One says so if the plugin does not know a filter, which it then ignores.
	Warnings []string `json:"-"`
}

// LargestPage is how many accounts a page may have. For each page Vault looks at all accounts, so whoever needs all of them asks for
// few pages.
const LargestPage = 10_000

// Report reads one page of at most limit accounts (0: 1000; at most LargestPage) that come after the account with the id after.
func (c *Client) Report(ctx context.Context, f Filter, after string, limit int) (Page, error) {
	q := f.query()
	if after != "" {
		q.Set("after", after)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var page Page
	a, err := c.get(ctx, c.mount+"/report", q, 0, &page)
	if err != nil {
		return Page{}, err
	}
	page.Warnings = a.Warnings
	return page, nil
}

// Ignores reports whether the plugin says that it does not know a field of the filter: it is older than this client.
func (p *Page) Ignores(field string) bool {
	for _, w := range p.Warnings {
		if strings.HasPrefix(w, `ignored: "`+field+`"`) {
			return true
		}
	}
	return false
}

// Accounts reads all pages, one after the other, as they are needed.
func (c *Client) Accounts(ctx context.Context, f Filter) iter.Seq2[Account, error] {
	return func(yield func(Account, error) bool) {
		after := ""
		for {
			page, err := c.Report(ctx, f, after, LargestPage)
			if err != nil {
				yield(Account{}, err)
				return
			}
			for _, a := range page.Accounts {
				if !yield(a, nil) {
					return
				}
			}
			if page.Next == "" || page.Next == after {
				return
			}
			after = page.Next
		}
	}
}
