package backend

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
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

// Every field of every path keeps a value as it was written, or refuses it with the field's name.
func TestValuesAreKeptAsWrittenOrRefused(t *testing.T) {
	h := newHarness(t)
	fields, kept, refused := 0, 0, 0
	for _, path := range h.Paths {
		for name, field := range path.Fields {
			if inURL(path, name) {
				continue
			}
			fields++
			for _, value := range oddValues() {
				formed, err := asWritten(name, field, value)
				if err != nil {
					refused++
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%s %s = %#v: the error does not name the field: %v", path.Pattern, name, value, err)
					}
					continue
				}
				data := &framework.FieldData{Raw: map[string]any{name: formed}, Schema: path.Fields}
				if err := data.Validate(); err != nil {
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%s %s = %#v: %v", path.Pattern, name, value, err)
					}
					continue
				}
				kept++
				if got, want := data.Get(name), written(field, value); got != nil && fmt.Sprint(got) != want {
					t.Errorf("%s %s = %#v: kept as %#v, want %s", path.Pattern, name, value, got, want)
				}
			}
		}
	}
	if fields < 60 || kept < 500 || refused < 500 {
		t.Errorf("%d fields, %d values kept, %d refused", fields, kept, refused)
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

func TestPairsKeepTruthValuesAndNumbers(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "roles/web", map[string]any{"custom_metadata": map[string]any{"off": false, "cost": json.Number("4711")}})
	h.write(t, "config/prod", map[string]any{"required_tags": map[string]any{"managed": true, "tier": float64(3), "zone": "1"}})
	if got := textOf(h.read(t, "config/prod")["required_tags"]); got != "map[managed:true tier:3 zone:1]" {
		t.Errorf("required_tags: %s", got)
	}
	if got := textOf(h.read(t, "roles/web")["custom_metadata"]); got != "map[cost:4711 off:false]" {
		t.Errorf("custom_metadata: %s", got)
	}
}

func TestValuesOfOtherFormsAreRefused(t *testing.T) {
	h := leasedRole(t, nil)
	h.write(t, "roles/web", map[string]any{"max_versions": 4, "custom_metadata": map[string]any{"a": "b"}})
	for field, values := range map[string][]any{
		"max_versions": {true, "true", 1.5, "010", "0x10", []any{1}, map[string]any{"a": 1}},
		"ttl":          {true, 1.5, "1.5s", math.Inf(1), []any{"1h"}},
		"custom_metadata": {map[string]any{"a": nil}, map[string]any{"a": 1.5}, map[string]any{"a": []any{"b"}},
			map[string]any{"a": map[string]any{}}, true, 7, "a", []any{"=a"}, []any{"a=1", "a=2"}},
		"instance_tags": {[]any{map[string]any{"a": "b"}}, map[string]any{"a": map[string]any{"b": "c"}}},
		"force_stop":    {float64(1), "yes", []any{true}, map[string]any{}},
		"instance_ids":  {true, []any{true}, []any{1.5}, []any{[]any{"a"}}, map[string]any{"a": "b"}, []any{nil}},
		"username":      {true, 1.5, []any{"root"}, map[string]any{"root": "x"}},
	} {
		for _, value := range values {
			h.refusedWrite(t, "roles/web", map[string]any{field: value}, field)
		}
	}
	role := h.read(t, "roles/web")
	if role["max_versions"] != 4 || textOf(role["custom_metadata"]) != "map[a:b]" {
		t.Errorf("the role was changed: %v", role)
	}
}

func TestPatchSaysWhatToUse(t *testing.T) {
	h := leasedRole(t, nil)
	for path, c := range map[string]struct {
		data map[string]any
		want string
	}{
		"roles/web": {map[string]any{"ttl": "2h", "checkout": nil}, "use: vault write cloudpw/roles/web checkout= ttl=2h"},
		"config/prod": {map[string]any{"secret_key": "HUSH", "access_key": "AK2"},
			"use: vault write cloudpw/config/prod access_key=@access-key.txt secret_key=@secret-key.txt"},
		"keys/k":          {map[string]any{"private_key": "HUSH"}, "private_key=@private-key.txt"},
		"creds/web":       {map[string]any{"ttl": "2h"}, "it takes read: vault read cloudpw/creds/web"},
		"rotate-role/web": {nil, "use: vault write cloudpw/rotate-role/web"},
		"roles":           {nil, "it takes list: vault list cloudpw/roles"},
	} {
		resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.PatchOperation, Path: path, Data: c.data,
			Storage: h.storage})
		status, message := statusOf(resp, err)
		if status != http.StatusMethodNotAllowed || !strings.Contains(message, c.want) || strings.Contains(message, "HUSH") {
			t.Errorf("patch %s: %d %s", path, status, message)
		}
	}
	if got := h.read(t, "roles/web")["ttl"]; got != int64(3600) {
		t.Errorf("ttl %v", got)
	}
}
