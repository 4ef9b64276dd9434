package audit

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

//go:embed report.html
var page string

// htmlPage escapes what it shows by its place in the page. Names and errors come from clouds, where others may write them, so they are
// cleaned as for a terminal, too.
var htmlPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"clean": output.Clean,
	"time":  output.Time,
	"age":   output.Age,
	"dash":  orDash,
	"join":  func(list []string) string { return output.Clean(strings.Join(list, ", ")) },
}).Parse(page))

// view is what the page shows.
type view struct {
	*Report
	Counts Counts
}

// htmlRow is an account, and whether its password is too old.
type htmlRow struct {
	*Account
	Old bool
}

// Rows are all accounts.
func (v view) Rows() []htmlRow { return v.rows(func(*Account) bool { return true }) }

// Exceptional are the accounts with exceptions.
func (v view) Exceptional() []htmlRow {
	return v.rows(func(a *Account) bool { return len(a.Exceptions) > 0 })
}

func (v view) rows(keeps func(*Account) bool) []htmlRow {
	var out []htmlRow
	for i := range v.Accounts {
		if a := &v.Accounts[i]; keeps(a) {
			out = append(out, htmlRow{a, a.tooOld(v.MaxAge)})
		}
	}
	return out
}

// Told are the readers, one in each line.
func (r htmlRow) Told() []string {
	text := r.readers("\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Limit is the greatest age in words.
func (v view) Limit() string { return output.Age(v.MaxAge) }

// Since is the time until a moment, for credentials.
func (v view) Since(t time.Time) string { return output.Ago(t, v.Made) }

// WriteHTML writes the report as one page without scripts, for a browser or a printer.
func (r *Report) WriteHTML(w io.Writer) error {
	return htmlPage.Execute(w, view{r, r.Count()})
}
