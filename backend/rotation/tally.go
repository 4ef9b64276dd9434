package rotation

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Tally counts the accounts of a connection or a role.
type Tally struct {
	Connection string
	States     map[string]int // how many accounts are in each state
	Accounts   int
	Leases     int
	Due        int
	OldestDue  time.Time // since when the longest waiting of them has been due
	Oldest     ID
	Failing    int
	Drifted    int // how many servers do not have the current version, as far as checks have shown
}

// add counts an outline. A group has leases, can be due and can fail, but it is no account.
func (t *Tally) add(v *View, leases int, group bool) {
	t.Leases += leases
	if !group {
		t.Accounts++
		t.States[v.State]++
	}
	if v.Due != nil && v.Gone.IsZero() {
		t.Due++
		if t.OldestDue.IsZero() || v.Due.Since.Before(t.OldestDue) {
			t.OldestDue, t.Oldest = v.Due.Since, v.ID
		}
	}
	if !v.Failed().IsZero() {
		t.Failing++
	}
	if v.Drifted {
		t.Drifted++
	}
}

// tallyOf is the tally of a name, which is made at its first use.
func tallyOf(tallies map[string]*Tally, name, connection string) *Tally {
	t := tallies[name]
	if t == nil {
		t = &Tally{Connection: connection, States: map[string]int{}}
		tallies[name] = t
	}
	return t
}

// FailureCause is a cause for which accounts fail.
type FailureCause struct {
	Accounts int
	// Example is the first of them by name, and LastError what is known of it.
	Example   ID
	LastError hint.Text
	names     []string
}

// Words are the example's last error without what only this account or one request has.
func (f *FailureCause) Words(mount string) string {
	return withoutNames(f.LastError.At(mount), f.names)
}

// Causes sum failures up by their cause.
type Causes map[string]*FailureCause

// Add counts an account that fails.
func (cs Causes) Add(v *View, failed hint.Text) {
	names := []string{v.ID.String(), v.ID.InstanceID, v.Facts.Name, v.Facts.PrivateIP, v.Facts.PublicIP}
	words := withoutNames(failed.String(), names)
	f := cs[words]
	if f == nil {
		f = &FailureCause{}
		cs[words] = f
	}
	if f.Accounts == 0 || CompareIDs(v.ID, f.Example) < 0 {
		f.Example, f.LastError, f.names = v.ID, failed, names
	}
	f.Accounts++
}

// Sorted are the causes, those of most accounts first.
func (cs Causes) Sorted() []FailureCause {
	all := make([]FailureCause, 0, len(cs))
	for _, f := range cs {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b FailureCause) int {
		return cmp.Or(b.Accounts-a.Accounts, CompareIDs(a.Example, b.Example))
	})
	return all
}

// requestIDs are what differs from one answer of a cloud to the next though the cause is the same: ids of requests, those that
// are UUIDs, and times.
var requestIDs = regexp.MustCompile(`,? ?\(?(?:cloud )?(?i:request ?id)[: =]+[\w./+=-]*[\w/+=]\)?|` +
	`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|` +
	`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?`)

// shortName is the length up to which a name may be a word like others: it is then left where it stands.
const shortName = 3

// withoutNames leaves out of a message what only one account or request has.
func withoutNames(words string, names []string) string {
	for _, name := range names {
		if len(name) > shortName {
			words = strings.ReplaceAll(words, name, "...")
		}
	}
	return requestIDs.ReplaceAllStringFunc(words, func(found string) string {
		if strings.Contains(strings.ToLower(found), "request") {
			return ""
		}
		return "..."
	})
}
