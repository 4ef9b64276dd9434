package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// bench is a mount with clouds in memory whose answers nobody checks against their schema, which would take longer than
// the mount itself.
type bench struct {
	*backend
	storage logical.Storage
	cloud   *fakeCloud
}

// newBench is a mount on a storage, which may hold one's state already.
func newBench(tb testing.TB, storage logical.Storage, fake *fakeCloud) *bench {
	tb.Helper()
	b, err := newBackend(tb.Context(), &logical.BackendConfig{
		Logger: hclog.NewNullLogger(), StorageView: storage, BackendUUID: "bench",
		System: &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 32 * 24 * time.Hour},
	}, fake.registry())
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.Initialize(tb.Context(), &logical.InitializationRequest{Storage: storage}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.Cleanup(context.Background()) })
	return &bench{backend: b, storage: storage, cloud: fake}
}

func (b *bench) do(tb testing.TB, op logical.Operation, path string, data map[string]any) *logical.Response {
	tb.Helper()
	resp, err := b.HandleRequest(tb.Context(), &logical.Request{Operation: op, Path: path, Data: data, Storage: b.storage})
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		tb.Fatalf("%s %s: %v", op, path, err)
	}
	return resp
}

// oneAccount is a mount with the role web of one account that has a password.
func oneAccount(tb testing.TB, role map[string]any) *bench {
	tb.Helper()
	fake := newFakeCloud()
	fake.launch(cloud.Instance{ID: "srv-1", Name: "one", PrivateIP: "10.0.0.1"})
	b := newBench(tb, new(logical.InmemStorage), fake)
	b.do(tb, logical.CreateOperation, "config/prod", connectionData(bothCloud))
	b.do(tb, logical.CreateOperation, "roles/web", merged(map[string]any{"connection": "prod", "instance_ids": "srv-1", "source": "reset"},
		role))
	b.do(tb, logical.ReadOperation, "creds/web", map[string]any{"wait": "45s"})
	return b
}

// BenchmarkReadStatic is the read of a scheduled static account, without Vault: everything comes from the cache.
func BenchmarkReadStatic(b *testing.B) {
	m := oneAccount(b, map[string]any{"mode": "static", "rotation_period": "24h"})
	calls := m.cloud.count()
	b.ReportAllocs()
	for b.Loop() {
		if resp := m.do(b, logical.ReadOperation, "creds/web", nil); resp.Data["password"] == "" {
			b.Fatal("no password")
		}
	}
	if n := m.cloud.count() - calls; n != 0 {
		b.Errorf("the reads made %d cloud calls", n)
	}
}

// BenchmarkReadLeased is a leased read and the end of its lease, each with its write to storage. Another lease keeps the
// account from becoming due; the number of leases that live meanwhile makes the record longer.
func BenchmarkReadLeased(b *testing.B) {
	for _, live := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			m := oneAccount(b, nil)
			for range live - 1 {
				m.do(b, logical.ReadOperation, "creds/web", nil)
			}
			b.ReportAllocs()
			for b.Loop() {
				resp := m.do(b, logical.ReadOperation, "creds/web", nil)
				req := logical.RevokeRequest("creds/web", resp.Secret, resp.Data)
				req.Storage = m.storage
				if _, err := m.HandleRequest(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCache is a hit, and a miss with its storage read.
func BenchmarkCache(b *testing.B) {
	m := oneAccount(b, nil)
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r, err := m.roles.Get(b.Context(), "web"); err != nil || r == nil {
				b.Fatal("no role", err)
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.roles.Drop("web")
			if r, err := m.roles.Get(b.Context(), "web"); err != nil || r == nil {
				b.Fatal("no role", err)
			}
		}
	})
}

// The allocations of a read are those of the framework and of the answer. More than this means that the hot path has
// got a copy or a parse that it can do without.
const readAllocations = 52

func TestReadAllocatesLittle(t *testing.T) {
	m := oneAccount(t, map[string]any{"mode": "static", "rotation_period": "24h"})
	n := testing.AllocsPerRun(1000, func() { m.do(t, logical.ReadOperation, "creds/web", nil) })
	t.Logf("%v allocations", n)
	if n > readAllocations && !raceDetector {
		t.Errorf("a read of a static account makes %v allocations, want at most %d", n, readAllocations)
	}
}

// BenchmarkRefused is a request for a role that does not exist, as a scanner makes them.
func BenchmarkRefused(b *testing.B) {
	m := oneAccount(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		_, err := m.HandleRequest(b.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/nothing", Storage: m.storage})
		var coded logical.HTTPCodedError
		if !errors.As(err, &coded) || coded.Code() != http.StatusBadRequest || !strings.Contains(err.Error(), "unknown role") {
			b.Fatalf("error %v", err)
		}
	}
}
