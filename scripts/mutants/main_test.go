package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sample is a module with one function, a test that sees half of what it does, and one that waits for it.
func sample(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
	files := map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n",
		"sum.go": "package sample\n\n// sum adds.\nfunc sum(a, b int) int {\n\tif a == 7 {\n\t\ta = 7\n\t}\n\treturn a + b\n}\n",
		"sum_test.go": "package sample\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif sum(1, 2) != 3 " +
			"{\n\t\tt.Error(\"wrong\")\n\t}\n}\n\nfunc TestWrong(t *testing.T) { t.Error(\"always\") }\n",
	}
	for name, text := range files {
		write(t, name, text)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mutant is a mutation of the sample.
func mutant(from, to string) string {
	return "It goes wrong.\npackages: .\nrun: ^TestSum$\n-- sum.go --\n" + from + "\n-- becomes --\n" + to + "\n"
}

const (
	noticed   = "\treturn a - b"
	unnoticed = "\t\ta = 8"
)

// TestTheRunnerFailsUnlessATestFails: that a mutation is noticed means that a test fails, and nothing else does.
func TestTheRunnerFailsUnlessATestFails(t *testing.T) {
	for name, c := range map[string]struct {
		mutants map[string]string
		args    []string
		says    []string // of the error; none: there is none
	}{
		"noticed": {mutants: map[string]string{"minus": mutant("\treturn a + b", noticed)}},
		"unnoticed": {mutants: map[string]string{"minus": mutant("\treturn a + b", noticed),
			"seven": mutant("\t\ta = 7", unnoticed)}, says: []string{"seven survived", "It goes wrong."}},
		"two changes": {mutants: map[string]string{"both": mutant("\t\ta = 7", unnoticed) +
			"-- sum.go --\n\treturn a + b\n-- becomes --\n" + noticed + "\n"}},
		"does not compile": {mutants: map[string]string{"typo": mutant("\treturn a + b", "\treturn c")}, args: []string{"-only", "minus"},
			says: []string{"typo does not compile", "undefined: c"}},
		"does not compile, and is only checked": {mutants: map[string]string{"typo": mutant("\treturn a + b", "\tc := a\n\treturn a - b")},
			args: []string{"-check"}, says: []string{"typo does not compile", "declared and not used: c"}},
		"is no Go": {mutants: map[string]string{"typo": mutant("\treturn a + b", "\treturn a +")}, args: []string{"-check"},
			says: []string{"typo does not compile", "sum.go"}},
		"its tests do not compile": {mutants: map[string]string{"name": mutant("func sum(a, b int) int {", "func total(a, b int) int {")},
			says: []string{"name: does not compile", "undefined: sum"}},
		"does not apply": {mutants: map[string]string{"minus": mutant("\treturn a + b", noticed),
			"old": mutant("\treturn b + a", noticed)}, says: []string{"old does not apply any more", "0 times"}},
		"applies twice": {mutants: map[string]string{"many": mutant("\t", " ")}, says: []string{"many does not apply any more",
			"has the old text"}},
		"changes nothing": {mutants: map[string]string{"same": mutant("\treturn a + b", "\treturn a + b")},
			says: []string{"same does not apply any more", "the new text for sum.go is the old one"}},
		"of a file that is gone": {mutants: map[string]string{"gone": strings.ReplaceAll(mutant("\treturn a + b", noticed), "sum.go", "away.go")},
			says: []string{"gone does not apply any more", "away.go"}},
		"outside": {mutants: map[string]string{"out": strings.ReplaceAll(mutant("\treturn a + b", noticed), "sum.go",
			"../sum.go")}, says: []string{"no path in the module"}},
		"no such test": {mutants: map[string]string{"minus": strings.ReplaceAll(mutant("\treturn a + b", noticed), "TestSum",
			"TestAway")}, says: []string{"do not run and pass"}},
		"a test that always fails": {mutants: map[string]string{"minus": strings.ReplaceAll(mutant("\treturn a + b", noticed), "TestSum",
			"TestWrong")},
			says: []string{"without a mutation the tests ^TestWrong$", "a test failed"}},
		"takes too long": {mutants: map[string]string{"ever": mutant("\treturn a + b", "\tfor a == 1 {\n\t}\n\treturn a + b")},
			args: []string{"-timeout", "2s"}, says: []string{"ever: took too long"}},
		"ends the process": {mutants: map[string]string{"exit": mutant("package sample\n",
			"package sample\n\nimport \"os\"\n\nfunc init() { os.Exit(3) }\n")}, says: []string{"exit: failed, but not by a test"}},
		"a panic in a test": {mutants: map[string]string{"panic": mutant("\treturn a + b", "\tpanic(a)")}},
		"only some": {mutants: map[string]string{"minus": mutant("\treturn a + b", noticed), "seven": mutant("\t\ta = 7", unnoticed)},
			args: []string{"-only", "^minus$"}},
		"only a check": {mutants: map[string]string{"seven": mutant("\t\ta = 7", unnoticed)}, args: []string{"-check"}},
		"none of that name": {mutants: map[string]string{"minus": mutant("\treturn a + b", noticed)}, args: []string{"-only", "plus"},
			says: []string{"no mutation"}},
		"no mutation at all": {says: []string{"there are no mutations in mutants"}},
	} {
		t.Run(name, func(t *testing.T) {
			sample(t)
			for name, text := range c.mutants {
				write(t, filepath.Join("mutants", name+".txt"), text)
			}
			before, err := os.ReadFile("sum.go")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = command(t.Context(), append(c.args, "mutants"), &out)
			switch {
			case (err == nil) != (len(c.says) == 0):
				t.Fatalf("error %v, printed:\n%s", err, out.String())
			case err != nil:
				for _, part := range c.says {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not say %q: %v", part, err)
					}
				}
			}
			if after, err := os.ReadFile("sum.go"); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the source has changed: %s, %v", after, err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	const oneChange = "-- a.go --\nold: x\n-- becomes --\nnew\n"
	m, err := parse("name", "It breaks\ntwo lines: of it.\nflags: -a -b\nrun: ^TestX$\npackages: ./x ./y\n"+oneChange+
		"-- b.go --\nmore\n-- becomes --\n")
	if err != nil {
		t.Fatal(err)
	}
	want := &mutation{name: "name", breaks: "It breaks two lines: of it.", flags: []string{"-a", "-b"}, run: "^TestX$",
		packages: []string{"./x", "./y"},
		changes:  []change{{"a.go", "old: x\n", "new\n"}, {"b.go", "more\n", ""}}}
	if fmt.Sprintf("%+v", m) != fmt.Sprintf("%+v", want) {
		t.Errorf("parsed %+v, want %+v", m, want)
	}
	m, err = parse("plain", "It breaks.\n"+oneChange)
	if err != nil || m.run != defaultRun || !slices.Equal(m.flags, []string{defaultFlags}) ||
		!slices.Equal(m.packages, []string{defaultPackage}) {
		t.Errorf("with nothing said: %+v, %v", m, err)
	}
	for text, says := range map[string]string{
		oneChange:                        "does not say what breaks",
		"It breaks.\n":                   "no change",
		"It breaks.\n-- a.go --\n":       "new text is missing",
		"It breaks.\n-- becomes --\nx\n": "follows no old text",
		"It breaks.\n-- a.go --\nx\n-- b.go --\ny\n-- becomes --\n": "no new text for a.go",
		"It breaks.\nrun: a\nrun: b\n" + oneChange:                  "two fields",
		"It breaks.\npackages: ./x\n" + oneChange:                   "which tests",
	} {
		if _, err := parse("wrong", text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// TestChoose: one text chooses the same ones each time, and over many texts each has its turn.
func TestChoose(t *testing.T) {
	var all []*mutation
	for i := range 20 {
		all = append(all, &mutation{name: fmt.Sprintf("m%02d", i)})
	}
	seen := map[string]bool{}
	for i := range 100 {
		by := fmt.Sprint("commit ", i)
		chosen := choose(all, 4, by)
		if len(chosen) != 4 || !slices.Equal(chosen, choose(all, 4, by)) {
			t.Fatalf("%s: %v", by, chosen)
		}
		for _, m := range chosen {
			seen[m.name] = true
		}
	}
	if len(seen) != len(all) || len(choose(all, 0, "")) != 20 || len(choose(all, 30, "")) != 20 {
		t.Errorf("chosen in 100 commits: %d", len(seen))
	}
}

// TestTheMutationsOfTheModule: a change of the code may leave them behind, or the tests that they name.
func TestTheMutationsOfTheModule(t *testing.T) {
	t.Chdir("../..")
	all, err := load(defaultFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if err := m.apply("."); err != nil {
			t.Errorf("%s does not apply: %v", m.name, err)
		}
		var tests strings.Builder
		for _, folder := range m.packages {
			files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s names %s, which has no tests: %v", m.name, folder, err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				tests.Write(text)
			}
		}
		for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(m.run, -1) {
			if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
				t.Errorf("%s names the test %s, which %v do not have", m.name, name, m.packages)
			}
		}
	}
}
