package cloud

import "testing"

func TestMergePolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policies []string
		want     string
	}{
		"none":       {nil, ""},
		"empty ones": {[]string{"", ""}, ""},
		"JSON, one statement twice": {[]string{
			`{"version":"2.0","statement":[{"effect":"allow","action":["a"]}]}`,
			`{"version":"2.0","statement":[{"effect":"allow","action":["b"]},{"effect":"allow","action":["a"]}]}`,
		}, `{
  "version": "2.0",
  "statement": [
    {
      "effect": "allow",
      "action": [
        "a"
      ]
    },
    {
      "effect": "allow",
      "action": [
        "b"
      ]
    }
  ]
}`},
		"JSON of two versions": {[]string{`{"Version":"1","Statement":[]}`, `{"Version":"2","Statement":[]}`},
			"{\n  \"Version\": \"1\",\n  \"Statement\": []\n}\n{\n  \"Version\": \"2\",\n  \"Statement\": []\n}"},
		"lines": {[]string{
			"role add\n# or:\n\"servers:index\": \"member\"\n# and then:\ncreate",
			"role add\n# or:\n\"servers:show\": \"member\"\n# and then:\ncreate",
			"role add\n# or:\n\"images\": \"member\"",
		}, "role add\n# or:\n\"images\": \"member\"\n\"servers:index\": \"member\"\n\"servers:show\": \"member\"\n# and then:\ncreate"},
		"both":                 {[]string{"create", `{"Version":"1.1","Statement":[]}`}, "{\n  \"Version\": \"1.1\",\n  \"Statement\": []\n}\ncreate"},
		"JSON of another form": {[]string{`{"a":1}`, `{"Statement":1}`, `[]`}, "{\"a\":1}\n{\"Statement\":1}\n[]"},
	} {
		if got := MergePolicies(c.policies); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}
