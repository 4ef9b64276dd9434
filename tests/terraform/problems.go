package terraform

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Problems are the mistakes in a module that show without its providers: references to what is not declared, declarations that
// nothing uses, missing descriptions, formatting. arguments are those of each resource and data source, by kind and type, such as
// "resource vault_mount".
func (m *Module) Problems(arguments map[string]Arguments) []string {
	var all []string
	report := func(r hcl.Range, text string, values ...any) {
		all = append(all, fmt.Sprintf("%s:%d: %s", r.Filename, r.Start.Line, fmt.Sprintf(text, values...)))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		if formatted := hclwrite.Format(m.Sources[name]); !bytes.Equal(formatted, m.Sources[name]) {
			all = append(all, name+": not as tofu fmt writes it")
		}
	}
	used := map[string]bool{}
	for _, block := range m.Blocks {
		m.checkBlock(block, arguments, report)
		for _, traversal := range references(block) {
			m.checkReference(block, traversal, used, report)
		}
	}
	for _, block := range m.All("variable") {
		if name := block.Labels[0]; !used["var."+name] {
			report(block.TypeRange, "nothing uses the variable %s", name)
		}
	}
	for name, expression := range m.Locals() {
		if !used["local."+name] {
			report(expression.Range(), "nothing uses the local %s", name)
		}
	}
	slices.Sort(all)
	return all
}

// Arguments are the names that a block of a resource or data source may have.
type Arguments struct {
	// Required must be given, Optional may be. Blocks are nested blocks that may be given.
	Required, Optional, Blocks []string
}

// metaArguments may stand in each resource, and metaBlocks: they are Terraform's own.
var (
	metaArguments = []string{"count", "depends_on", "for_each", "provider"}
	metaBlocks    = []string{"lifecycle"}
)

type reporter func(r hcl.Range, text string, values ...any)

// checkBlock checks what a block itself must have.
func (m *Module) checkBlock(block *hclsyntax.Block, arguments map[string]Arguments, report reporter) {
	body := block.Body.Attributes
	switch block.Type {
	case "variable":
		for _, name := range []string{"description", "type"} {
			if body[name] == nil {
				report(block.TypeRange, "the variable %s has no %s", block.Labels[0], name)
			}
		}
	case "output":
		for _, name := range []string{"description", "value"} {
			if body[name] == nil {
				report(block.TypeRange, "the output %s has no %s", block.Labels[0], name)
			}
		}
		if secretName.MatchString(block.Labels[0]) && body["sensitive"] == nil {
			report(block.TypeRange, "the output %s is a secret and not marked as sensitive", block.Labels[0])
		}
	case "resource", "data":
		kind := block.Type + " " + block.Labels[0]
		known, ok := arguments[kind]
		if !ok {
			report(block.TypeRange, "the arguments of %s are not known here", kind)
			return
		}
		for name := range body {
			if !slices.Contains(slices.Concat(known.Required, known.Optional, metaArguments), name) {
				report(block.TypeRange, "%s has no argument %s", kind, name)
			}
		}
		for _, name := range known.Required {
			if body[name] == nil {
				report(block.TypeRange, "%s lacks the argument %s", kind, name)
			}
		}
		for _, inner := range block.Body.Blocks {
			name := inner.Type
			if name == "dynamic" {
				name = inner.Labels[0]
			}
			if !slices.Contains(slices.Concat(known.Blocks, metaBlocks), name) {
				report(inner.TypeRange, "%s has no block %s", kind, name)
			}
		}
	}
}

var secretName = regexp.MustCompile(`secret|password|private_key`)

// checkReference checks that what a reference names is declared, and notes it as used.
func (m *Module) checkReference(block *hclsyntax.Block, traversal hcl.Traversal, used map[string]bool, report reporter) {
	root, first, second := traversal.RootName(), attributeOf(traversal, 1), attributeOf(traversal, 2)
	where := traversal.SourceRange()
	switch root {
	case "var":
		// A variable's own validation does not count as a use of it.
		if block.Type != "variable" || block.Labels[0] != first {
			used["var."+first] = true
		}
		if m.Named("variable", first) == nil {
			report(where, "no variable %s is declared", first)
		}
	case "local":
		used["local."+first] = true
		if m.Locals()[first] == nil {
			report(where, "no local %s is declared", first)
		}
	case "data":
		if m.Resource("data", first, second) == nil {
			report(where, "no data source %s %s is declared", first, second)
		}
	case "module":
		if m.Named("module", first) == nil {
			report(where, "no module %s is declared", first)
		}
	case "each", "count", "self", "path", "terraform":
	default:
		if inner := dynamics(block.Body); inner[root] {
			return
		}
		if m.Resource("resource", root, first) == nil {
			report(where, "no resource %s %s is declared", root, first)
		}
	}
}

// dynamics are the names of the dynamic blocks inside of a body, which stand for their elements.
func dynamics(body *hclsyntax.Body) map[string]bool {
	found := map[string]bool{}
	for _, inner := range body.Blocks {
		if inner.Type == "dynamic" {
			found[inner.Labels[0]] = true
		}
	}
	return found
}

// references are all references in a block, without those to the names that its for expressions bind.
func references(block *hclsyntax.Block) []hcl.Traversal {
	var found []hcl.Traversal
	for name, attribute := range block.Body.Attributes {
		if block.Type == "variable" && name == "type" || name == "ignore_changes" {
			continue
		}
		found = append(found, attribute.Expr.Variables()...)
	}
	for _, inner := range block.Body.Blocks {
		if inner.Type != "required_providers" {
			found = append(found, references(inner)...)
		}
	}
	return found
}
