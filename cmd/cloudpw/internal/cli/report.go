package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/audit"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// reportFlags are the flags of the command report.
type reportFlags struct {
	audit.Options
	maxAge string
	force  bool
}

// defaultMaxAge is what many rules for passwords ask for.
const defaultMaxAge = "90d"

func newReportCommand(a *app) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [FILE]",
		Short: "Make a report for auditors: ages, readers, drift, exceptions",
		Long: `report writes what an auditor asks about the passwords of the mount: how old each is, who was given it and who holds it, which
servers have another one, and which accounts are an exception: older than --max-age, without a password, not confirmed, failing, braked,
drifted, rebuilt, gone, or recorded by hand and never checked. It also lists the connections, and says who made it, when and from which
mount.

A FILE that ends in .html becomes one page without scripts, to look at or to print; .csv a table; .json all of it for programs. Without
FILE the result is CSV, or JSON with -o json. It has no password, but names of servers and people: the file is readable by you only.

The token needs read on report; for readers, read on accounts/; for connections, list on config/ and read on status. What it may not read
is missing, and the report says so. docs/auditors.md says what a report is evidence for.`,
		Example: `  cloudpw report audit.html
  cloudpw report --max-age 30d --role web audit.csv
  cloudpw report -o json | jq '.accounts[] | select(.exceptions)'`,
		Args:    cobra.MaximumNArgs(1),
		GroupID: groupSee,
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.report(ctx, args, &f)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.maxAge, "max-age", defaultMaxAge, "greatest age that a password may have, such as 12h or 30d")
	flags.StringVar(&f.Filter.Connection, "connection", "", "only accounts of this connection")
	flags.StringVar(&f.Filter.Role, "role", "", "only accounts of this role")
	flags.StringVar(&f.Filter.Name, "name", "", "only servers with this name in the cloud; * stands for any characters")
	flags.BoolVar(&f.Readers, "readers", true, "also read who was given each password, which takes a request for each account")
	flags.BoolVar(&f.force, "force", false, "replace FILE if it exists")
	_ = cmd.RegisterFlagCompletionFunc("connection", a.completeNames("config"))
	_ = cmd.RegisterFlagCompletionFunc("role", a.completeNames("roles"))
	cmd.ValidArgsFunction = cobra.FixedCompletions([]cobra.Completion{"html", "csv", "json"}, cobra.ShellCompDirectiveFilterFileExt)
	return cmd
}

// writer writes a report in a format.
type writer func(r *audit.Report, w io.Writer) error

func writeReportJSON(r *audit.Report, w io.Writer) error {
	return output.WriteJSON(w, struct {
		*audit.Report
		Counts audit.Counts `json:"counts"`
	}{r, r.Count()})
}

// reportWriter is the format that the file's name or -o asks for.
func (a *app) reportWriter(path string) (writer, error) {
	byName := map[string]writer{".html": (*audit.Report).WriteHTML, ".csv": (*audit.Report).WriteCSV, ".json": writeReportJSON}
	if path == "" {
		format, err := a.format(output.CSV, output.JSON)
		if err != nil {
			return nil, err
		}
		return byName["."+string(format)], nil
	}
	if a.output != "" {
		return nil, usagef("-o, --output: the name of the file says its format; leave one of them out")
	}
	write := byName[strings.ToLower(filepath.Ext(path))]
	if write == nil {
		return nil, usagef("%s: the name must end in .html, .csv or .json", path)
	}
	return write, nil
}

func (a *app) report(ctx context.Context, args []string, f *reportFlags) error {
	path := strings.Join(args, "")
	write, err := a.reportWriter(path)
	if err != nil {
		return err
	}
	if f.MaxAge, err = parseDuration(f.maxAge); err != nil {
		return usagef("--max-age: %w", err)
	}
	if _, err := os.Lstat(path); err == nil && path != "" && !f.force {
		return try(fmt.Errorf("%s exists", path), "another name, or --force to replace it")
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	r, err := a.makeReport(ctx, c, f)
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		a.note("note: %s", n)
	}
	if path == "" {
		return write(r, a.stdio.Out)
	}
	if err := writeFile(path, func(w io.Writer) error { return write(r, w) }); err != nil {
		return err
	}
	n := r.Count()
	a.say("%s: %d accounts, %d with exceptions, %d passwords older than %s", path, n.Accounts, n.Exceptions, n.TooOld, output.Age(r.MaxAge))
	return nil
}

func (a *app) makeReport(ctx context.Context, c *engine.Client, f *reportFlags) (*audit.Report, error) {
	progress := output.NewProgress(a.stdio.Err, isTerminal(a.stdio.Err), "reading accounts")
	defer progress.Stop()
	f.Progress = func(done, total int) {
		if progress.Terminal() {
			progress.Update(done, total, "reading who was given each password")
		}
	}
	return audit.Make(ctx, c, audit.OriginOf(ctx, c, a.now(), Version), f.Options)
}

// writeFile writes a file that only its owner can read, whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
