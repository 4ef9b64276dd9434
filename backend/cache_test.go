package backend

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// counted is storage that counts its reads.
type counted struct {
	logical.Storage
	reads atomic.Int64
	onGet func(key string)
}

func (c *counted) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	c.reads.Add(1)
	entry, err := c.Storage.Get(ctx, key)
	if c.onGet != nil {
		c.onGet(key)
	}
	return entry, err
}

func TestReadsOfBoundInstancesReadNoStorage(t *testing.T) {
	storage := &counted{Storage: new(logical.InmemStorage)}
	fake := newFakeCloud()
	h := newHarnessWith(t, storage, fake, fake.registry())
	fake.launch(cloud.Instance{ID: "srv-1"})
	h.connection(t, "c", bothCloud)
	h.write(t, "roles/r", map[string]any{"connection": "c", "instance_ids": "srv-1", "source": "reset", "mode": "static"})
	h.ok(t, logical.ReadOperation, "creds/r", map[string]any{"wait": "45s"})
	reads, calls := storage.reads.Load(), fake.count()
	for range 100 {
		h.read(t, "creds/r")
	}
	if n := storage.reads.Load() - reads; n != 0 {
		t.Errorf("100 reads read storage %d times", n)
	}
	if n := fake.count() - calls; n != 0 {
		t.Errorf("100 reads asked the cloud %d times", n)
	}
}

func TestInvalidate(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	other := newHarnessOn(t, h.storage, h.cloud) // the node that writes
	other.write(t, "roles/web", map[string]any{"ttl": "2h"})
	other.write(t, "config/prod", map[string]any{"request_timeout": "9s"})
	if h.read(t, "roles/web")["ttl"] != int64(3600) || h.read(t, "config/prod")["request_timeout"] != int64(30) {
		t.Fatal("nothing is cached, so this test shows nothing")
	}
	for _, key := range []string{"role/web", "config/prod", "account/prod/srv-1/root", "key/k", "account/", "account/odd", "unknown"} {
		h.InvalidateKey(t.Context(), key)
	}
	if got := h.read(t, "roles/web")["ttl"]; got != int64(7200) {
		t.Errorf("ttl %v after invalidation", got)
	}
	if got := h.read(t, "config/prod")["request_timeout"]; got != int64(9) {
		t.Errorf("request_timeout %v after invalidation", got)
	}
	if got := h.lease(t, "creds/web").Secret.TTL.Hours(); got != 2 {
		t.Errorf("a lease of %v hours after invalidation", got)
	}
}
