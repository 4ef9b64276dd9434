package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutation is a change of the sources that a test is to notice.
type mutation struct {
	name     string
	breaks   string
	packages []string
	run      string
	flags    []string // after the packages: those of the tests themselves
	changes  []change
	// files are the changed sources by their path in the module, once they have been made.
	files map[string]string
}

// change replaces a text that a file has exactly once.
type change struct{ file, old, new string }

// load reads the mutations of a folder, by name.
func load(folder string) ([]*mutation, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no mutations in %s", folder)
	}
	var all []*mutation
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// parse reads one mutation; see the package's comment for its form.
func parse(name, text string) (*mutation, error) {
	m := &mutation{name: name, packages: []string{defaultPackage}}
	given := map[string]bool{}
	var into *string
	for line := range strings.Lines(text) {
		marker, isMarker := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- ")
		marker, closed := strings.CutSuffix(marker, " --")
		field, value, isField := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case isMarker && closed && marker == "becomes":
			if len(m.changes) == 0 || into != &m.changes[len(m.changes)-1].old {
				return nil, errors.New("\"becomes\" follows no old text")
			}
			into = &m.changes[len(m.changes)-1].new
		case isMarker && closed:
			if len(m.changes) > 0 && into != &m.changes[len(m.changes)-1].new {
				return nil, fmt.Errorf("no new text for %s", m.changes[len(m.changes)-1].file)
			}
			m.changes = append(m.changes, change{file: marker})
			into = &m.changes[len(m.changes)-1].old
		case into != nil:
			*into += line
		case isField && slices.Contains([]string{"packages", "run", "flags"}, field):
			if given[field] {
				return nil, fmt.Errorf("two fields %q", field)
			}
			given[field] = true
			switch field {
			case "packages":
				m.packages = strings.Fields(value)
			case "run":
				m.run = value
			case "flags":
				m.flags = strings.Fields(value)
			}
		default:
			m.breaks = strings.TrimSpace(m.breaks + " " + strings.TrimSpace(line))
		}
	}
	switch {
	case m.breaks == "":
		return nil, errors.New("it does not say what breaks")
	case len(m.changes) == 0 || into != &m.changes[len(m.changes)-1].new:
		return nil, errors.New("there is no change, or its new text is missing")
	case len(m.packages) == 0:
		return nil, errors.New("it names no package")
	case m.run == "" && !slices.Equal(m.packages, []string{defaultPackage}):
		return nil, errors.New("it does not say which tests of its packages run")
	}
	if m.run == "" {
		m.run = defaultRun
		if m.flags == nil {
			m.flags = []string{defaultFlags}
		}
	}
	return m, nil
}

// apply makes the changed sources of a module. Each old text must be there exactly once.
func (m *mutation) apply(module string) error {
	m.files = map[string]string{}
	for _, c := range m.changes {
		if !filepath.IsLocal(c.file) {
			return fmt.Errorf("%s is no path in the module", c.file)
		}
		text, ok := m.files[c.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(module, c.file))
			if err != nil {
				return err
			}
			text = string(raw)
		}
		switch n := strings.Count(text, c.old); {
		case c.old == "":
			return fmt.Errorf("the old text for %s is empty", c.file)
		case c.old == c.new:
			return fmt.Errorf("the new text for %s is the old one", c.file)
		case n != 1:
			return fmt.Errorf("%s has the old text %d times, not once:\n%s", c.file, n, c.old)
		}
		m.files[c.file] = strings.Replace(text, c.old, c.new, 1)
	}
	return nil
}

// choose picks n mutations (0: all). The same text picks the same ones, and over many texts each has its turn.
func choose(all []*mutation, n int, by string) []*mutation {
	if n <= 0 || n >= len(all) {
		return all
	}
	rank := func(m *mutation) string {
		sum := sha256.Sum256([]byte(by + "\x00" + m.name))
		return string(sum[:])
	}
	chosen := slices.Clone(all)
	slices.SortFunc(chosen, func(a, b *mutation) int { return strings.Compare(rank(a), rank(b)) })
	chosen = chosen[:n]
	slices.SortFunc(chosen, func(a, b *mutation) int { return strings.Compare(a.name, b.name) })
	return chosen
}
