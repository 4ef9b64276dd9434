package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// constantsOf are the values of a file's constants of one type.
func constantsOf(t *testing.T, file, name string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == name {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

// TestListsOfWordsAreComplete: what an account can be due for, and a check can show, can be asked for in reports.
func TestListsOfWordsAreComplete(t *testing.T) {
	for name, c := range map[string]struct{ declared, listed []string }{
		"Reason":      {constantsOf(t, "reason.go", "Reason"), append(strs(DueReasons()), string(Restored), string(Reread))},
		"CheckResult": {constantsOf(t, "check.go", "CheckResult"), strs(CheckResults())},
	} {
		slices.Sort(c.declared)
		slices.Sort(c.listed)
		if len(c.declared) == 0 || !slices.Equal(c.declared, c.listed) {
			t.Errorf("%s: declared %q, listed %q", name, c.declared, c.listed)
		}
	}
}

func strs[T ~string](words []T) []string {
	var all []string
	for _, word := range words {
		all = append(all, string(word))
	}
	return all
}
