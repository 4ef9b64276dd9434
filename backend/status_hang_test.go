package backend

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// hangingStorage holds its writes up, or its reads, while it is told so.
type hangingStorage struct {
	logical.Storage
	hangs, hangsReading atomic.Bool
	reached             chan struct{}
	release             chan struct{}
}

func (s *hangingStorage) read() {
	if s.hangsReading.Load() {
		s.reached <- struct{}{}
		<-s.release
	}
}

func (s *hangingStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	s.read()
	return s.Storage.Get(ctx, key)
}

func (s *hangingStorage) List(ctx context.Context, prefix string) ([]string, error) {
	s.read()
	return s.Storage.List(ctx, prefix)
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

// TestStatusAnswersWhileReadsHang: it tells what is in memory, and that this is not all.
func TestStatusAnswersWhileReadsHang(t *testing.T) {
	storage := &hangingStorage{Storage: new(logical.InmemStorage), reached: make(chan struct{}, 100), release: make(chan struct{})}
	h := newHarnessOn(t, storage, newFakeCloud())
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_ids": "srv-1", "force_stop": true})
	h.lease(t, "creds/web")
	storage.hangsReading.Store(true)
	// Another node has changed the connection, which is read again.
	ctx, read := context.WithoutCancel(t.Context()), make(chan error, 1)
	go h.invalidate(ctx, "config/prod")
	<-storage.reached
	go func() {
		_, err := h.readAs(ctx, "creds/web", logical.Request{})
		read <- err
	}()
	for range statusLooks + 1 { // those before do not keep it from answering
		got := h.read(t, "status", "detailed", true)
		if got["leases"] != 1 || got["stale"] != true || got["details"].(map[string]any)["connections"].(map[string]any)["prod"] == nil ||
			!strings.Contains(got["summary"].(string), "prod: ok, 1 account") {
			t.Fatalf("status tells %v", got)
		}
	}
	select {
	case err := <-read:
		t.Errorf("the read did not hang: %v", err)
	default:
	}
	storage.hangsReading.Store(false)
	close(storage.release)
	if err := <-read; err != nil {
		t.Error(err)
	}
	for len(h.statusLooks) > 0 {
		runtime.Gosched()
	}
	if got := h.read(t, "status"); got["stale"] != nil || got["leases"] != 2 {
		t.Errorf("afterwards status tells %v", got)
	}
}
