package backend

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// HandleRequest is the one wrapper around every path. It turns panics into errors, and refuses fields that a write does not know,
// since the framework only warns of them, and not even that when there is no response body: a misspelt
// max_ttl would be lost in silence.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if value := recover(); value != nil {
			resp, err = nil, logical.CodedError(http.StatusInternalServerError, guard.Caught(b.Logger(), string(req.Operation)+" "+req.Path,
				value).Error())
		}
	}()
	return b.handle(ctx, req)
}

// handle is HandleRequest but for panics.
func (b *backend) handle(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation,
		logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
	case logical.HelpOperation:
		resp, err := b.Backend.HandleRequest(ctx, req)
		if err != nil {
			return resp, err
		}
		return resp, keepReferences(resp)
	default: // leases, rollback: no client's fields
		resp, err := b.Backend.HandleRequest(ctx, req)
		return atMount(req, resp, err)
	}
	resp, err := b.handleStrictly(ctx, req)
	return atMount(req, resp, err)
}

func (b *backend) handleStrictly(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	var ignored []hint.Text
	if len(req.Data) > 0 { // most reads have no fields, and finding the path takes as long as the read itself
		if path := b.Route(req.Path); path != nil && path.Operations[req.Operation] != nil {
			var err error
			if req, ignored, err = checkFields(path, req); err != nil {
				return nil, err
			}
		}
	}
	// A client waits for the answer, so its cloud calls go before those of the background.
	resp, err := b.Backend.HandleRequest(cloud.WithInteractive(ctx), req)
	if errors.Is(err, logical.ErrUnsupportedOperation) {
		return nil, b.unsupported(req)
	}
	if resp != nil && err == nil {
		resp = warn(resp, ignored...)
	}
	return resp, err
}

// HandleExistenceCheck asks only whether the thing in the URL exists. The body is left to
// HandleRequest: an error from here would be logged by Vault with the value that caused it.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	defer guard.Recover(b.Logger(), "the existence check of "+req.Path, &err)
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}

// checkFields refuses what the path's schema does not allow for the operation, and returns the request with
// its values as they were written. A read goes on without fields that it does not know, and warns of them:
// clients add some to every read (version, ttl), and nothing that matters is lost with them.
func checkFields(path *framework.Path, req *logical.Request) (*logical.Request, []hint.Text, error) {
	writes := req.Operation != logical.ReadOperation && req.Operation != logical.ListOperation && req.Operation != logical.DeleteOperation
	allowed := func(name string) bool {
		field := path.Fields[name]
		return field != nil && !inURL(path, name) && (writes || field.Query)
	}
	checked := *req
	checked.Data = make(map[string]any, len(req.Data))
	var ignored []hint.Text
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		field := path.Fields[name]
		if !allowed(name) {
			if req.Operation != logical.ReadOperation || field != nil && inURL(path, name) {
				return nil, nil, invalidf("%s", refusedField(path, req, name, allowed))
			}
			if len(ignored) < maxNamed {
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
	if path.Fields[name] != nil && inURL(path, name) {
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

// inURL reports whether the field is a capture of the path's pattern.
func inURL(path *framework.Path, name string) bool {
	return strings.Contains(path.Pattern, "(?P<"+name+">")
}

func isSensitive(field *framework.FieldSchema) bool {
	return field.DisplayAttrs != nil && field.DisplayAttrs.Sensitive
}
