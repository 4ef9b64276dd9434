package backend

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What this file tests is for people who change the project: the page about its development, and CONTRIBUTING.md.

const (
	developmentPage  = "../docs/development.md"
	contributingPage = "../CONTRIBUTING.md"
	moduleName       = "github.com/cloudpw/vault-plugin-secrets-cloudpw"
)

// codebase is what the Go files of the module declare and import. Names of files are from the root of the module.
type codebase struct {
	// declared has the names of each file: functions, Type.method, types, Type.field, constants and variables.
	declared map[string]map[string]bool
	// imports has the packages of the module that each package imports, without those that only tests import.
	imports map[string]map[string]bool
	makes   map[string]bool // targets of the Makefile
}

// readCodebase parses the module; the modules below it are others.
func readCodebase(t *testing.T) codebase {
	t.Helper()
	code := codebase{declared: map[string]map[string]bool{}, imports: map[string]map[string]bool{}, makes: map[string]bool{}}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join("..", name, "go.mod"))
			if name != "." && (err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "/testdata/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		code.declared[name] = declaredIn(file)
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		folder := filepath.ToSlash(filepath.Dir(name))
		if code.imports[folder] == nil {
			code.imports[folder] = map[string]bool{}
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(path, moduleName+"/"); ok {
				code.imports[folder][own] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(readPage(t, "../Makefile"), -1) {
		code.makes[m[1]] = true
	}
	return code
}

// declaredIn lists what a file declares at its top, with methods and fields as Type.name.
func declaredIn(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				case *ast.TypeSpec:
					names[s.Name.Name] = true
					for _, member := range partsOf(s.Type) {
						names[s.Name.Name+"."+member] = true
					}
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// partsOf are the fields of a structure and the methods of an interface.
func partsOf(e ast.Expr) []string {
	var list *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return nil
	}
	var all []string
	for _, f := range list.List {
		for _, n := range f.Names {
			all = append(all, n.Name)
		}
	}
	return all
}

// has reports whether any file declares a name: alone, or as package.Name.
func (c codebase) has(name string) bool {
	pkg, rest, qualified := strings.Cut(name, ".")
	for file, names := range c.declared {
		if names[name] || qualified && filepath.Base(filepath.Dir(file)) == pkg && names[rest] {
			return true
		}
	}
	return false
}

// hasTest reports whether there is a test of that name.
func (c codebase) hasTest(name string) bool {
	for file, names := range c.declared {
		if strings.HasSuffix(file, "_test.go") && names[name] {
			return true
		}
	}
	return false
}

var (
	testName = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)[A-Z]\w*$`)
	goName   = regexp.MustCompile(`^\w+(\.\w+){0,2}$`)
	// placed are names that are said to be in a file: `a`, `b` and `c` in `file`.
	placed = regexp.MustCompile("((?:`[^`/]+`(?:,? and |, | or )?)+)\\s+in\\s+`([^`]+\\.go)`")
	fenced = regexp.MustCompile("(?s)```.*?```")
)

// otherWords are what the pages quote and is neither a place in the code nor a command.
var otherWords = []string{
	"wait", "package: what changes", "make", "TODO", "FIXME", "RUNS", "go test ./backend/rotation -short", "packages", "run",
	"rotate-root/",
}

// TestDevelopmentPagesNameWhatExists: each file, function, type, test and command of make that the pages name.
func TestDevelopmentPagesNameWhatExists(t *testing.T) {
	code, words := readCodebase(t), append(stepsOfCI(t), otherWords...)
	for _, page := range []string{developmentPage, contributingPage} {
		text := fenced.ReplaceAllString(readPage(t, page), "")
		named := 0
		for _, m := range placed.FindAllStringSubmatch(text, -1) {
			for _, name := range quotedIn(m[1]) {
				named++
				if !code.declared[m[2]][name] {
					t.Errorf("%s says that %s is in %s, which does not declare it", page, name, m[2])
				}
			}
		}
		for _, word := range quotedIn(text) {
			target, make := strings.CutPrefix(word, "make ")
			command, typed := strings.CutPrefix(word, "cloudpw ")
			switch {
			case slices.Contains(words, word):
			case typed:
				if _, err := os.Stat("../cmd/cloudpw/internal/cli/" + command + ".go"); err != nil {
					t.Errorf("%s names the command %s, which has no file of its own: %v", page, word, err)
				}
			case make:
				if target, _, _ = strings.Cut(target, " "); !code.makes[target] {
					t.Errorf("%s says %q; the Makefile has no target %s", page, word, target)
				}
			case testName.MatchString(word):
				if !code.hasTest(word) {
					t.Errorf("%s names %s, and there is no such test", page, word)
				}
			case strings.Contains(word, "/") || slices.Contains([]string{".go", ".md", ".yml"}, filepath.Ext(word)):
				if found, err := filepath.Glob(filepath.Join("..", word)); err != nil || len(found) == 0 {
					t.Errorf("%s names %s, which does not exist", page, word)
				}
			case goName.MatchString(word) && code.has(word):
			case code.imports[word] != nil:
			default:
				t.Errorf("%s quotes %q, which is no file, no name of the code, no test and no command of make", page, word)
			}
		}
		if page == developmentPage && named < 40 {
			t.Errorf("%s says of %d names in which file they are", page, named)
		}
	}
}

// TestThePictureShowsTheImports: each arrow is an import, each import is an arrow or a way over several, and each package of the
// plugin is there.
func TestThePictureShowsTheImports(t *testing.T) {
	code := readCodebase(t)
	picture := regexp.MustCompile("(?s)```mermaid\nflowchart TD\n(.*?)```").FindStringSubmatch(readPage(t, developmentPage))
	if picture == nil {
		t.Fatal("the page has no picture")
	}
	folders := map[string]string{} // by the short name of the picture
	for _, m := range regexp.MustCompile(`(\w+)\["([^"]+)"\]`).FindAllStringSubmatch(picture[1], -1) {
		folders[m[1]] = m[2]
	}
	arrows := map[string]map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ *(\w+)(?:\["[^"]+"\])? --> (\w+)`).FindAllStringSubmatch(picture[1], -1) {
		from, to := folders[m[1]], folders[m[2]]
		if !code.imports[from][to] {
			t.Errorf("the picture has an arrow from %s to %s; there is no such import", from, to)
		}
		if arrows[from] == nil {
			arrows[from] = map[string]bool{}
		}
		arrows[from][to] = true
	}
	for from, imported := range code.imports {
		if !strings.HasPrefix(from+"/", "backend/") && !strings.HasPrefix(from, "cmd/") {
			continue
		}
		if !slices.Contains(slices.Collect(maps.Values(folders)), from) {
			t.Errorf("the picture does not show package %s", from)
			continue
		}
		for to := range imported {
			if !leads(arrows, from, to) {
				t.Errorf("%s imports %s; no arrows of the picture lead there", from, to)
			}
		}
	}
}

