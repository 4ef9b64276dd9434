package backend

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// hangingStorage holds its writes up while it is told so.
type hangingStorage struct {
	logical.Storage
	hangs   atomic.Bool
	reached chan struct{}
	release chan struct{}
}

func (s *hangingStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	if s.hangs.Load() {
		s.reached <- struct{}{}
		<-s.release
	}
	return s.Storage.Put(ctx, e)
}

// TestStatusAnswersWhileAWriteHangs, and so does accounts/.
func TestStatusAnswersWhileAWriteHangs(t *testing.T) {
	storage := &hangingStorage{Storage: new(logical.InmemStorage), reached: make(chan struct{}, 10), release: make(chan struct{})}
	h := newHarnessOn(t, storage, newFakeCloud())
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	h.lease(t, "creds/web")
	storage.hangs.Store(true)
	read := make(chan error, 1)
	go func() {
		_, err := h.readAs(context.WithoutCancel(t.Context()), "creds/web", logical.Request{})
		read <- err
	}()
	<-storage.reached
	storage.hangs.Store(false)
	if got := h.read(t, "status"); got["leases"] != 1 {
		t.Errorf("status tells of %v leases, want the one that is stored", got["leases"])
	}
	if got := h.read(t, "accounts/prod/srv-1/root"); len(got["leases"].([]map[string]any)) != 1 {
		t.Errorf("leases %v", got["leases"])
	}
	select {
	case err := <-read:
		t.Errorf("the read did not hang: %v", err)
	default:
	}
	close(storage.release)
	if err := <-read; err != nil {
		t.Error(err)
	}
}
