package request

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Unsupported refuses an operation that a path does not have, and says what to use. The framework's own
// answer says only that it is unsupported. path is nil where there is none; what WriteOnly holds for is repeated in no text.
func Unsupported(path *framework.Path, req *logical.Request, writeOnly func(field string) bool) error {
	if path == nil {
		return logical.ErrUnsupportedPath
	}
	var verbs []string
	for op := range path.Operations {
		if v := verb(op); !slices.Contains(verbs, v) {
			verbs = append(verbs, v)
		}
	}
	slices.Sort(verbs)
	text := hint.Plain("a " + verb(req.Operation) + " of this path is not supported; it takes " +
		cmp.Or(strings.Join(verbs, ", "), "no operation"))
	switch {
	case req.Operation == logical.PatchOperation && slices.Contains(verbs, "write"):
		text = text.Add(hint.Textf(". A write changes only the fields that it names, so use: %s",
			writeHint(req.Path, requestWords(path, req, writeOnly))))
	case slices.Contains(verbs, "read"):
		text = hint.Textf("%s: %s", text, hint.New("read", req.Path))
	case slices.Contains(verbs, "list"):
		text = hint.Textf("%s: %s", text, hint.New("list", strings.TrimSuffix(req.Path, "/")))
	case slices.Contains(verbs, "write"):
		text = hint.Textf("%s: %s", text, writeHint(req.Path, requiredWords(path)))
	}
	return &Error{http.StatusMethodNotAllowed, text}
}

// writeHint writes fields; the vault command takes a write without any only with -force.
func writeHint(path string, words []string) hint.Hint {
	if len(words) == 0 {
		return hint.New("write -force", path)
	}
	return hint.New("write", path, words...)
}

// requiredWords are the fields that a write of a path must have: a secret's file, or the field's name in capitals.
func requiredWords(path *framework.Path) []string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(path.Fields)) {
		switch field := path.Fields[name]; {
		case InURL(path, name):
		case field.DisplayAttrs != nil && field.DisplayAttrs.Value != nil: // one of several fields, of which a write needs one
			words = append(words, fmt.Sprintf("%s=%v", name, field.DisplayAttrs.Value))
		case !field.Required:
		case IsSensitive(field):
			words = append(words, name+"="+hint.File(name))
		default:
			words = append(words, name+"="+strings.ToUpper(name))
		}
	}
	return words
}

// namedThings is what the name after each of these is the name of.
var namedThings = map[string]string{
	"config": "connection", "check": "connection", "place": "connection", "discover": "connection", "accounts": "connection",
	"import": "connection", "reread": "connection", "versions": "connection", "rotate-root": "connection", "rotate-connection": "connection",
	"keys": "key", "roles": "role", "creds": "role", "instances": "role", "rotate-role": "role", "take-over": "role",
}

// UnsupportedPath refuses a path that does not exist. Where only the name in it is not one, it says so: the vault
// command shows nothing but "No value found" of a path that a read does not find.
func UnsupportedPath(path string) error {
	parts := strings.Split(path, "/")
	if thing := namedThings[parts[0]]; thing != "" && len(parts) > 1 && parts[1] != "" {
		if err := CheckName(thing, parts[1]); err != nil {
			return err
		}
	}
	return logical.ErrUnsupportedPath
}

// requestWords are the fields of a request as a command line has them. Secrets stand as files to read them
// from, what WriteOnly holds for too, and fields that the path does not know are left out.
func requestWords(path *framework.Path, req *logical.Request, writeOnly func(field string) bool) []string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		field := path.Fields[name]
		switch value := req.Data[name]; {
		case field == nil || InURL(path, name):
		case value == nil:
			words = append(words, name+"=")
		case IsSensitive(field) || writeOnly(name):
			words = append(words, name+"="+hint.File(name))
		default:
			for _, of := range commandValues(field.Type, value) {
				words = append(words, name+"="+of)
			}
		}
	}
	return words
}