// TestTheStepsAreThoseOfCI, in their order.
func TestTheStepsAreThoseOfCI(t *testing.T) {
	steps, listed := stepsOfCI(t), []string(nil)
	_, section, _ := strings.Cut(readPage(t, contributingPage), "## What CI runs")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	if len(steps) == 0 || !slices.Equal(steps, listed) {
		t.Errorf(".ci/run has the steps %v, the table has %v", steps, listed)
	}
}

// stepsOfCI are the names of the steps of .ci/run.
func stepsOfCI(t *testing.T) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^step ([\w-]+)`).FindAllStringSubmatch(readPage(t, "../.ci/run"), -1) {
		names = append(names, m[1])
	}
	return names
}

// leads reports whether arrows lead from one package to another. Imports have no circles, so neither have the arrows.
func leads(arrows map[string]map[string]bool, from, to string) bool {
	for next := range arrows[from] {
		if next == to || leads(arrows, next, to) {
			return true
		}
	}
	return false
}

// TestTheTableHasAllRules: the page's table has a row, with a test, for each rule of the protocol, and for no other.
func TestTheTableHasAllRules(t *testing.T) {
	var stated, listed []string
	for _, m := range regexp.MustCompile(`(?m)^//  +(\d+)\. `).FindAllStringSubmatch(readPage(t, "rotation/protocol/doc.go"), -1) {
		stated = append(stated, m[1])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d+) \\| [^|]+ \\| `Test").FindAllStringSubmatch(readPage(t, developmentPage), -1) {
		listed = append(listed, m[1])
	}
	if len(stated) == 0 || !slices.Equal(stated, listed) {
		t.Errorf("the protocol states the rules %v, the table has %v", stated, listed)
	}
}
