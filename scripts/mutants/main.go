// Command mutants shows that the tests notice when the code is wrong. It breaks the code at one place after the other, as
// the files of a folder say, and demands that a test fails each time. The sources stay as they are: go test takes the broken
// file from a temporary folder (-overlay).
//
//	mutants [-only REGEXP] [-sample N -by TEXT] [-check] [FOLDER]
//
// Such a file has a sentence that says what breaks, then optional fields, then the change:
//
//	A lost answer counts as "nothing happened" (rule 4).
//	packages: ./backend/rotation
//	run: ^TestUnknownOutcomes$
//	flags: -sim.runs=2000
//	-- backend/rotation/protocol/outcome.go --
//	the old text, whole lines, which the file has exactly once
//	-- becomes --
//	the new text
//
// There may be several changes, also of one file. The name of the file is that of the mutation. By default the tests run
// that defaultRun names.
//
// A mutation that no test notices fails the run, as does one that takes too long, and any that does not apply any more or does
// not compile, whichever are chosen. So do tests that fail without any mutation: they would notice everything.
//
// Most of the time goes into compiling. A mutation that a table of the protocol notices takes about 6 s of processor time,
// one that a directed test of ./backend/rotation does about 10 s. So name such a test where there is one, and leave to the
// random schedules what only a history shows.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

const (
	defaultFolder  = "backend/rotation/testdata/mutants"
	defaultPackage = "./backend/rotation"
	// defaultRun are the simulation's random schedules, which see most of what a broken protocol does.
	defaultRun   = "^TestRandomSchedules$"
	defaultFlags = "-sim.runs=20000"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("only", "", "run those whose names match this regular expression")
	sample := flags.Int("sample", 0, "run only so many, chosen by -by (0: all); that all apply and compile is checked all the same")
	by := flags.String("by", "", "what chooses the sample: the same text chooses the same ones")
	check := flags.Bool("check", false, "only check that all apply and compile")
	limit := flags.Duration("timeout", 3*time.Minute, "how long the tests of one may take")
	side := flags.Int("side", 2, "how many run side by side")
	if err := flags.Parse(args); err != nil {
		return err
	}
	folder := defaultFolder
	if flags.NArg() > 0 {
		folder = flags.Arg(0)
	}
	names, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	all, err := load(folder)
	if err != nil {
		return err
	}
	r := runner{module: ".", out: out, limit: *limit, side: max(*side, 1)}
	if err := r.prepare(ctx, all); err != nil {
		return err
	}
	var chosen []*mutation
	for _, m := range all {
		if names.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	chosen = choose(chosen, *sample, *by)
	if len(chosen) == 0 {
		return fmt.Errorf("no mutation in %s has a name that matches %q", folder, *only)
	}
	if *check {
		fmt.Fprintf(out, "%d mutations apply and compile\n", len(all))
		return nil
	}
	return r.run(ctx, chosen)
}
