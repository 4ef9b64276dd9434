package terraform

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform that the locals which Local evaluates use.
var functions = map[string]function.Function{
	"concat":     stdlib.ConcatFunc,
	"jsonencode": stdlib.JSONEncodeFunc,
	"length":     stdlib.LengthFunc,
	"lower":      stdlib.LowerFunc,
	"merge":      stdlib.MergeFunc,
}

// Local is the value of a local, given some variables; the others have their defaults. data are the values of data sources, by
// type and name.
func (m *Module) Local(name string, variables map[string]cty.Value, data map[string]map[string]cty.Value) (cty.Value, error) {
	scope := scope{m: m, values: map[string]cty.Value{}, locals: map[string]cty.Value{}, open: map[string]bool{}, data: map[string]cty.Value{}}
	for _, block := range m.All("variable") {
		value, given := variables[block.Labels[0]]
		if attribute := block.Body.Attributes["default"]; !given && attribute != nil {
			var diagnostics hcl.Diagnostics
			if value, diagnostics = attribute.Expr.Value(nil); diagnostics.HasErrors() {
				return cty.NilVal, diagnostics
			}
			given = true
		}
		if given {
			scope.values[block.Labels[0]] = value
		}
	}
	for given := range variables {
		if m.Named("variable", given) == nil {
			return cty.NilVal, fmt.Errorf("%s: no variable %s", m.Folder, given)
		}
	}
	for of, named := range data {
		scope.data[of] = cty.ObjectVal(named)
	}
	return scope.local(name)
}

// scope is what expressions refer to.
type scope struct {
	m      *Module
	values map[string]cty.Value
	locals map[string]cty.Value
	open   map[string]bool
	data   map[string]cty.Value
}

func (s *scope) local(name string) (cty.Value, error) {
	if value, ok := s.locals[name]; ok {
		return value, nil
	}
	expression := s.m.Locals()[name]
	if expression == nil {
		return cty.NilVal, fmt.Errorf("%s: no local %s", s.m.Folder, name)
	}
	if s.open[name] {
		return cty.NilVal, fmt.Errorf("%s: local %s refers to itself", s.m.Folder, name)
	}
	s.open[name] = true
	for _, traversal := range expression.Variables() {
		if traversal.RootName() != "local" {
			continue
		}
		if _, err := s.local(attributeOf(traversal, 1)); err != nil {
			return cty.NilVal, err
		}
	}
	value, diagnostics := expression.Value(s.context())
	if diagnostics.HasErrors() {
		return cty.NilVal, diagnostics
	}
	s.locals[name] = value
	return value, nil
}

func (s *scope) context() *hcl.EvalContext {
	return &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{
		"var": cty.ObjectVal(s.values), "local": cty.ObjectVal(s.locals), "data": cty.ObjectVal(s.data),
	}}
}

// attributeOf is the name at a place of a reference, such as mount in var.mount; "" if there is none.
func attributeOf(traversal hcl.Traversal, place int) string {
	if place < len(traversal) {
		if attribute, ok := traversal[place].(hcl.TraverseAttr); ok {
			return attribute.Name
		}
	}
	return ""
}

// Render is the text that templatefile makes of a template.
func Render(name string, source []byte, variables map[string]string) (string, error) {
	expression, diagnostics := hclsyntax.ParseTemplate(source, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		return "", diagnostics
	}
	values := map[string]cty.Value{}
	for key, value := range variables {
		values[key] = cty.StringVal(value)
	}
	value, diagnostics := expression.Value(&hcl.EvalContext{Variables: values})
	if diagnostics.HasErrors() {
		return "", diagnostics
	}
	return value.AsString(), nil
}
