package host

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// benchHosts is how many hosts the inventory has.
const benchHosts = 10_000

// fleet writes hosts of two connections, each with a key and two tags.
func fleet(b *testing.B) *mount {
	b.Helper()
	m := newMount(b)
	for i := range benchHosts {
		connection := dc1
		if i%10 == 9 {
			connection = dc2
		}
		r := newRecord(m.now)
		r.Connection, r.Address, r.Tags = connection, fmt.Sprintf("web-%05d.example.com", i), map[string]string{"env": "prod", "team": "web"}
		r.pin(newKey(b), PinnedByWrite, m.now)
		if err := m.index.put(b.Context(), fmt.Sprintf("web-%05d", i), r); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// BenchmarkInventory has 10,000 hosts: the first list of a connection, which reads storage, the further ones, one host, a list after a
// change, and the heap of a host.
func BenchmarkInventory(b *testing.B) {
	m := fleet(b)
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	b.Run("first list", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			before := heap()
			again := newMountOn(m.storage)
			b.StartTimer()
			if n := len(again.hosts(b, dc1)); n != benchHosts*9/10 {
				b.Fatalf("%d hosts", n)
			}
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/benchHosts, "heap-B/host")
			runtime.KeepAlive(again)
			b.StartTimer()
		}
	})
	b.Run("list", func(b *testing.B) {
		m.hosts(b, dc1)
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			m.hosts(b, dc1)
		}
	})
	b.Run("list after a change", func(b *testing.B) {
		i := 0
		for range b.N {
			b.StopTimer()
			if i++; i%2 == 0 {
				m.remove(b, "web-x")
			} else {
				m.write(b, "web-x", "connection="+dc1, "address="+testAddress)
			}
			b.StartTimer()
			m.hosts(b, dc1)
		}
	})
	b.Run("one host", func(b *testing.B) {
		view := m.View(dc1, true)
		for range b.N {
			if h, err := view.Host(b.Context(), "web-00000"); err != nil || h == nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan of 1,000", func(b *testing.B) {
		var list []any
		for i := range MaxBulk {
			list = append(list, element(fmt.Sprintf("web-%05d", i), "connection="+dc1, fmt.Sprintf("address=web-%05d.example.com", i),
				"tags=env=prod"))
		}
		for range b.N {
			all, err := ParseList(list)
			if err == nil {
				err = m.PlanAll(b.Context(), all)
			}
			if err != nil || all[0].Change.Result != Changed {
				b.Fatal(err, all[0].Change.Result)
			}
		}
		b.ReportMetric(float64(b.Elapsed()/time.Microsecond)/float64(b.N)/MaxBulk, "µs/host")
	})
}
