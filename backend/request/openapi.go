package request

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// KeepReferences makes the OpenAPI document in the answer to a help request fit for Vault's own. For
// sys/internal/specs/openapi Vault decodes the documents of external plugins by the names of Go's
// fields where no other is given, and none is for $ref (framework.NewOASDocumentFromMap,
// framework.OASSchema.Ref): it would lose all references, and with them the schemas of all requests and
// responses. Beside each $ref, a ref therefore says the same. Other readers ignore it: OpenAPI 3.0.2
// (Reference Object) has them ignore whatever stands beside a $ref.
func KeepReferences(resp *logical.Response) error {
	if resp == nil {
		return nil
	}
	document, ok := resp.Data["openapi"].(*framework.OASDocument)
	if !ok {
		return nil
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("the OpenAPI document: %w", err)
	}
	var generic map[string]any
	if err := json.Unmarshal(raw, &generic); err != nil {
		return fmt.Errorf("the OpenAPI document: %w", err)
	}
	doubleReferences(generic)
	resp.Data["openapi"] = generic
	return nil
}

func doubleReferences(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			doubleReferences(inner)
		}
		if target, ok := v["$ref"].(string); ok {
			v["ref"] = target
		}
	case []any:
		for _, inner := range v {
			doubleReferences(inner)
		}
	}
}
