package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/bulk"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// importFlags are the flags of the command import.
type importFlags struct {
	dryRun   bool
	partial  bool
	report   string
	resume   string
	parallel int
}

// shownFailures is how many rows that failed are listed; the report has all.
const shownFailures = 20

func newImportCommand(a *app) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import hosts and known passwords from a CSV file",
		Long: `import reads a CSV file, checks all of it, and then writes what it has into the mount: hosts of the inventory (hosts/), and
passwords that people have set (import/). FILE is - for standard input, so that a file that is decrypted need not be stored.

The first line names the columns. A row is a host if a column of hosts is filled in, a password if it has one, or both.

` + columnsHelp() + `
Nothing is written if one row is wrong, or Vault would refuse it: all mistakes are listed with their lines. With --partial the rows that
Vault would take are sent nevertheless. Ctrl-C lets the requests that run end, begins no others, and writes the report.

No output, error or report has a password. Delete the file when its passwords are recorded.`,
		Example: `  cloudpw import servers.csv --dry-run
  cloudpw import servers.csv --report done.csv
  cloudpw import servers.csv --resume done.csv --report done.csv
  gpg --decrypt passwords.csv.gpg | cloudpw import - --report done.csv`,
		Args:    one("FILE"),
		GroupID: groupKeep,
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, args []string) error {
			return a.importFile(ctx, args[0], &f)
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "write nothing, and say what would be done")
	flags.BoolVar(&f.partial, "partial", false, "send the rows that Vault would take, although it would refuse others")
	flags.StringVar(&f.report, "report", "", "write what became of each row to this file, as CSV")
	flags.StringVar(&f.resume, "resume", "", "send only the rows that this report of an earlier run does not say are done")
	flags.IntVar(&f.parallel, "parallel", bulk.DefaultParallel, fmt.Sprintf("passwords sent at once, 1 to %d", bulk.MaxParallel))
	cmd.ValidArgsFunction = cobra.FixedCompletions([]cobra.Completion{"csv"}, cobra.ShellCompDirectiveFilterFileExt)
	return cmd
}

// columnsHelp lists the columns.
func columnsHelp() string {
	var out strings.Builder
	out.WriteString("Columns:\n")
	for _, c := range bulk.Columns() {
		fmt.Fprintf(&out, "  %-22s%-10s%s\n", c.Name, c.Of, c.Meaning)
	}
	return out.String()
}

