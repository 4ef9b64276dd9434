package connection

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestDescriptionsOfSharedFields: what several providers say of a field becomes one text.
func TestDescriptionsOfSharedFields(t *testing.T) {
	field := func(kind cloud.FieldKind, description, without, needed string) cloud.Field {
		return cloud.Field{Name: "f", Kind: kind, Description: description, Default: without, Required: needed}
	}
	const setting, identity, account, place, secret = cloud.FieldSetting, cloud.FieldIdentity, cloud.FieldAccount, cloud.FieldPlace,
		cloud.FieldSecret
	for want, fields := range map[string][]cloud.Field{
		"The thing. Default: none.": {field(setting, "The thing.", "none", ""),
			field(setting, "The thing.", "none", ""), field(setting, "The thing.", "none", "")},
		"a: the thing. Default: none.": {field(setting, "The thing.", "none", "")},
		"a: URL of it. Required.":      {field(setting, "URL of it.", "", cloud.RequiredAlways)},
		"a: the thing. b: another. Required with g.": {field(setting, "The thing.", "", "with g"),
			field(setting, "Another.", "", "with g")},
		"a, b: it. Default: x on a; y on b.": {field(setting, "It.", "x", ""), field(setting, "It.", "y", "")},
		"a, b: it. Default: x on b; required on a.": {field(setting, "It.", "", cloud.RequiredAlways),
			field(setting, "It.", "x", "")},
		"a, b: it. Default: x on a; required on b with g.": {field(setting, "It.", "x", ""),
			field(setting, "It.", "", "with g")},
		"It. Required on b; on a, c with g.": {field(setting, "It.", "", "with g"),
			field(setting, "It.", "", cloud.RequiredAlways), field(setting, "It.", "", "with g")},
		"a: it. A change needs the secrets in the same write. Default: none.":  {field(identity, "It.", "none", "")},
		"a: its. A change needs the secrets in the same write. Default: none.": {field(place, "Its.", "none", "")},
		"a: it. Fixed while accounts of the connection exist; else a change needs the secrets in the same write. Default: none.": {field(account,
			"It.", "none", "")},
		"a: it. Never read back. Required with g.": {field(secret, "It.", "", "with g")},
	} {
		registry := cloud.Registry{"a": {}, "b": {}, "c": {}}
		for i, f := range fields {
			name := string(rune('a' + i))
			registry[name] = cloud.Descriptor{Name: name, Fields: []cloud.Field{f}}
		}
		if got := ownSchemas(registry)["f"].Description; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
