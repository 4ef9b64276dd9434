package backend

import (
	"context"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// What the tests of package backend_test need: they stand outside, as a provider does.

// NewMount makes a backend with the given providers.
func NewMount(ctx context.Context, conf *logical.BackendConfig, registry cloud.Registry) (logical.Backend, error) {
	return newBackend(ctx, conf, registry)
}

// WrittenPage is an API page as it should be for a mount.
func WrittenPage(t *testing.T, mount logical.Backend, page string) string {
	t.Helper()
	return writtenPage(t, page, operationsServed(mount.(*backend).Paths))
}
