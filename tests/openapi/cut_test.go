package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

func TestCut(t *testing.T) {
	document := parse(t, `{"openapi": "3.0.2",
		"paths": {"/a/x": {"get": {"schema": {"$ref": "#/components/schemas/One"}}}, "/b/x": {"$ref": "#/components/schemas/Other"}},
		"components": {"schemas": {"One": {"items": [{"$ref": "#/components/schemas/Two"}]}, "Two": {"again": {"$ref": "#/components/schemas/Two"}}, "Other": {}}}}`)
	cut, err := Cut(document, "/a/")
	if err != nil {
		t.Fatal(err)
	}
	paths := slices.Sorted(maps.Keys(cut["paths"].(map[string]any)))
	schemas := slices.Sorted(maps.Keys(cut["components"].(map[string]any)["schemas"].(map[string]any)))
	if !slices.Equal(paths, []string{"/a/x"}) || !slices.Equal(schemas, []string{"One", "Two"}) || cut["openapi"] != "3.0.2" {
		t.Errorf("paths %q, schemas %q of %v", paths, schemas, cut)
	}
}

func TestCutFindsWhatIsMissing(t *testing.T) {
	document := parse(t, `{"paths": {"/a/x": {"$ref": "#/components/schemas/Lost"}}, "components": {"schemas": {}}}`)
	if _, err := Cut(document, "/a/"); err == nil || !strings.Contains(err.Error(), "Lost") {
		t.Errorf("a reference to nothing: %v", err)
	}
	if _, err := Cut(document, "/c/"); err == nil {
		t.Error("a document without the mount was accepted")
	}
}
