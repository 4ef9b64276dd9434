package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// HandleRequest is the one wrapper around every path. It refuses fields that the path does not know
// for that operation, since the framework only warns of them, and not even that when there is no
// response body: a misspelt max_ttl would be lost in silence.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
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
		return b.Backend.HandleRequest(ctx, req)
	}
	resp, err := b.handleStrictly(ctx, req)
	return responseAtMount(resp, req.MountPoint), errorAtMount(err, req.MountPoint)
}

func (b *backend) handleStrictly(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	if len(req.Data) > 0 { // most reads have no fields, and finding the path takes as long as the read itself
		if path := b.Route(req.Path); path != nil && path.Operations[req.Operation] != nil {
			if err := checkFields(path, req); err != nil {
				return nil, err
			}
			req = withEmptyMaps(path, req)
		}
	}
	// A client waits for the answer, so its cloud calls go before those of the background.
	return b.Backend.HandleRequest(cloud.WithInteractive(ctx), req)
}

// HandleExistenceCheck asks only whether the thing in the URL exists. The body is left to
// HandleRequest: an error from here would be logged by Vault with the value that caused it.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}

// checkFields refuses what the path's schema does not allow for the operation.
func checkFields(path *framework.Path, req *logical.Request) error {
	writes := req.Operation != logical.ReadOperation && req.Operation != logical.ListOperation && req.Operation != logical.DeleteOperation
	allowed := func(name string) bool {
		field := path.Fields[name]
		return field != nil && !inURL(path, name) && (writes || field.Query)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		if !allowed(name) {
			return refuseField(path, req, name, allowed)
		}
		if err := checkText(name, path.Fields[name], req.Data[name]); err != nil {
			return err
		}
		if isSensitive(path.Fields[name]) && !isText(req.Data[name]) {
			// The framework's own error would repeat the value.
			return invalidf("%s: must be a string", name)
		}
		if isWhole(path.Fields[name]) && isFraction(req.Data[name]) {
			// The framework would cut it off in silence.
			return invalidf("%s: must be a whole number", name)
		}
	}
	return nil
}

func refuseField(path *framework.Path, req *logical.Request, name string, allowed func(string) bool) error {
	if path.Fields[name] != nil && inURL(path, name) {
		return invalidf("%s: is part of the path and cannot be a field", name)
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
	return invalidf("%.64q: unknown field; a %s of this path takes %s%s For the meaning of each: %s", name, verb(req.Operation), takes, cmp.Or(meant, "."), command("path-help", req.Path))
}

// nearest is the name that a misspelt one was meant to be: the one that takes the fewest changes, if at
// most two letters of it, and a third of all, are wrong.
func nearest(name string, known []string) string {
	best, least := "", min(2, len(name)/3)+1
	for _, candidate := range known {
		if d := editDistance(name, candidate, least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// editDistance is how many letters have to be put in, taken out or changed to make b of a; most, where
// it is that many or more.
func editDistance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], most)
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

func isText(value any) bool {
	switch value.(type) {
	case nil, string, json.Number:
		return true
	}
	return false
}

// isWhole reports whether the field is a number of things, or of seconds.
func isWhole(field *framework.FieldSchema) bool {
	return field.Type == framework.TypeInt || field.Type == framework.TypeDurationSecond
}

// isFraction reports whether a JSON number is none of ours.
func isFraction(value any) bool {
	var f float64
	switch v := value.(type) {
	case float64:
		f = v
	case json.Number:
		var err error
		if f, err = v.Float64(); err != nil {
			return false // the framework refuses it
		}
	}
	return f != math.Trunc(f)
}

// withEmptyMaps turns the empty string, which unsets a field, into an empty map where the schema wants
// pairs: the framework refuses it there.
func withEmptyMaps(path *framework.Path, req *logical.Request) *logical.Request {
	changed := req
	for name, value := range req.Data {
		if field := path.Fields[name]; field == nil || field.Type != framework.TypeKVPairs || value != "" && value != nil {
			continue
		}
		if changed == req {
			c := *req
			c.Data = maps.Clone(req.Data)
			changed = &c
		}
		changed.Data[name] = map[string]any{}
	}
	return changed
}
