package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// checkTypes checks that a response has the types that the OpenAPI document promises to generated
// clients. The SDK's own check is content with what it can convert: with "5" for a number, or 5 for a text.
func checkTypes(t *testing.T, path string, declared *framework.Response, resp *logical.Response) {
	t.Helper()
	if resp == nil || declared == nil || resp.Data[logical.HTTPRawBody] != nil { // no fields: it is text
		return
	}
	raw, err := json.Marshal(resp.Data)
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := json.Unmarshal(raw, &data); err != nil {
		t.Fatal(err)
	}
	for name, value := range data {
		if field := declared.Fields[name]; field == nil {
			t.Errorf("%s answers with %s, which its responses do not declare", path, name)
		} else if err := typeError(field, value); err != nil {
			t.Errorf("%s: %s: %v", path, name, err)
		}
	}
}

// typeError compares a value from JSON with the schema that the document shows for a field.
func typeError(field *framework.FieldSchema, value any) error {
	if len(field.AllowedValues) > 0 &&
		!slices.ContainsFunc(field.AllowedValues, func(v any) bool { return fmt.Sprint(v) == fmt.Sprint(value) }) {
		return fmt.Errorf("%v is none of %v", value, field.AllowedValues)
	}
	var ok bool
	switch field.Type {
	case framework.TypeString:
		_, ok = value.(string)
	case framework.TypeTime:
		text, _ := value.(string)
		_, err := time.Parse(time.RFC3339, text)
		ok = err == nil
	case framework.TypeBool:
		_, ok = value.(bool)
	case framework.TypeFloat:
		_, ok = value.(float64)
	case framework.TypeInt:
		number, isNumber := value.(float64)
		ok = isNumber && number == math.Trunc(number)
	case framework.TypeMap, framework.TypeKVPairs:
		_, ok = value.(map[string]any)
	case framework.TypeStringSlice, framework.TypeCommaStringSlice:
		ok = all[string](value)
	case framework.TypeSlice:
		ok = all[map[string]any](value)
	case framework.TypeDurationSecond: // a text in the document, and a number in what Vault's engines answer
		return errors.New("declare it as a number of seconds")
	default:
		return fmt.Errorf("declared as %s, of which this check knows nothing", field.Type)
	}
	if !ok {
		return fmt.Errorf("%#v is no %s", value, field.Type)
	}
	return nil
}

// all reports whether a value is a list whose items are all of one type.
func all[T any](value any) bool {
	list, ok := value.([]any)
	return ok && !slices.ContainsFunc(list, func(item any) bool {
		_, ok := item.(T)
		return !ok
	})
}

func TestTypesOfResponsesAreChecked(t *testing.T) {
	for _, c := range []struct {
		declared framework.FieldType
		value    any
		ok       bool
	}{
		{framework.TypeString, "", true},
		{framework.TypeString, 5.0, false},
		{framework.TypeString, nil, false},
		{framework.TypeTime, "2026-11-25T09:00:00Z", true},
		{framework.TypeTime, "", false},
		{framework.TypeInt, 5.0, true},
		{framework.TypeInt, 5.5, false},
		{framework.TypeInt, "5", false},
		{framework.TypeFloat, 5.5, true},
		{framework.TypeBool, "true", false},
		{framework.TypeMap, map[string]any{}, true},
		{framework.TypeMap, nil, false},
		{framework.TypeStringSlice, []any{"a"}, true},
		{framework.TypeStringSlice, []any{1.0}, false},
		{framework.TypeSlice, []any{map[string]any{}}, true},
		{framework.TypeSlice, []any{"a"}, false},
		{framework.TypeDurationSecond, 5.0, false},
	} {
		if err := typeError(&framework.FieldSchema{Type: c.declared}, c.value); (err == nil) != c.ok {
			t.Errorf("%s, %#v: %v", c.declared, c.value, err)
		}
	}
	if typeError(&framework.FieldSchema{Type: framework.TypeString, AllowedValues: []any{"a", "b"}}, "c") == nil {
		t.Error("a value that is not allowed passed")
	}
}
