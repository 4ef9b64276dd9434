package openapi

import (
	"fmt"
	"maps"
	"strings"
)

const schemasPrefix = "#/components/schemas/"

// Cut returns the part of an OpenAPI document, as it was decoded from JSON, that is about the paths with a prefix: these
// paths, and of the schemas those that the paths refer to, also through other schemas.
func Cut(document map[string]any, prefix string) (map[string]any, error) {
	paths, _ := document["paths"].(map[string]any)
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	keptPaths, keptSchemas := map[string]any{}, map[string]any{}
	for path, item := range paths {
		if !strings.HasPrefix(path, prefix) {
			continue
		}
		keptPaths[path] = item
		if err := keep(item, schemas, keptSchemas); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(keptPaths) == 0 {
		return nil, fmt.Errorf("no path begins with %s", prefix)
	}
	cut := maps.Clone(document)
	cut["paths"] = keptPaths
	cut["components"] = map[string]any{"schemas": keptSchemas}
	return cut, nil
}

// keep adds to kept the schemas that value refers to.
func keep(value any, schemas, kept map[string]any) error {
	switch v := value.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			name, _ := strings.CutPrefix(ref, schemasPrefix)
			if kept[name] != nil {
				return nil
			}
			schema, known := schemas[name]
			if !known {
				return fmt.Errorf("%s does not exist", ref)
			}
			kept[name] = schema
			return keep(schema, schemas, kept)
		}
		for _, inner := range v {
			if err := keep(inner, schemas, kept); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := keep(inner, schemas, kept); err != nil {
				return err
			}
		}
	}
	return nil
}
