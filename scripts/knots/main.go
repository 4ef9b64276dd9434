// Command knots shows how the files of each package depend on each other. Files that need each other, directly or around a
// circle, are a knot: none of them can be understood, or moved into a package of its own, without the others.
//
//	knots [-max N] [-except PACKAGE,...] [-v] [PATTERN...]
//
// A file needs another one of its package if it uses a function, a method, a type, a field, a variable or a constant that is
// declared there. Test files do not count. For each package it prints the number of its files, the size of its largest knot
// (0 if there is none) and the number of names that it exports: names of the package itself, not methods and fields.
//
// With -max it fails if a package has a larger knot than that. Packages of -except, named from the root of the module, may.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "knots:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("knots", flag.ContinueOnError)
	most := flags.Int("max", 0, "fail if a package has a knot of more files than this (0: never)")
	except := flags.String("except", "", "packages that may have larger knots, from the root of the module, with commas between them")
	verbose := flags.Bool("v", false, "list the files of each knot")
	if err := flags.Parse(args); err != nil {
		return err
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := load(ctx, patterns)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "files\tlargest knot\texported\tpackage")
	var larger []string
	for _, p := range packages {
		knots := p.knots()
		size := 0
		if len(knots) > 0 {
			size = len(knots[0])
		}
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\n", len(p.files), size, p.exported, p.name)
		if *verbose {
			for _, knot := range knots {
				fmt.Fprintf(table, "\t\t\t  %s\n", strings.Join(knot, " "))
			}
		}
		if *most > 0 && size > *most && !slices.Contains(strings.Split(*except, ","), p.name) {
			larger = append(larger, fmt.Sprintf("%s (%d)", p.name, size))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(larger) > 0 {
		return fmt.Errorf("more than %d files need each other in %s; -v lists them", *most, strings.Join(larger, ", "))
	}
	return nil
}
