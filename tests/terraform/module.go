package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Module is the configuration in one folder.
type Module struct {
	Folder string
	// Sources are the files' contents, by name.
	Sources map[string][]byte
	// Blocks are all blocks at top level, in the order of the files' names.
	Blocks []*hclsyntax.Block
}

// Load reads the files of a folder that end in .tf. It fails if there are none, or one is no HCL.
func Load(folder string) (*Module, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no file ends in .tf", folder)
	}
	slices.Sort(names)
	m := &Module{Folder: folder, Sources: map[string][]byte{}}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, diagnostics := hclsyntax.ParseConfig(source, name, hcl.InitialPos)
		if diagnostics.HasErrors() {
			return nil, diagnostics
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s: not in HCL's native syntax", name)
		}
		if len(body.Attributes) > 0 {
			return nil, fmt.Errorf("%s: an attribute outside of blocks", name)
		}
		m.Sources[name] = source
		m.Blocks = append(m.Blocks, body.Blocks...)
	}
	return m, nil
}

// All are the blocks of a type.
func (m *Module) All(kind string) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, block := range m.Blocks {
		if block.Type == kind {
			found = append(found, block)
		}
	}
	return found
}

// Named is the block of a type with a label, such as the variable of a name; nil: there is none.
func (m *Module) Named(kind, label string) *hclsyntax.Block {
	for _, block := range m.All(kind) {
		if len(block.Labels) > 0 && block.Labels[len(block.Labels)-1] == label {
			return block
		}
	}
	return nil
}

// Resource is the resource, or with kind "data" the data source, of a type and name; nil: there is none.
func (m *Module) Resource(kind, of, name string) *hclsyntax.Block {
	for _, block := range m.All(kind) {
		if slices.Equal(block.Labels, []string{of, name}) {
			return block
		}
	}
	return nil
}

// Locals are the expressions of all locals, by name.
func (m *Module) Locals() map[string]hclsyntax.Expression {
	all := map[string]hclsyntax.Expression{}
	for _, block := range m.All("locals") {
		for name, attribute := range block.Body.Attributes {
			all[name] = attribute.Expr
		}
	}
	return all
}

// Fields are the attributes of the objects in a variable of type map(object({...})), by name, each with its type as it is written
// inside of optional(...), such as list(string).
func (m *Module) Fields(variable string) (map[string]string, error) {
	block := m.Named("variable", variable)
	if block == nil || block.Body.Attributes["type"] == nil {
		return nil, fmt.Errorf("%s: no variable %s with a type", m.Folder, variable)
	}
	object, err := argument(argument(block.Body.Attributes["type"].Expr, nil, "map"))
	if err != nil {
		return nil, fmt.Errorf("%s: variable %s: %w", m.Folder, variable, err)
	}
	fields, ok := object.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil, fmt.Errorf("%s: variable %s: object(...) without fields", m.Folder, variable)
	}
	all := map[string]string{}
	for _, item := range fields.Items {
		kind := item.ValueExpr
		if call, ok := kind.(*hclsyntax.FunctionCallExpr); ok && call.Name == "optional" {
			kind = call.Args[0]
		}
		r := kind.Range()
		all[hcl.ExprAsKeyword(item.KeyExpr)] = string(m.Sources[r.Filename][r.Start.Byte:r.End.Byte])
	}
	return all, nil
}

var errNotObjects = errors.New("its type is not map(object({...}))")

// argument is the only argument of a call; with an earlier error that error. Without a name it is that of object(...).
func argument(expression hclsyntax.Expression, err error, name ...string) (hclsyntax.Expression, error) {
	if err != nil {
		return nil, err
	}
	want := "object"
	if len(name) > 0 {
		want = name[0]
	}
	call, ok := expression.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != want || len(call.Args) != 1 {
		return nil, errNotObjects
	}
	return call.Args[0], nil
}
