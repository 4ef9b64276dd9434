package backend

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// openAPI is the mount's part of the document that Vault serves at sys/internal/specs/openapi: it asks
// the plugin for help, gets the answer as JSON, and decodes the document from that.
func openAPI(t *testing.T) *framework.OASDocument {
	t.Helper()
	h := newHarness(t)
	resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Storage: h.storage,
		Data: map[string]any{"requestResponsePrefix": "vault-plugin-secrets-cloudpw"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(resp.Data["openapi"])
	if err != nil {
		t.Fatal(err)
	}
	var generic map[string]any
	if err := json.Unmarshal(raw, &generic); err != nil {
		t.Fatal(err)
	}
	document, err := framework.NewOASDocumentFromMap(generic)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// operationsOf are the operations of a document by method and path.
func operationsOf(document *framework.OASDocument) map[string]*framework.OASOperation {
	all := map[string]*framework.OASOperation{}
	for path, item := range document.Paths {
		for method, op := range map[string]*framework.OASOperation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch,
			"DELETE": item.Delete} {
			if op != nil {
				all[method+" "+path] = op
			}
		}
	}
	return all
}

// operationCount is how many operations the document should have: a create and an update are one.
func operationCount() int {
	count := 0
	for _, path := range (&backend{registry: providers()}).paths() {
		for op := range path.Operations {
			if op != logical.CreateOperation || path.Operations[logical.UpdateOperation] == nil {
				count++
			}
		}
	}
	return count
}

func TestOpenAPIHasEveryOperationUnderAnIDOfItsOwn(t *testing.T) {
	operations := operationsOf(openAPI(t))
	if len(operations) != operationCount() {
		t.Errorf("%d operations, want %d: %q", len(operations), operationCount(), slices.Sorted(maps.Keys(operations)))
	}
	ids := map[string]string{}
	for name, op := range operations {
		if !strings.HasPrefix(op.OperationID, "cloudpw-") {
			t.Errorf("%s: operation id %q", name, op.OperationID)
		}
		// The ids also name the schemas, of which the last one wins.
		if other, taken := ids[op.OperationID]; taken {
			t.Errorf("%s and %s have the operation id %s", name, other, op.OperationID)
		}
		ids[op.OperationID] = name
		if op.Summary == "" || op.Description == "" || !slices.Equal(op.Tags, []string{"secrets"}) || len(op.Responses) == 0 {
			t.Errorf("%s: summary, description, tag or responses are missing", name)
		}
	}
}

// Vault's own document keeps the references of this one, and every schema is used.
func TestOpenAPIReferencesSurviveVault(t *testing.T) {
	document := openAPI(t)
	used := map[string]bool{}
	use := func(name string, content framework.OASContent) {
		for kind, media := range content {
			schema, known := strings.CutPrefix(media.Schema.Ref, "#/components/schemas/")
			if !known || document.Components.Schemas[schema] == nil {
				t.Errorf("%s: the schema %q of its %s is not there", name, media.Schema.Ref, kind)
				continue
			}
			used[schema] = true
			if properties := document.Components.Schemas[schema].Properties; len(properties) == 0 {
				t.Errorf("%s: its schema %s is empty", name, schema)
			}
		}
	}
	for name, op := range operationsOf(document) {
		if op.RequestBody != nil {
			use(name, op.RequestBody.Content)
		}
		for _, response := range op.Responses {
			use(name, response.Content)
		}
	}
	for schema := range document.Components.Schemas {
		if !used[schema] {
			t.Errorf("nothing refers to the schema %s", schema)
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d schemas are used", len(used))
	}
}

// What a reader of the mount's own document sees is what OpenAPI wants; the ref beside it, it ignores.
func TestPathHelpKeepsTheProperReferences(t *testing.T) {
	h := newHarness(t)
	resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: "keys/k", Storage: h.storage})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(resp.Data["openapi"])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"$ref":"#/components/schemas/CloudpwReadKeyResponse"`) {
		t.Errorf("no reference to the response of a read: %s", raw)
	}
}
