package backend

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// benchFleet is a mount with 100,000 accounts, all of which are due.
func benchFleet(b *testing.B) *bench {
	b.Helper()
	const accounts = 100_000
	fake := newFakeCloud()
	for n := range accounts {
		fake.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", n), Platform: cloud.Linux,
			Tags: map[string]string{"role": fmt.Sprint(n / role.MaxInstances)}})
	}
	m := newBench(b, new(logical.InmemStorage), fake)
	m.do(b, logical.CreateOperation, "config/prod", merged(connectionData(bothCloud), map[string]any{"max_requests_per_second": 100}))
	for n := range accounts / role.MaxInstances {
		m.do(b, logical.CreateOperation, fmt.Sprintf("roles/r%d", n), map[string]any{
			"connection": "prod", "instance_tags": fmt.Sprintf("role=%d", n), "source": "reset", "reset_method": cloud.MethodCommand,
			"mode": "static", "rotation_period": "1000h", "skip_import_rotation": true,
		})
	}
	m.do(b, logical.UpdateOperation, "rotate-connection/prod", nil)
	return m
}

// BenchmarkFleet reads what operators and Prometheus ask about a fleet, each of which is to take less than a second.
func BenchmarkFleet(b *testing.B) {
	m := benchFleet(b)
	for _, c := range []struct {
		name, path string
		query      map[string]any
	}{
		{"metrics", "metrics", nil},
		{"status", "status", nil},
		{"status in detail", "status", map[string]any{"detailed": true}},
		{"report of a role", "report", map[string]any{"role": "r7"}},
		{"report of a name and a state", "report", map[string]any{"name": "*web*", "state": "rotating,due"}},
		{"report of a server", "report", map[string]any{"server": "srv-99999"}},
		{"report of a holder", "report", map[string]any{"holder": "userpass-alice"}},
		{"report of all, a page", "report", map[string]any{"limit": 1000}},
		{"report of all, as csv", "report", map[string]any{"limit": 10000, "format": "csv"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.do(b, logical.ReadOperation, c.path, c.query)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Second), "s/read")
		})
	}
}
