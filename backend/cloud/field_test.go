package cloud

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// sample is a field that nothing is wrong with.
func sample(change func(*Field)) Field {
	f := Field{Name: "sample_id", Kind: FieldSetting, Description: "A sample.", Default: "none"}
	if change != nil {
		change(&f)
	}
	return f
}

// TestRegistryChecksFields: each mistake in a descriptor is found, and named by provider and field.
func TestRegistryChecksFields(t *testing.T) {
	one := func(change func(*Field)) Registry {
		return Registry{"nimbus": {Fields: []Field{sample(change)}}}
	}
	two := func(change func(*Field)) Registry {
		return Registry{"nimbus": {Fields: []Field{sample(nil)}}, "stratus": {Fields: []Field{sample(change)}}}
	}
	identity := func(f *Field) { f.Kind = FieldIdentity }
	for name, c := range map[string]struct {
		registry Registry
		says     string // "": nothing is wrong
	}{
		"right":                          {one(nil), ""},
		"a field that two have":          {two(func(f *Field) { f.Description, f.Default, f.Required = "Another.", "", RequiredAlways }), ""},
		"an identity of an account":      {one(func(f *Field) { identity(f); f.AccountOf = strings.ToUpper }), ""},
		"an id of a credential":          {one(func(f *Field) { identity(f); f.NamesCredential = true }), ""},
		"no name":                        {one(func(f *Field) { f.Name = "" }), "no name"},
		"a name that is no word":         {one(func(f *Field) { f.Name = "Sample Id" }), "no name"},
		"no kind":                        {one(func(f *Field) { f.Kind = "" }), "sample_id: has no kind"},
		"a kind that there is not":       {one(func(f *Field) { f.Kind = "fixed" }), "has no kind"},
		"no description":                 {one(func(f *Field) { f.Description = "" }), "no sentence"},
		"half a description":             {one(func(f *Field) { f.Description = "a sample" }), "no sentence"},
		"neither default nor condition":  {one(func(f *Field) { f.Default = "" }), "either a default"},
		"both":                           {one(func(f *Field) { f.Required = RequiredAlways }), "either a default"},
		"a secret flag":                  {one(func(f *Field) { f.Kind, f.Type = FieldSecret, FieldFlag }), "only a text"},
		"a generated URL":                {one(func(f *Field) { f.Generated, f.Type = true, FieldURL }), "only a text"},
		"a flag with other values":       {one(func(f *Field) { f.Allowed, f.Type = []string{"a"}, FieldFlag }), "only a text"},
		"a place that tells of accounts": {one(func(f *Field) { f.Kind, f.AccountOf = FieldPlace, strings.ToUpper }), "only an identity"},
		"a setting that is a credential": {one(func(f *Field) { f.NamesCredential = true }), "only an identity"},
		"an internal secret":             {one(func(f *Field) { f.Kind, f.Internal = FieldSecret, true }), ""},
		"an internal setting":            {one(func(f *Field) { f.Internal = true }), "only a secret"},
		"an internal secret that is needed": {one(func(f *Field) {
			f.Kind, f.Internal, f.Default, f.Required = FieldSecret, true, "", RequiredAlways
		}), "only a secret"},
		"internal with one": {Registry{
			"nimbus":  {Fields: []Field{sample(func(f *Field) { f.Kind = FieldSecret })}},
			"stratus": {Fields: []Field{sample(func(f *Field) { f.Kind, f.Internal = FieldSecret, true })}},
		}, "another provider"},
		"another kind":             {two(identity), "provider stratus: field sample_id: another provider"},
		"another type":             {two(func(f *Field) { f.Type = FieldFlag }), "another provider"},
		"another label":            {two(func(f *Field) { f.Label = "Example" }), "another provider"},
		"never read back with one": {two(func(f *Field) { f.WriteOnly = true }), "another provider"},
		"that goes with another": {Registry{"nimbus": {Fields: []Field{sample(nil),
			sample(func(f *Field) { f.Name, f.GoesWith = "token", "sample_id" })}}}, ""},
		"that goes with none":       {one(func(f *Field) { f.GoesWith = "other_id" }), "goes with other_id"},
		"that goes with itself":     {one(func(f *Field) { f.GoesWith = "sample_id" }), "goes with sample_id"},
		"listed twice":              {Registry{"nimbus": {Fields: []Field{sample(nil), sample(nil)}}}, "listed twice"},
		"a field of every provider": {one(func(f *Field) { f.Name = "endpoints" }), "endpoints: is a field of every provider"},
	} {
		err := c.registry.Check([]string{"provider", "endpoints"})
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "provider ")):
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// TestDescriptorChecksValues: a value is checked by what its field says of itself.
func TestDescriptorChecksValues(t *testing.T) {
	odd := func(value string) error {
		if len(value)%2 == 0 {
			return errors.New("must be odd")
		}
		return nil
	}
	d := Descriptor{Fields: []Field{
		{Name: "plain"}, {Name: "link", Type: FieldURL}, {Name: "flag", Type: FieldFlag}, {Name: "choice", Allowed: []string{"a", "b"}},
		{Name: "odd", Check: odd}, {Name: "both", Check: odd}, {Name: "chosen", Kind: FieldSecret}, {Name: "made", Generated: true},
	}}
	d.Fields[5] = d.Fields[5].CheckedBy(func(value string) error {
		if strings.HasPrefix(value, "x") {
			return errors.New("must not begin with x")
		}
		return nil
	})
	for _, c := range []struct{ field, value, says string }{
		{"plain", "any 'text'", ""}, {"link", "", ""}, {"link", "https://example.com/v3", ""},
		{"link", "http://example.com", "plain http"}, {"link", "no url", "is not a URL"},
		{"flag", "true", ""}, {"flag", "false", ""}, {"flag", "1", "must be true or false"},
		{"choice", "a", ""}, {"choice", "c", "must be one of: a, b"}, {"odd", "abc", ""}, {"odd", "ab", "must be odd"}, {"odd", "", ""},
		{"both", "abc", ""}, {"both", "xab", "must not begin"}, {"both", "ab", "must be odd"},
		{"chosen", "correct horse battery", ""}, {"chosen", `it's "quoted"`, ""}, {"chosen", `5'11"`, ""},
		{"chosen", "a", ""}, {"chosen", `"`, ""},
		{"chosen", " a", "character 1 is a blank"}, {"chosen", "a ", "character 2 is a blank"},
		{"chosen", `"a b"`, "character 1 is a quotation mark"},
		{"chosen", "'a'", "character 1"}, {"chosen", "`a`", "character 1"}, {"chosen", "\u201ca\u201d", "character 1"},
		{"made", "AKabc/+=", ""}, {"made", "a b", "character 2 is a blank"}, {"made", `ab"`, "character 3 is a quotation mark"},
		{"made", "\u0410Kabc", "character 1 is U+0410, which is not ASCII"}, {"made", "AKab\uff23", "character 5 is U+FF23, which is not ASCII"},
		{"chosen", "Пароль", ""},
	} {
		err := d.Check(Config{Values: Values{c.field: c.value}})
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s = %q: %v", c.field, c.value, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), c.field+": ")):
			t.Errorf("%s = %q: %v does not say %q", c.field, c.value, err, c.says)
		}
	}
	together := errors.New("plain: not with odd")
	d.Validate = func(c Config) error {
		if c.Values["plain"] != "" && c.Values["odd"] != "" {
			return together
		}
		return nil
	}
	if err := d.Check(Config{Values: Values{"plain": "a", "odd": "b"}}); !errors.Is(err, together) {
		t.Errorf("what the fields are together was not checked: %v", err)
	}
	if err := d.Check(Config{Values: Values{"plain": "a", "odd": "bb"}}); err == nil || errors.Is(err, together) {
		t.Errorf("the provider was asked about a value that is none: %v", err)
	}
}

