package bulk

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// Row is one line of the file, and what became of it.
type Row struct {
	Line                 int // of the file, counted from 1
	Connection, Server   string
	Username             string
	Host                 map[string]any // the fields of hosts/ without the name; nil: the row has none
	Password             engine.Secret
	HasPassword          bool
	SkipRotation         *bool  // nil: the default
	instance, user       string // what Server and Username stand for, once that is known; user is empty if it is Username
	Result               Result
	Error                string
	Warnings             []string
	hostResult, planHost Result // what the write of the host did, and what its check said
	done                 bool   // an earlier run has done it
}

// Result is what became of a row.
type Result string

// The results.
const (
	NotTried  Result = "not tried"
	Failed    Result = "failed"
	Created   Result = "created"   // a host that is new
	Changed   Result = "changed"   // a host that was there
	Unchanged Result = "unchanged" // a host that was like that already
	Recorded  Result = "recorded"  // a password, and the host of the row if it has one
	// Results of a check, which writes nothing.
	WouldCreate Result = "would create"
	WouldChange Result = "would change"
	WouldRecord Result = "would record"
)

// Results are all of them, in the order in which they are counted.
func Results() []Result {
	return []Result{Created, Changed, Unchanged, Recorded, WouldCreate, WouldChange, WouldRecord, Failed, NotTried}
}

// Done reports whether nothing is left to do.
func (r Result) Done() bool {
	return r == Created || r == Changed || r == Unchanged || r == Recorded
}

// key names what a row is about. Two rows of a file must not have the same.
func (r *Row) key() string {
	return strings.Join([]string{output.Cell(r.Connection), output.Cell(r.Server), output.Cell(r.Username)}, "\x00")
}

// fail notes why a row cannot be done. The text may come from Vault, and must not repeat the password.
func (r *Row) fail(why string) {
	r.Result, r.Error = Failed, r.clean(why)
}

// clean takes the row's password out of a text.
func (r *Row) clean(s string) string {
	if p := r.Password.Reveal(); p != "" {
		s = strings.ReplaceAll(s, p, "(hidden)")
	}
	return s
}

// Count counts rows by result.
func Count(rows []*Row) map[Result]int {
	n := map[Result]int{}
	for _, r := range rows {
		n[r.Result]++
	}
	return n
}
