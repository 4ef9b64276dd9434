package rotation

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestRotateConnection: every account of the connection gets another password, those that share one
// get it together, and a group is no account in the status.
func TestRotateConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(t, 1, serialMethod, odds{})
		w.start()
		shared := with(leasedSettings(), func(s *Settings) { s.SharedPassword = true })
		members := []ID{w.bind(shared), w.bind(shared)}
		w.ensureBound(ctx)
		w.bindGroup(ctx, members)
		single := w.bind(leasedSettings())
		w.specs[2].Role = "single"
		w.ensureBound(ctx)
		core := w.node.core
		if _, err := core.ReadGroup(ctx, "conn", Reader{Role: simRole}, 45*time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := core.Read(ctx, single, Reader{}, 45*time.Second); err != nil {
			t.Fatal(err)
		}
		before := map[ID]string{}
		for _, id := range append(members, single) {
			before[id], _, _ = w.server(id)
		}
		if n, err := core.rotateConnection(ctx, "conn"); n != 3 || err != nil {
			t.Fatalf("%d accounts became due, %v; want 3", n, err)
		}
		time.Sleep(time.Minute)
		for _, id := range append(members, single) {
			if now, _, _ := w.server(id); now == before[id] {
				t.Errorf("%s still has its password", id)
			}
		}
		if a, b := w.record(members[0]).Current().Password, w.record(members[1]).Current().Password; a != b {
			t.Errorf("members have %s and %s", a, b)
		}
		if s := core.Status(); s.Accounts["ready"] != 3 || s.Leases != 0 {
			t.Errorf("status counts accounts %v and %d leases; want 3 ready and none, since the operator's rotation ends them", s.Accounts, s.Leases)
		}
		core.Stop()
	})
}

// TestRotateConnectionAgain: a request that was cut short, as over a great many accounts, is repeated, and
// writes no account a second time.
func TestRotateConnectionAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, serialMethod, odds{})
		w.faulty.Store(true)
		w.crowd(t, 20, leasedSettings())
		w.cloud.locked(func() { w.cloud.refuse = true })
		var now, most atomic.Int64
		w.startWith(func(s logical.Storage) logical.Storage { return countingStorage{s, 0, &now, &most} })
		for range 2 {
			most.Store(0)
			if n, err := w.node.core.rotateConnection(ctx, "conn"); n != 20 || err != nil {
				t.Errorf("%d accounts are due, %v; want 20", n, err)
			}
		}
		is(t, "writes at once the second time", most.Load(), 0)
		w.node.core.Stop()
		pass(time.Minute)
	})
}
