package novaapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// form is what Keystone wants of a value in a request's body: the parts of
// JSON Schema that its own schemas use.
type form struct {
	types    []string // of JSON; empty: any
	fields   map[string]form
	required []string
	items    *form
	closed   bool // no other fields than these
	// one tells that the object has one field exactly.
	one     bool
	pattern string // of a text, which then may not be empty
}

var (
	text         = form{types: []string{"string"}}
	nullableText = form{types: []string{"null", "string"}}
)

func object(fields map[string]form) form { return form{types: []string{"object"}, fields: fields} }

// problem says what is wrong with a value, in Keystone's words as far as the
// first line; "" if nothing is.
func (f form) problem(path string, value any) string {
	say := func(format string, args ...any) string {
		message := fmt.Sprintf(format, args...)
		if path == "" {
			return message
		}
		return fmt.Sprintf("Invalid input for field '%s': %s", path, message)
	}
	if len(f.types) > 0 && !slices.Contains(f.types, typeOf(value)) {
		return say("%s is not of type '%s'", python(value), strings.Join(f.types, "', '"))
	}
	below := func(name string) string { return strings.TrimPrefix(path+"/"+name, "/") }
	switch value := value.(type) {
	case string:
		if f.pattern != "" && value == "" {
			return say("'' is too short")
		}
		if f.pattern != "" && !regexp.MustCompile(f.pattern).MatchString(value) {
			return say("%s does not match %s", python(value), python(f.pattern))
		}
	case []any:
		for i, item := range value {
			if f.items != nil {
				if problem := f.items.problem(below(fmt.Sprint(i)), item); problem != "" {
					return problem
				}
			}
		}
	case map[string]any:
		return f.objectProblem(value, below, say)
	}
	return ""
}

func (f form) objectProblem(value map[string]any, below func(string) string, say func(string, ...any) string) string {
	for _, name := range f.required {
		if _, have := value[name]; !have {
			return say("'%s' is a required property", name)
		}
	}
	switch {
	case f.one && len(value) == 0:
		return say("%s does not have enough properties", python(value))
	case f.one && len(value) > 1:
		return say("%s has too many properties", python(value))
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		field, known := f.fields[name]
		switch {
		case known:
			if problem := field.problem(below(name), value[name]); problem != "" {
				return problem
			}
		case f.closed:
			return say("Additional properties are not allowed ('%s' was unexpected)", name)
		}
	}
	return ""
}

func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number"
}

// identityBody reads a request's body as Keystone does before it knows what
// is asked for: no body is an empty object.
func (c *Cloud) identityBody(r *request) (map[string]any, *answer) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(r.body) == 0:
		return map[string]any{}, nil
	case c.plain() && media != "" && media != "application/json" && !strings.HasSuffix(media, "+json"):
		return nil, malformed("Expecting to find application/json in Content-Type header.")
	}
	var body map[string]any
	if json.Unmarshal(r.body, &body) != nil || body == nil {
		return nil, malformed("Expecting to find valid JSON in request body.")
	}
	return body, nil
}

// badInput is Keystone's 400 about a value.
func badInput(message string) *answer { return keystoneError(http.StatusBadRequest, message) }

// The schemas of keystone/auth/schema.py and keystone/application_credential/schema.py.
var (
	domainForm = object(map[string]form{"id": text, "name": text})
	userForm   = object(map[string]form{"id": text, "name": text, "password": text, "domain": domainForm})
	authForm   = form{types: []string{"object"}, required: []string{"identity"}, fields: map[string]form{
		"identity": {types: []string{"object"}, required: []string{"methods"}, fields: map[string]form{
			"methods":  {types: []string{"array"}, items: &text},
			"password": object(map[string]form{"user": userForm}),
			"token":    {types: []string{"object"}, required: []string{"id"}, fields: map[string]form{"id": text}},
		}},
		"scope": {types: []string{"object", "string"}, fields: map[string]form{
			"project":        object(map[string]form{"id": text, "name": text, "domain": domainForm}),
			"domain":         domainForm,
			"OS-TRUST:trust": object(map[string]form{"id": text}),
			"system":         object(nil),
		}},
	}}
	appCredentialForm = form{types: []string{"object"}, required: []string{"name"}, fields: map[string]form{
		"name":         {types: []string{"string"}, pattern: `[\S]+`},
		"description":  {types: []string{"string", "null"}},
		"secret":       nullableText,
		"expires_at":   nullableText,
		"unrestricted": {types: []string{"boolean"}},
		"roles": {types: []string{"array"}, items: &form{
			types: []string{"object"}, one: true, closed: true, fields: map[string]form{"id": text, "name": text},
		}},
		"access_rules": {types: []string{"array"}, items: &form{types: []string{"object"}, closed: true, fields: map[string]form{
			"path":    {types: []string{"string"}, pattern: `^\/.*`},
			"method":  {types: []string{"string"}, pattern: `^(POST|GET|HEAD|PATCH|PUT|DELETE)$`},
			"service": text,
			"id":      text,
		}}},
	}}
)

// checkAuth holds a token request against the schema, and against what
// Keystone wants beside it: whatever can be named has an id or a name.
func checkAuth(auth any) *answer {
	if problem := authForm.problem("", auth); problem != "" {
		return badInput(problem)
	}
	for _, path := range [][]string{
		{"identity", "password", "user"}, {"identity", "password", "user", "domain"},
		{"scope", "project"}, {"scope", "project", "domain"}, {"scope", "domain"},
	} {
		at := auth
		for _, name := range path {
			fields, _ := at.(map[string]any)
			at = fields[name]
		}
		fields, have := at.(map[string]any)
		_, id := fields["id"]
		_, name := fields["name"]
		if have && !id && !name {
			return badInput("Invalid input for field " + strings.Join(path, "/") + ": id or name must be present.")
		}
	}
	return nil
}
