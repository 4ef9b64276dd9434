package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a module with three packages. In its root a.go and b.go need each other, c.go, d.go and e.go go round in a circle,
// and f.go is needed by all of them. Package chain has no circle but for that of its test. Package fields has one by a field.
var sample = map[string]string{
	"go.mod": "module example.org/sample\n\ngo 1.26\n",
	"a.go": "package sample\n\nimport \"strings\"\n\n// A is exported.\nfunc A() string { return strings.ToUpper(b(f)) }\n\n" +
		"func same() int { return same() }\n",
	"b.go": "package sample\n\nfunc b(s string) string {\n\tif s == f {\n\t\treturn s\n\t}\n\treturn A()\n}\n",
	"c.go": "package sample\n\n// C is exported, and its method is not counted.\ntype C struct{ name string }\n\n" +
		"// D is a method.\nfunc (c C) D() { d(f) }\n",
	"d.go": "package sample\n\nfunc d(string) { e() }\n",
	"e.go": "package sample\n\nfunc e() { _ = C.D }\n",
	"f.go": "package sample\n\nconst f = \"\"\n",

	"chain/a.go":      "package chain\n\nfunc a() { b() }\n",
	"chain/b.go":      "package chain\n\nfunc b() {}\n",
	"chain/b_test.go": "package chain\n\nfunc c() { b(); d() }\n",
	"chain/d_test.go": "package chain\n\nfunc d() { c() }\n",

	"fields/a.go": "package fields\n\ntype a struct{ next *b }\n",
	"fields/b.go": "package fields\n\ntype b struct{ next int }\n\nfunc of(x interface{ get() *a }) int { return x.get().next.next }\n",
}

// module writes the sample, changed, and makes it the working directory.
func module(t *testing.T, changes map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
	for _, files := range []map[string]string{sample, changes} {
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestKnots: the table shows the circles, and nothing else, and -max fails for the packages that have larger ones.
func TestKnots(t *testing.T) {
	const circles = "6 3 2 example.org/sample"
	for name, c := range map[string]struct {
		args    []string
		changes map[string]string
		prints  []string // lines, with single blanks
		fails   string
	}{
		"all":          {prints: []string{circles, "2 0 0 chain", "2 2 0 fields"}},
		"one":          {args: []string{"./chain"}, prints: []string{"2 0 0 chain"}},
		"with files":   {args: []string{"-v", "."}, prints: []string{circles, "c.go d.go e.go", "a.go b.go"}},
		"small enough": {args: []string{"-max", "3"}, prints: []string{circles}},
		"too large":    {args: []string{"-max", "2"}, prints: []string{circles}, fails: "more than 2 files need each other in example.org"},
		"one excepted": {args: []string{"-max", "1", "-except", "fields"}, fails: "in example.org/sample (3);"},
		"all excepted": {args: []string{"-max", "1", "-except", "fields,example.org/sample"}, prints: []string{"2 2 0 fields"}},
		"no types":     {changes: map[string]string{"chain/b.go": "package chain\n\nfunc b() { missing() }\n"}, fails: "missing"},
		"no package":   {args: []string{"./nowhere"}, fails: "nowhere"},
		"no number":    {args: []string{"-max", "few"}, fails: "few"},
	} {
		t.Run(name, func(t *testing.T) {
			module(t, c.changes)
			var out bytes.Buffer
			err := command(t.Context(), c.args, &out)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want one that says %q", err, c.fails)
			}
			var lines []string
			for line := range strings.Lines(out.String()) {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
			printed := "\n" + strings.Join(lines, "\n") + "\n"
			for _, line := range c.prints {
				if !strings.Contains(printed, "\n"+line+"\n") {
					t.Errorf("the line %q is missing in:\n%s", line, out.String())
				}
			}
		})
	}
}
