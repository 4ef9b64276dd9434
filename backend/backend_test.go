package backend

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestFactory(t *testing.T) {
	if _, err := Factory(t.Context(), nil); err == nil {
		t.Error("a mount without configuration")
	}
	b, err := Factory(t.Context(), &logical.BackendConfig{StorageView: new(logical.InmemStorage), System: new(logical.StaticSystemView)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Cleanup(t.Context())
	if b.Type() != logical.TypeLogical {
		t.Errorf("type %v", b.Type())
	}
}

// Two mounts of one process share nothing.
func TestMountsAreSeparate(t *testing.T) {
	one, two := leasedRole(t, nil), leasedRole(t, map[string]any{"ttl": "2h"})
	if a, b := one.read(t, "roles/web")["ttl"], two.read(t, "roles/web")["ttl"]; a != int64(3600) || b != int64(7200) {
		t.Errorf("ttl %v and %v", a, b)
	}
}
