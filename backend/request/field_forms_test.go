package request

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
)

// oddValues are JSON values in every form, and texts of which a number, a flag or a list might be made.
func oddValues() []any {
	scalars := []any{
		true, false, float64(0), float64(1), float64(-7), float64(1.5), float64(4711), float64(1e21), float64(1 << 60), math.Inf(1), math.NaN(),
		json.Number("0"), json.Number("12"), json.Number("1.50"), json.Number("1e3"), json.Number("12345678901234567890"), 5, int64(6),
		"", " ", "true", "1", "010", "0x10", "1_000", "1.5", "1e3", "soon", "a=b", "a=1,b=2", "a,b", "15m", "1.5h", "[1]", `{"a":"b"}`,
		"99999999999999999999",
	}
	odd := append([]any{nil, []any{}, map[string]any{}, []string{}, []string{"a=b"}, map[string]string{"a": "b"}}, scalars...)
	for _, v := range append([]any{nil, []any{"x"}, map[string]any{"x": "y"}}, scalars...) {
		odd = append(odd, []any{v}, []any{"a=b", v}, map[string]any{"a": v}, map[string]any{"a": "b", "c": v})
	}
	return append(odd, []any{"a=1", "a=2"}, []any{map[string]any{"a": "b"}, map[string]any{"c": "d"}})
}

// A field of each type that paths have keeps a value as it was written, or refuses it with the field's name.
func TestValuesAreKeptAsWrittenOrRefused(t *testing.T) {
	schema := map[string]*framework.FieldSchema{}
	for _, kind := range []framework.FieldType{
		framework.TypeString, framework.TypeBool, framework.TypeInt, framework.TypeFloat, framework.TypeDurationSecond,
		framework.TypeCommaStringSlice, framework.TypeKVPairs,
	} {
		schema["of_"+strings.ReplaceAll(kind.String(), " ", "_")] = &framework.FieldSchema{Type: kind}
	}
	kept, refused := 0, 0
	for name, field := range schema {
		for _, value := range oddValues() {
			formed, err := asWritten(name, field, value)
			if err != nil {
				refused++
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%s = %#v: the error does not name the field: %v", name, value, err)
				}
				continue
			}
			data := &framework.FieldData{Raw: map[string]any{name: formed}, Schema: schema}
			if err := data.Validate(); err != nil {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%s = %#v: %v", name, value, err)
				}
				continue
			}
			kept++
			if got, want := data.Get(name), written(field, value); got != nil && fmt.Sprint(got) != want {
				t.Errorf("%s = %#v: kept as %#v, want %s", name, value, got, want)
			}
		}
	}
	if kept < 150 || refused < 150 {
		t.Errorf("%d values kept, %d refused", kept, refused)
	}
}

// TestJSONInsideATextIsNoPair: a shell's way to send an object is easy to get wrong, and the pair that came of it matched nothing.
func TestJSONInsideATextIsNoPair(t *testing.T) {
	field := &framework.FieldSchema{Type: framework.TypeKVPairs}
	for _, value := range []any{`["a=b"]`, `{"a":"b=c"}`, `{"a=b":"c"}`, []any{`{"a":"b=c"}`}} {
		if got, err := asWritten("tags", field, value); err == nil || !strings.Contains(err.Error(), "tags: is JSON inside a text") {
			t.Errorf("%v: %v, %v", value, got, err)
		}
	}
	for _, value := range []string{"[a]=b", "{a=b", "a={}"} {
		if _, err := asWritten("tags", field, value); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// written is how a value that was not refused is printed by its type; it takes JSON's own view of it.
func written(field *framework.FieldSchema, value any) string {
	plain := func(v any) string {
		if f, ok := v.(float64); ok {
			return fmt.Sprintf("%.0f", f)
		}
		return fmt.Sprint(v)
	}
	switch field.Type {
	case framework.TypeKVPairs:
		pairs := map[string]string{}
		switch v := value.(type) {
		case map[string]any:
			for key, of := range v {
				pairs[key] = plain(of)
			}
		case map[string]string:
			pairs = v
		default:
			for _, text := range textList(v) {
				if key, of, ok := strings.Cut(text, "="); ok {
					pairs[key] = of
				}
			}
		}
		return fmt.Sprint(pairs)
	case framework.TypeCommaStringSlice:
		if text, ok := value.(string); ok && text != "" {
			value = strings.Split(text, ",")
		}
		list := textList(value)
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return fmt.Sprint(list)
	case framework.TypeBool:
		return fmt.Sprint(slices.Contains([]any{true, "true", "1"}, value))
	case framework.TypeInt:
		if value == nil || value == "" {
			return "0"
		}
	case framework.TypeDurationSecond:
		switch value {
		case nil, "":
			return "0"
		case "15m":
			return "900"
		case "1.5h":
			return "5400"
		case "010": // durations are decimal
			return "10"
		}
	case framework.TypeFloat:
		switch value {
		case nil, "":
			return "0"
		case "010":
			return "10"
		case "1e3", json.Number("1e3"):
			return "1000"
		case json.Number("1.50"), 1.5:
			return "1.5"
		}
		if f, ok := value.(float64); ok {
			return fmt.Sprint(f)
		}
		var f float64
		if _, err := fmt.Sscan(fmt.Sprint(value), &f); err == nil {
			return fmt.Sprint(f)
		}
	case framework.TypeString:
		if value == nil {
			return ""
		}
	}
	return plain(value)
}

func textList(value any) []string {
	list := []string{}
	switch v := value.(type) {
	case nil, map[string]any:
	case []any:
		for _, of := range v {
			if f, ok := of.(float64); ok {
				list = append(list, fmt.Sprintf("%.0f", f))
			} else {
				list = append(list, fmt.Sprint(of))
			}
		}
	case []string:
		list = append(list, v...)
	case string:
		if v != "" {
			list = append(list, v)
		}
	default:
		list = append(list, fmt.Sprint(v))
	}
	return list
}
