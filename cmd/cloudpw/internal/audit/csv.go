package audit

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// csvColumns are the columns. The first says what a row is about: report (one row: where it comes from), note, connection or account.
var csvColumns = []string{"record", "connection", "instance_id", "username", "name", "address", "role", "mode", "state", "version",
	"created_time", "age_days", "older_than_max_age", "source", "confirmed", "drifted", "check_result", "checked_time", "readers", "holders",
	"exceptions", "text"}

// WriteCSV writes all of the report as one table.
func (r *Report) WriteCSV(w io.Writer) error {
	out := output.NewCSV(w, csvColumns)
	out.Add(cells(map[string]string{"record": "report", "text": r.origin()}))
	for _, n := range r.Notes {
		out.Add(cells(map[string]string{"record": "note", "text": n}))
	}
	for _, c := range r.Connections {
		out.Add(cells(map[string]string{"record": "connection", "connection": c.Name, "text": c.words(r.Made)}))
	}
	for i := range r.Accounts {
		out.Add(cells(r.accountCells(&r.Accounts[i])))
	}
	return out.Flush()
}

func cells(values map[string]string) []string {
	line := make([]string, len(csvColumns))
	for i, column := range csvColumns {
		line[i] = values[column]
	}
	return line
}

// origin is where the report comes from, in one line.
func (r *Report) origin() string {
	var out strings.Builder
	fmt.Fprintf(&out, "made %s by %s", output.Time(r.Made), r.By)
	for _, p := range [][2]string{{" (entity ", r.Entity}, {", mount ", r.Mount}, {" at ", r.Address}, {", cluster ", r.Cluster},
		{", namespace ", r.Namespace}, {", plugin ", r.Plugin}, {", command ", r.Command}, {", only ", r.Filter}} {
		if p[1] == "" {
			continue
		}
		out.WriteString(p[0] + p[1])
		if p[0] == " (entity " {
			out.WriteString(")")
		}
	}
	fmt.Fprintf(&out, ", maximum age %s", output.Age(r.MaxAge))
	return out.String()
}

// words tell of a connection in one line.
func (c *Connection) words(now time.Time) string {
	parts := []string{fmt.Sprintf("provider %s, %d accounts, %d with exceptions", orDash(c.Provider), c.Accounts, c.Exceptions)}
	if c.Oldest > 0 {
		parts = append(parts, "oldest password "+output.Age(c.Oldest))
	}
	if c.CredentialAge > 0 {
		parts = append(parts, "own credential "+output.Age(c.CredentialAge)+" old")
	}
	if !c.CredentialEnds.IsZero() {
		parts = append(parts, "which ends "+output.Ago(c.CredentialEnds, now))
	}
	if c.Trouble != "" {
		parts = append(parts, c.Trouble)
	}
	return strings.Join(parts, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (r *Report) accountCells(a *Account) map[string]string {
	v := map[string]string{"record": "account", "connection": a.Connection, "instance_id": a.InstanceID, "username": a.Username,
		"name": a.Name, "address": a.Address, "role": a.Role, "mode": a.Mode, "state": a.State,
		"drifted": strconv.FormatBool(a.Drifted), "source": a.Source,
		"check_result": a.CheckResult, "checked_time": stamp(a.CheckedTime), "readers": a.readers("; "), "holders": strings.Join(a.Holders, "; "),
		"exceptions": strings.Join(a.Exceptions, "; ")}
	if a.Version > 0 {
		v["version"], v["created_time"] = strconv.Itoa(a.Version), stamp(a.CreatedTime)
		v["age_days"] = strconv.FormatFloat(a.Age.Hours()/24, 'f', 1, 64)
		v["older_than_max_age"], v["confirmed"] = strconv.FormatBool(a.tooOld(r.MaxAge)), strconv.FormatBool(a.Confirmed)
	}
	return v
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// readers are the readers of the current version in one cell.
func (a *Account) readers(between string) string {
	var all []string
	for _, r := range a.Readers {
		all = append(all, reader(r))
	}
	if a.MoreReaders {
		all = append(all, "and others")
	}
	return strings.Join(all, between)
}

// reader is a reader with the times of the first and the last read.
func reader(r engine.Reader) string {
	name := r.DisplayName
	if name == "" {
		name = r.EntityID
	}
	if r.First.Equal(r.Last) {
		return fmt.Sprintf("%s (%s)", name, stamp(r.First))
	}
	return fmt.Sprintf("%s (%s to %s)", name, stamp(r.First), stamp(r.Last))
}
