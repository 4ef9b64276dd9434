package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFilesNeedOnlyWhatStandsBefore: the package's comment lists all files, and each uses only what files before it declare.
func TestFilesNeedOnlyWhatStandsBefore(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "# Where what is")
	list, _, _ = strings.Cut(list, "# The rules")
	order := regexp.MustCompile(`\b\w+\.go\b`).FindAllString(list, -1)

	var names []string
	var parsed []*ast.File
	set := token.NewFileSet()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		names, parsed = append(names, name), append(parsed, file)
	}
	if sorted := slices.Sorted(slices.Values(order)); len(names) < 10 || !slices.Equal(sorted, names) {
		t.Fatalf("the comment lists %v, the package has %v", sorted, names)
	}

	needed := 0
	for name, object := range usesOf(set, parsed) {
		from, to := set.Position(name.Pos()).Filename, set.Position(object.Pos()).Filename
		if to == "" || from == to {
			continue
		}
		needed++
		if slices.Index(order, to) > slices.Index(order, from) {
			t.Errorf("%s: %s is declared in %s, which stands later in the comment", set.Position(name.Pos()), name.Name, to)
		}
	}
	if needed < 500 {
		t.Errorf("only %d uses of other files were found", needed)
	}
}

// usesOf are the names of the package that its files use. What they import stays unknown: that leads to errors, which do not
// matter here.
func usesOf(set *token.FileSet, files []*ast.File) map[*ast.Ident]types.Object {
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	_, _ = config.Check("protocol", set, files, &info)
	return info.Uses
}

// nothing imports packages without anything in them.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}
