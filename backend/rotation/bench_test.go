package rotation

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

func BenchmarkTransition(b *testing.B) {
	var grant protocol.Grant
	for _, c := range []struct {
		name  string
		from  func(*Account)
		event protocol.Event
	}{
		{"disclosed", nil, protocol.VersionDisclosed{Nonce: "n", At: t0, Grant: &grant}},
		{"revoked", both(readAgo(time.Minute), holding("n", 1, time.Minute)), protocol.LeaseRevoked{Nonce: "n", At: t0}},
		{"begun", due(protocol.DueRevoked), protocol.RotationStarted{Password: "two", Attempt: sent("a")}},
		{"promoted", rotating(acknowledged("a", "op")),
			protocol.OperationObserved{Record: cloud.ResetRecord{OperationID: "op", State: cloud.OperationSuccess}, At: t0}},
	} {
		b.Run(c.name, func(b *testing.B) {
			a := leasedAccount()
			if c.from != nil {
				c.from(a)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.Transition(a, c.event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchCore is a core over in-memory storage, with one account of these settings that has a version.
func benchCore(b *testing.B, s Settings) (*Core, ID) {
	b.Helper()
	storage := &logical.InmemStorage{}
	a := leasedAccount()
	a.Settings = s
	if err := saveAccount(b.Context(), storage, a); err != nil {
		b.Fatal(err)
	}
	c := New(Options{Storage: storage})
	b.Cleanup(c.Stop)
	return c, a.ID
}

func BenchmarkReadStatic(b *testing.B) {
	c, id := benchCore(b, staticSettings())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(b.Context(), id, Reader{}, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadLeased reads under a lease and revokes it, beside a lease that stays, so that nothing
// becomes due.
func BenchmarkReadLeased(b *testing.B) {
	c, id := benchCore(b, with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = 100*time.Hour, 100*time.Hour }))
	if _, err := c.Read(b.Context(), id, Reader{}, 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		answer, err := c.Read(b.Context(), id, Reader{}, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := c.Revoke(b.Context(), LeaseRef{ID: id, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// fleetSize is how many accounts the design is to hold.
const fleetSize = 100000

// benchFleet stores that many accounts, and returns the last of them.
func benchFleet(b *testing.B) (logical.Storage, *Account) {
	b.Helper()
	storage := &logical.InmemStorage{}
	a := leasedAccount()
	a.Facts = Facts{Name: "web-1", Platform: cloud.Linux, OSName: "Ubuntu Server 24.04 LTS 64bit", PrivateIP: "10.0.0.1",
		PublicIP: "192.0.2.1", LaunchTime: t0}
	for i := range fleetSize {
		a.InstanceID = fmt.Sprintf("ins-%08d", i)
		raw, err := json.Marshal(a)
		if err != nil {
			b.Fatal(err)
		}
		if err := storage.Put(b.Context(), &logical.StorageEntry{Key: accountKey(a.ID), Value: raw}); err != nil {
			b.Fatal(err)
		}
	}
	return storage, a
}

// BenchmarkAccounts starts a core over 100,000 stored accounts: the time to the first read, to the
// rebuilt schedule, and the heap that an account takes then.
func BenchmarkAccounts(b *testing.B) {
	storage, a := benchFleet(b)
	for b.Loop() {
		before := heapInUse()
		began := time.Now()
		c := New(Options{Storage: storage})
		c.Start()
		if _, err := c.Read(context.Background(), a.ID, Reader{}, 0); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds()), "µs-to-first-read")
		for c.isLoading() {
			runtime.Gosched()
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-schedule")
		b.ReportMetric(float64(heapInUse()-before)/fleetSize, "B/account")
		c.Stop()
	}
}

// BenchmarkReport looks for the few, and for all, of 100,000 accounts that are in memory, and shows a page of them.
func BenchmarkReport(b *testing.B) {
	storage, a := benchFleet(b)
	c := New(Options{Storage: storage, Now: func() time.Time { return t0 }})
	c.Start()
	b.Cleanup(c.Stop)
	for c.isLoading() {
		runtime.Gosched()
	}
	failing := true
	for _, q := range []struct {
		name  string
		query ReportQuery
		total int
	}{
		{"all", ReportQuery{Limit: 1000}, fleetSize},
		{"old", ReportQuery{OlderThan: time.Minute, Name: "*web*", States: []string{"ready"}, Limit: 1000}, fleetSize},
		{"failing", ReportQuery{Failing: &failing, Limit: 1000}, 0},
		{"last", ReportQuery{Connection: a.Connection, After: a.ID, Limit: 1000}, fleetSize},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := c.Report(q.query); r.Total != q.total {
					b.Fatalf("%d accounts", r.Total)
				}
			}
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