func (a *app) importFile(ctx context.Context, path string, f *importFlags) error {
	format, err := a.format(output.Table, output.JSON, output.CSV)
	if err != nil {
		return err
	}
	if f.parallel < 1 || f.parallel > bulk.MaxParallel {
		return usagef("--parallel: must be 1 to %d", bulk.MaxParallel)
	}
	rows, err := a.readImport(path)
	if err != nil {
		return err
	}
	if f.resume != "" {
		if err := resumeImport(rows, f.resume); err != nil {
			return err
		}
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	run := &importRun{app: a, flags: f, rows: rows, todo: bulk.Todo(rows), format: format}
	run.job = &bulk.Job{Mount: c, Parallel: f.parallel}
	if f.report != "" {
		if run.report, err = bulk.CreateReport(f.report, f.report == f.resume); err != nil {
			return err
		}
		for _, r := range rows {
			if !slices.Contains(run.todo, r) {
				run.report.Add(r)
			}
		}
		run.job.Done = run.report.Add
	}
	err = run.do(ctx)
	if run.report != nil {
		err = errors.Join(err, run.report.Close(rows))
	}
	return run.end(err)
}

func (a *app) readImport(path string) ([]*bulk.Row, error) {
	in := a.stdio.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	rows, err := bulk.Read(in)
	if err != nil {
		return nil, try(fmt.Errorf("%s: %w", path, err), "cloudpw import --help")
	}
	return rows, nil
}

func resumeImport(rows []*bulk.Row, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	defer func() { _ = file.Close() }()
	return bulk.Resume(rows, file)
}

// importRun is a run of the command.
type importRun struct {
	*app
	flags      *importFlags
	job        *bulk.Job
	rows, todo []*bulk.Row
	report     *bulk.ReportFile
	format     output.Format
}

// errRefused ends a run of which nothing was sent, since Vault would refuse rows.
var errRefused = errors.New("nothing was sent, since Vault would refuse rows")

func (r *importRun) do(ctx context.Context) error {
	progress := output.NewProgress(r.stdio.Err, isTerminal(r.stdio.Err), fmt.Sprintf("%d rows, %d to do", len(r.rows), len(r.todo)))
	defer progress.Stop()
	r.job.Progress = func(done, total int, words string) {
		if progress.Terminal() || done == total {
			progress.Update(done, total, words)
		}
	}
	if err := r.job.Check(ctx, r.todo); err != nil {
		return err
	}
	refused := bulk.Count(r.todo)[bulk.Failed]
	switch {
	case r.flags.dryRun:
		return nil
	case refused > 0 && !r.flags.partial:
		for _, row := range r.todo {
			if row.Result != bulk.Failed {
				row.Result = bulk.NotTried
			}
		}
		return errRefused
	}
	return r.job.Send(ctx, r.todo)
}

// end prints what became of the rows, and is what the command ends with.
func (r *importRun) end(err error) error {
	count := bulk.Count(r.rows)
	r.listWarnings()
	r.listFailures(count[bulk.Failed])
	if printed := r.print(count); printed != nil {
		return errors.Join(err, printed)
	}
	switch {
	case errors.Is(err, errRefused):
		return try(err, "mend the rows above, or --partial to send the others")
	case err != nil && !errors.Is(err, context.Canceled):
		return r.resumable(err, count)
	case count[bulk.NotTried] > 0:
		return r.resumable(fmt.Errorf("interrupted: %d of %d rows were not tried", count[bulk.NotTried], len(r.rows)), count)
	case count[bulk.Failed] > 0:
		return &exitError{exitLocal}
	}
	return nil
}

// resumable adds how to go on.
func (r *importRun) resumable(err error, count map[bulk.Result]int) error {
	switch {
	case count[bulk.NotTried]+count[bulk.Failed] == 0:
		return err
	case r.flags.report == "":
		return try(err, "the same command again, with --report FILE so that it can be continued")
	}
	return try(err, "the same command with --resume %s", output.Word(r.flags.report))
}

func (r *importRun) listWarnings() {
	shown := 0
	for _, row := range r.rows {
		for _, w := range row.Warnings {
			if shown++; shown <= shownFailures {
				r.note("line %d: warning: %s", row.Line, w)
			}
		}
	}
	if shown > shownFailures {
		r.note("and %d more warnings; -o json has all", shown-shownFailures)
	}
}

func (r *importRun) listFailures(failed int) {
	shown := 0
	for _, row := range r.rows {
		if row.Result != bulk.Failed {
			continue
		}
		if shown++; shown > shownFailures {
			hint := "--report FILE has all"
			if r.flags.report != "" {
				hint = r.flags.report + " has all"
			}
			r.note("and %d more; %s", failed-shownFailures, hint)
			return
		}
		r.note("line %d: %s: %s", row.Line, row.Server, row.Error)
	}
}

func (r *importRun) print(count map[bulk.Result]int) error {
	switch r.format {
	case output.CSV:
		return bulk.Rows(r.rows).WriteCSV(r.stdio.Out)
	case output.JSON:
		type jsonRow struct {
			Line       int         `json:"line"`
			Connection string      `json:"connection"`
			Server     string      `json:"server"`
			Username   string      `json:"username,omitempty"`
			Result     bulk.Result `json:"result"`
			Error      string      `json:"error,omitempty"`
			Warnings   []string    `json:"warnings,omitempty"`
		}
		rows := make([]jsonRow, 0, len(r.rows))
		for _, row := range r.rows {
			rows = append(rows, jsonRow{row.Line, row.Connection, row.Server, row.Username, row.Result, row.Error, row.Warnings})
		}
		return output.WriteJSON(r.stdio.Out, map[string]any{"rows": rows, "count": count, "dry_run": r.flags.dryRun})
	}
	var parts []string
	for _, result := range bulk.Results() {
		if count[result] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[result], result))
		}
	}
	r.say("%d rows: %s", len(r.rows), strings.Join(parts, ", "))
	return nil
}
