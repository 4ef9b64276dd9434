package tencentapi

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// fill reads the action's parameters into a structure, strictly: the cloud refuses what it does not know,
// however deep, and what has the wrong type.
func (a *arrival) fill(into any) *failure {
	return fill(reflect.ValueOf(into).Elem(), a.params, "", a.form)
}

func fill(v reflect.Value, node any, path string, form bool) *failure {
	if node == nil { // null is absence
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), node, path, form)
	case reflect.Struct:
		return fillStruct(v, node, path, form)
	case reflect.Slice:
		return fillSlice(v, node, path, form)
	case reflect.String:
		if text, ok := node.(string); ok {
			v.SetString(text)
			return nil
		}
	case reflect.Bool:
		if yes, ok := boolean(node, form); ok {
			v.SetBool(yes)
			return nil
		}
	case reflect.Int64:
		if n, err := strconv.ParseInt(number(node, form), 10, 64); err == nil {
			v.SetInt(n)
			return nil
		}
	case reflect.Uint64:
		if n, err := strconv.ParseUint(number(node, form), 10, 64); err == nil {
			v.SetUint(n)
			return nil
		}
	}
	return wrongType(path)
}

func fillStruct(v reflect.Value, node any, path string, form bool) *failure {
	tree, ok := node.(map[string]any)
	if !ok {
		return wrongType(path)
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		field, known := v.Type().FieldByName(name)
		if !known {
			return fail("UnknownParameter", "The parameter `"+below(path, name)+"` is not recognized.")
		}
		if f := fill(v.FieldByIndex(field.Index), tree[name], below(path, name), form); f != nil {
			return f
		}
	}
	return nil
}

func fillSlice(v reflect.Value, node any, path string, form bool) *failure {
	list, ok := node.([]any)
	if tree, numbered := node.(map[string]any); form && numbered {
		if list, ok = inOrder(tree); !ok {
			return wrongType(path)
		}
	}
	if !ok {
		return wrongType(path)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, element := range list {
		if element == nil {
			return wrongType(path)
		}
		if f := fill(v.Index(i), element, below(path, strconv.Itoa(i)), form); f != nil {
			return f
		}
	}
	return nil
}

// inOrder makes a list of what has numbers for names.
func inOrder(tree map[string]any) (list []any, ok bool) {
	names := slices.Collect(maps.Keys(tree))
	for _, name := range names {
		if !isNumber(name) {
			return nil, false
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		list = append(list, tree[name])
	}
	return list, true
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func boolean(node any, form bool) (yes, ok bool) {
	if text, isText := node.(string); form && isText {
		return text == "true", text == "true" || text == "false"
	}
	yes, ok = node.(bool)
	return yes, ok
}

// number is the text of a number, or one that is none.
func number(node any, form bool) string {
	switch n := node.(type) {
	case json.Number:
		return n.String()
	case string:
		if form {
			return n
		}
	}
	return "not a number"
}

// describe fills the log's view of a call. What has a wrong type is refused later.
func (a *arrival) describe(c *model.Call) {
	c.Params = map[string]string{}
	for name, node := range a.params {
		if text, err := json.Marshal(node); err == nil {
			c.Params[name] = string(text)
		}
	}
	var known struct {
		InstanceIds []string
		Password    string
	}
	if f := fill(reflect.ValueOf(&known.InstanceIds).Elem(), a.params["InstanceIds"], "", a.form); f == nil {
		c.Instances = known.InstanceIds
	}
	if f := fill(reflect.ValueOf(&known.Password).Elem(), a.params["Password"], "", a.form); f == nil {
		c.Password = known.Password
	}
}
