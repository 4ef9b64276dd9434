package request

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckFields refuses what the path's schema does not allow for the operation, and returns the request with
// its values as they were written. A read goes on without fields that it does not know, and warns of them:
// clients add some to every read (version, ttl), and nothing that matters is lost with them.
func CheckFields(path *framework.Path, req *logical.Request) (*logical.Request, []hint.Text, error) {
	writes := req.Operation != logical.ReadOperation && req.Operation != logical.ListOperation && req.Operation != logical.DeleteOperation
	allowed := func(name string) bool {
		field := path.Fields[name]
		return field != nil && !InURL(path, name) && (writes || field.Query)
	}
	checked := *req
	checked.Data = make(map[string]any, len(req.Data))
	var ignored []hint.Text
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		field := path.Fields[name]
		if !allowed(name) {
			if req.Operation != logical.ReadOperation || field != nil && InURL(path, name) {
				return nil, nil, Invalidf("%s", refusedField(path, req, name, allowed))
			}
			if len(ignored) < maxListed {
				ignored = append(ignored, hint.Textf("ignored: %s", refusedField(path, req, name, allowed)))
			}
			continue
		}
		if err := checkText(name, field, req.Data[name]); err != nil {
			return nil, nil, err
		}
		value, err := asWritten(name, field, req.Data[name])
		if err != nil {
			return nil, nil, err
		}
		checked.Data[name] = value
	}
	return &checked, ignored, nil
}

// refusedField says why a field is none of the operation's, and what was meant perhaps.
func refusedField(path *framework.Path, req *logical.Request, name string, allowed func(string) bool) hint.Text {
	if path.Fields[name] != nil && InURL(path, name) {
		return hint.Plain(name + ": is part of the path and cannot be a field")
	}
	var known []string
	for _, field := range slices.Sorted(maps.Keys(path.Fields)) {
		if allowed(field) {
			known = append(known, field)
		}
	}
	takes := "no fields"
	if len(known) > 0 {
		takes = strings.Join(known, ", ")
	}
	meant := ""
	if near := nearest(name, known); near != "" {
		meant = "; did you mean " + near + "?"
	}
	return hint.Textf("%.64q: unknown field; a %s of this path takes %s%s For the meaning of each: %s", name, verb(req.Operation), takes,
		cmp.Or(meant, "."), hint.New("path-help", req.Path))
}

// maxMisspelt is how many letters of a name may be wrong.
const maxMisspelt = 2

// nearest is the name that a misspelt one was meant to be: the one that takes the fewest changes, if at
// most maxMisspelt letters of it, and a third of all, are wrong.
func nearest(name string, known []string) string {
	best, least := "", min(maxMisspelt, len(name)/3)+1
	for _, candidate := range known {
		// A name of any length costs no time. The library's own bound, MaxCost, panics on some names (v1.2.1).
		if far := len(name) - len(candidate); far >= least || -far >= least {
			continue
		}
		if d := levenshtein.Distance(name, candidate, nil); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// verb is the operation as users know it.
func verb(op logical.Operation) string {
	if op == logical.CreateOperation || op == logical.UpdateOperation {
		return "write"
	}
	return string(op)
}

// InURL reports whether the field is a capture of the path's pattern.
func InURL(path *framework.Path, name string) bool {
	return strings.Contains(path.Pattern, "(?P<"+name+">")
}

// IsSensitive reports whether the values of a field are secret.
func IsSensitive(field *framework.FieldSchema) bool {
	return field.DisplayAttrs != nil && field.DisplayAttrs.Sensitive
}
