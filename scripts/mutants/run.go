package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// runner runs tests against mutations of the module in a folder.
type runner struct {
	module string
	out    io.Writer
	limit  time.Duration // for the tests of one mutation
	side   int           // how many run side by side

	mu sync.Mutex // guards out
}

// prepare applies all mutations, and says of each that does not apply, or does not compile.
func (r *runner) prepare(ctx context.Context, all []*mutation) error {
	var stale []error
	for _, m := range all {
		if err := m.apply(r.module); err != nil {
			stale = append(stale, fmt.Errorf("%s does not apply any more: %w", m.name, err))
		}
	}
	if len(stale) > 0 {
		return errors.Join(stale...)
	}
	c, err := newChecker(ctx, r.module, all)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := c.check(m); err != nil {
			stale = append(stale, fmt.Errorf("%s does not compile: %w", m.name, err))
		}
	}
	return errors.Join(stale...)
}

// run has the tests fail under each mutation, which must have been prepared. It names all that went otherwise.
func (r *runner) run(ctx context.Context, chosen []*mutation) error {
	started := time.Now()
	if err := r.sound(ctx, chosen); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	wrong := make([]error, len(chosen))
	free := make(chan struct{}, r.side)
	var group sync.WaitGroup
	for i, m := range chosen {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			wrong[i] = r.one(ctx, filepath.Join(work, m.name), m)
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	r.say("the tests noticed all %d mutations, in %d s\n", len(chosen), int(time.Since(started).Seconds()))
	return nil
}

func (r *runner) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format, args...)
}

// sound has the tests pass without a mutation. Those of one package run at once, in short mode.
func (r *runner) sound(ctx context.Context, chosen []*mutation) error {
	type kind struct{ packages, flags string }
	patterns := map[kind][]string{}
	for _, m := range chosen {
		k := kind{strings.Join(m.packages, " "), strings.Join(m.flags, " ")}
		if !slices.Contains(patterns[k], m.run) {
			patterns[k] = append(patterns[k], m.run)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(patterns),
		func(a, b kind) int { return strings.Compare(a.packages+a.flags, b.packages+b.flags) }) {
		pattern := strings.Join(patterns[k], "|")
		out, err := r.test(ctx, strings.Fields(k.packages), pattern, strings.Fields(k.flags), "-short")
		if err != nil {
			return err
		}
		if out.verdict() != survived || out.ran == 0 {
			return fmt.Errorf("without a mutation the tests %s of %s do not run and pass (%s):\n%s", pattern, k.packages, out.verdict(), out.tail())
		}
	}
	return nil
}

// one has the tests fail under one mutation; its files go into a folder that it makes.
func (r *runner) one(ctx context.Context, folder string, m *mutation) error {
	started := time.Now()
	overlay, err := m.write(r.module, folder)
	if err != nil {
		return err
	}
	out, err := r.test(ctx, m.packages, m.run, m.flags, "-overlay", overlay)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	v := out.verdict()
	seconds := time.Since(started).Seconds()
	switch v {
	case killed:
		r.say("%5.1f s  %-34s noticed by %s\n", seconds, m.name, out.failed)
		return nil
	case survived:
		r.say("%5.1f s  %-34s SURVIVED\n", seconds, m.name)
		return fmt.Errorf("%s survived: no test of %s that matches %s notices this: %s", m.name, strings.Join(m.packages, " "), m.run, m.breaks)
	}
	r.say("%5.1f s  %-34s %s\n", seconds, m.name, v)
	return fmt.Errorf("%s: %s:\n%s", m.name, v, out.tail())
}

// write writes the changed sources and the list that go test takes them from, and returns its path.
func (m *mutation) write(module, folder string) (string, error) {
	root, err := filepath.Abs(module)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for i, file := range slices.Sorted(maps.Keys(m.files)) {
		to := filepath.Join(folder, fmt.Sprintf("%d-%s", i, filepath.Base(file)))
		if err := os.WriteFile(to, []byte(m.files[file]), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = to
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, raw, 0o600)
}

// verdict is what became of the tests.
type verdict string

const (
	killed   verdict = "a test failed"
	survived verdict = "all tests passed"
	broken   verdict = "does not compile"
	late     verdict = "took too long"
	unclear  verdict = "failed, but not by a test"
)

// outcome is what go test said.
type outcome struct {
	passed bool
	late   bool
	build  bool   // a build failed
	failed string // the first test that failed
	ran    int    // how many tests did
	output bytes.Buffer
}

func (o *outcome) verdict() verdict {
	switch {
	case o.passed:
		return survived
	case o.build:
		return broken
	case o.late:
		return late
	case o.failed != "":
		return killed
	}
	return unclear
}

// tail is the end of what go test printed.
func (o *outcome) tail() string {
	lines := strings.Split(strings.TrimRight(o.output.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// test runs tests of the module until the first one fails.
func (r *runner) test(ctx context.Context, packages []string, pattern string, flags []string, more ...string) (*outcome, error) {
	// The binary ends by itself; the limit here is for compilers that hang.
	ctx, cancel := context.WithTimeout(ctx, 2*r.limit+5*time.Minute)
	defer cancel()
	args := append([]string{"test", "-json", "-failfast", "-vet=off", "-ldflags=-s -w", "-timeout", r.limit.String(), "-run", pattern},
		more...)
	args = append(append(args, packages...), flags...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.module
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	out := &outcome{passed: err == nil}
	out.read(stdout.Bytes())
	out.output.Write(stderr.Bytes())
	return out, nil
}

// read takes what go test -json printed. A line that is no event is kept as it is.
func (o *outcome) read(stdout []byte) {
	for line := range bytes.Lines(stdout) {
		var event struct{ Action, Test, Output, FailedBuild string }
		if json.Unmarshal(line, &event) != nil {
			o.output.Write(line)
			continue
		}
		o.output.WriteString(event.Output)
		o.late = o.late || strings.Contains(event.Output, "panic: test timed out after ")
		o.build = o.build || event.Action == "build-fail" || event.FailedBuild != ""
		if event.Action == "run" {
			o.ran++
		}
		if event.Action == "fail" && event.Test != "" && o.failed == "" {
			o.failed = event.Test
		}
	}
}
