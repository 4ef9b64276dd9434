package backend

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
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

func TestSomeOf(t *testing.T) {
	names := strings.Split("a b c d e f g h i j k l", " ")
	if got := someOf(names[:10]); got != "a, b, c, d, e, f, g, h, i, j" {
		t.Error(got)
	}
	if got := someOf(names); got != "a, b, c, d, e, f, g, h, i, j and 2 more" {
		t.Error(got)
	}
	var warnings []hint.Text
	for _, name := range names {
		warnings = append(warnings, hint.Plain(name))
	}
	if got := atMostTen(warnings); len(got) != 11 || got[10].String() != "and 2 warnings more" || warnings[10].String() != "k" {
		t.Error(got)
	}
}
