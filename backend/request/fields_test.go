package request

import (
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
)

func TestInputForms(t *testing.T) {
	schema := map[string]*framework.FieldSchema{"l": {Type: framework.TypeCommaStringSlice}, "s": {Type: framework.TypeString}}
	for name, c := range map[string]struct {
		raw   map[string]any
		field string
		has   bool
		empty bool
	}{
		"absent":       {map[string]any{}, "s", false, false},
		"empty text":   {map[string]any{"s": ""}, "s", true, true},
		"null":         {map[string]any{"s": nil}, "s", true, true},
		"text":         {map[string]any{"s": "x"}, "s", true, false},
		"empty list":   {map[string]any{"l": []any{}}, "l", true, true},
		"list":         {map[string]any{"l": []any{"x"}}, "l", true, false},
		"empty object": {map[string]any{"l": map[string]any{}}, "l", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := Fields{Data: &framework.FieldData{Raw: c.raw, Schema: schema}}
			if in.Has(c.field) != c.has || in.Empty(c.field) != c.empty || in.Gives(c.field) != (c.has && !c.empty) {
				t.Errorf("has %v, empty %v, gives %v", in.Has(c.field), in.Empty(c.field), in.Gives(c.field))
			}
		})
	}
}
