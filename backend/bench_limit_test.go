package backend

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

// BenchmarkLimit makes 100,000 accounts of a connection due and measures, over some seconds of real time, which share of
// the connection's limit their resets take. The aim is 0.93 to 1.0.
func BenchmarkLimit(b *testing.B) {
	const (
		accounts = 100_000
		limit    = 100 // requests a second for each API action
		measured = 20 * time.Second
	)
	fake := newFakeCloud()
	for n := range accounts {
		fake.launch(cloud.Instance{ID: fmt.Sprintf("srv-%d", n), Platform: cloud.Linux,
			Tags: map[string]string{"role": fmt.Sprint(n / role.MaxInstances)}})
	}
	m := newBench(b, new(logical.InmemStorage), fake)
	m.do(b, logical.CreateOperation, "config/prod", merged(connectionData(bothCloud), map[string]any{"max_requests_per_second": limit}))
	for n := range accounts / role.MaxInstances {
		m.do(b, logical.CreateOperation, fmt.Sprintf("roles/r%d", n), map[string]any{
			"connection": "prod", "instance_tags": fmt.Sprintf("role=%d", n), "source": "reset", "reset_method": cloud.MethodCommand,
			"mode": "static", "rotation_period": "1000h", "skip_import_rotation": true,
		})
	}
	for b.Loop() {
		m.do(b, logical.UpdateOperation, "rotate-connection/prod", nil)
		for first := fake.count("StartReset"); fake.count("StartReset") < first+limit; { // past the first burst
			<-time.After(time.Millisecond)
		}
		began, before := time.Now(), fake.count("StartReset")
		<-time.After(measured)
		resets, took := fake.count("StartReset")-before, time.Since(began)
		b.ReportMetric(float64(resets)/took.Seconds()/limit, "of-the-limit")
	}
	b.ReportMetric(0, "ns/op") // it is the time that was measured for
}
