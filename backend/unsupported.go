package backend

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// unsupported refuses an operation that a path does not have, and says what to use. The framework's own
// answer says only that it is unsupported.
func (b *backend) unsupported(req *logical.Request) error {
	path := b.Route(req.Path)
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
			hint.New("write", req.Path, b.requestWords(path, req)...)))
	case slices.Contains(verbs, "read"):
		text = hint.Textf("%s: %s", text, hint.New("read", req.Path))
	case slices.Contains(verbs, "list"):
		text = hint.Textf("%s: %s", text, hint.New("list", strings.TrimSuffix(req.Path, "/")))
	case slices.Contains(verbs, "write"):
		text = hint.Textf("%s: %s", text, hint.New("write -force", req.Path))
	}
	return &codedError{http.StatusMethodNotAllowed, text}
}

// requestWords are the fields of a request as a command line has them. Secrets stand as files to read them
// from, and fields that the path does not know are left out.
func (b *backend) requestWords(path *framework.Path, req *logical.Request) []string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		field := path.Fields[name]
		switch value := req.Data[name]; {
		case field == nil || inURL(path, name):
		case value == nil:
			words = append(words, name+"=")
		case isSensitive(field) || isWriteOnly(b.registry, name):
			words = append(words, name+"="+hint.File(name))
		default:
			for _, of := range commandValues(field.Type, value) {
				words = append(words, name+"="+of)
			}
		}
	}
	return words
}
