//go:build e2e

package command

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReportForAuditors: who was given a password, which accounts have none, and who made the report, as a page and as a table; no
// password is in it.
func TestReportForAuditors(t *testing.T) {
	t.Parallel()
	e := start(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	reader := e.token(t, "rita", "Reader")
	vault := e.As(t, reader)
	secret, err := vault.Logical().ReadWithData("cloudpw/creds/web/"+ids[0], map[string][]string{"wait": {"45s"}})
	if err != nil || secret == nil {
		t.Fatal(err)
	}
	password := secret.Data["password"].(string)
	officer := e.token(t, "sofia", "Security officer")
	dir := t.TempDir()
	page := filepath.Join(dir, "audit.html")

	first := e.run(t, officer, "report", page)
	if first.code != 0 {
		t.Fatalf("%s", first)
	}
	wants(t, "the outcome", first.out, page+": 2 accounts, 1 with exceptions, 0 passwords older than 90d")
	wants(t, "stderr", first.err, "note: connections without accounts are missing: the token may not list config/")
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the page", string(html), "userpass-sofia (entity ", "cloudpw/ at "+e.Address, "userpass-rita (", "no password yet", ids[0],
		ids[1])
	if info, err := os.Stat(page); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again := e.run(t, officer, "report", page)
	if again.code != 1 {
		t.Errorf("it replaces a report: %s", again)
	}
	wants(t, "stderr", again.err, "exists", "--force")

	table := e.done(t, officer, "report", "--role", "web", "--max-age", "1h")
	lines, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(lines) != 6 { // a header, the report, a note, a connection and two accounts
		t.Errorf("%d lines, %v:\n%s", len(lines), err, table)
	}
	wants(t, "the table", table, "made 20", "by userpass-sofia", "only role web", "userpass-rita (", "no password yet")
	if strings.Contains(table, password) || strings.Contains(string(html), password) {
		t.Error("a report has the password")
	}
	json := decoded[struct {
		Mount  string `json:"mount"`
		Plugin string `json:"plugin_version"`
		Counts struct{ Accounts, Empty int }
	}](t, e.done(t, officer, "report", "-o", "json"))
	if json.Mount != "cloudpw/" || json.Plugin == "" || json.Counts.Accounts != 2 || json.Counts.Empty != 1 {
		t.Errorf("%+v", json)
	}

	documented, err := os.ReadFile("../../docs/auditors.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for line := range strings.Lines(string(documented)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "cloudpw" {
			continue
		}
		typed++
		file := filepath.Join(t.TempDir(), words[len(words)-1])
		e.done(t, officer, append(words[1:len(words)-1], file)...)
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if typed != 2 {
		t.Errorf("%d commands of auditors.md were typed", typed)
	}

	denied := e.run(t, reader, "report")
	if denied.code != 2 {
		t.Errorf("a reader's report: %s", denied)
	}
	for _, args := range [][]string{
		{"report", "audit.pdf"}, {"report", "--max-age", "soon"}, {"report", "-o", "table"}, {"report", page, "-o", "csv"},
	} {
		if r := e.run(t, officer, args...); r.code != 1 {
			t.Errorf("%v: %s", args, r)
		}
	}
}