func TestValues(t *testing.T) {
	before := Values{"a": "1", "b": "2"}
	after := before.With(Values{"b": "", "c": "3"})
	if !maps.Equal(after, Values{"a": "1", "c": "3"}) || !maps.Equal(before, Values{"a": "1", "b": "2"}) {
		t.Errorf("%v became %v", before, after)
	}
	if none := Values(nil).With(nil); none == nil || len(none) != 0 {
		t.Errorf("nothing became %v", none)
	}
	f := Field{Name: "style", Fallback: func(v Values) string { return v["a"] + "!" }}
	if got := before.InForce(f); got != "1!" {
		t.Errorf("without a value %q is in force", got)
	}
	if got := (Values{"style": "x"}).InForce(f); got != "x" {
		t.Errorf("beside a value %q is in force", got)
	}
}

func TestCredentialID(t *testing.T) {
	d := Descriptor{Fields: []Field{
		{Name: "user", Kind: FieldIdentity}, {Name: "key", NamesCredential: true}, {Name: "app", NamesCredential: true},
	}}
	for want, v := range map[string]Values{"": {"user": "u"}, "k": {"user": "u", "key": "k"}, "a": {"app": "a"}} {
		if got := d.CredentialID(v); got != want {
			t.Errorf("%v is called %q", v, got)
		}
	}
	d.CredentialName = func(v Values) string { return "hash of " + v["key"] }
	if got := d.CredentialID(Values{"key": "k"}); got != "hash of k" {
		t.Errorf("a derived id is %q", got)
	}
}

// TestSecretsAreBoundByWhatLeadsThem: which kinds of fields need the secrets again.
func TestSecretsAreBoundByWhatLeadsThem(t *testing.T) {
	bound := slices.DeleteFunc(slices.Clone(fieldKinds), func(k FieldKind) bool { return !k.BindsSecrets() })
	if !slices.Equal(bound, []FieldKind{FieldIdentity, FieldAccount, FieldPlace}) {
		t.Errorf("secrets are bound by %v", bound)
	}
}

func TestFieldTitle(t *testing.T) {
	for want, f := range map[string]Field{"Project id": {Name: "project_id"}, "Role ARN": {Name: "role_arn", Label: "Role ARN"}} {
		if got := f.Title(); got != want {
			t.Errorf("%s is called %q", f.Name, got)
		}
	}
}
