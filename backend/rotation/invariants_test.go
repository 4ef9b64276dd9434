package rotation

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestInvariantsAreThoseOfTheDocComment compares what the simulation checks with what the package
// promises that it checks.
func TestInvariantsAreThoseOfTheDocComment(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(src), "// # The invariants\n")
	if !found {
		t.Fatal("doc.go has no section on the invariants")
	}
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^//   - (I\d+): `).FindAllStringSubmatch(section, -1) {
		named = append(named, m[1])
	}
	slices.Sort(named)
	if checked := checkedInvariants(t); !slices.Equal(named, checked) {
		t.Errorf("doc.go names %v, the tests check %v", named, checked)
	}
}

// checkedInvariants are the names that the test files give to violation and lockedViolation.
func checkedInvariants(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || fun.Sel.Name != "violation" && fun.Sel.Name != "lockedViolation" {
				return true
			}
			switch arg := call.Args[0].(type) {
			case *ast.BasicLit:
				invariant, err := strconv.Unquote(arg.Value)
				if err != nil {
					t.Fatal(err)
				}
				names[invariant] = true
			case *ast.Ident: // violation hands its own parameter on
			default:
				t.Errorf("%s: an invariant is not named by a literal", name)
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}
