package rotation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// brokenStorage fails all writes while it is broken, and holds lists until it is let go.
type brokenStorage struct {
	logical.Storage
	broken *atomic.Bool
	hold   chan struct{}
}

func (s brokenStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	if s.broken.Load() {
		return errors.New("no space left")
	}
	return s.Storage.Put(ctx, e)
}

func (s brokenStorage) List(ctx context.Context, prefix string) ([]string, error) {
	if s.hold != nil {
		<-s.hold
	}
	return s.Storage.List(ctx, prefix)
}

// startWith starts a node with another storage.
func (w *world) startWith(change func(logical.Storage) logical.Storage) {
	w.start()
	old := w.node.core
	old.Stop()
	o := old.opts
	o.Storage = change(o.Storage)
	w.node.core = New(o)
	w.node.core.Start()
}

func TestAFailedStepIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		leases := w.crowd(t, 20, leasedSettings())
		var broken atomic.Bool
		w.startWith(func(s logical.Storage) logical.Storage { return brokenStorage{Storage: s, broken: &broken} })
		pass(time.Second)
		for _, l := range leases {
			w.end(t.Context(), t, l)
		}
		broken.Store(true)
		pass(20 * time.Minute)
		_, resets := w.cloud.traffic()
		is(t, "resets without storage", len(resets), 0)
		broken.Store(false)
		w.awaitRest(t.Context(), t, settleBound)
		w.node.core.Stop()
	})
}

func TestReadsDoNotWaitForTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		leases := w.crowd(t, 2, leasedSettings())
		hold := make(chan struct{})
		var broken atomic.Bool
		w.startWith(func(s logical.Storage) logical.Storage { return brokenStorage{Storage: s, broken: &broken, hold: hold} })
		pass(time.Second)
		is(t, "loading", w.node.core.Status().Loading, true)
		if _, answered := w.read(t.Context(), leases[0].ref.ID, 0); !answered {
			t.Errorf("no answer while the schedule is being rebuilt:\n%s", w.trace())
		}
		w.end(t.Context(), t, leases[1]) // and it is rotated, too
		pass(time.Minute)
		_, resets := w.cloud.traffic()
		is(t, "resets", len(resets), 1)
		close(hold)
		pass(time.Second)
		is(t, "loading", w.node.core.Status().Loading, false)
		w.node.core.Stop()
	})
}

// TestStopEndsEverything: the bubble itself fails the test if a goroutine is left.
func TestStopEndsEverything(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 700 * time.Millisecond, 3 * time.Second, time.Minute} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, overlappingMethod, odds{})
				leases := w.crowd(t, 100, leasedSettings())
				w.start()
				pass(time.Second)
				for _, l := range leases {
					w.end(t.Context(), t, l)
				}
				pass(after)
				began := time.Now()
				w.node.core.Stop()
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
				pass(simTimeout) // what the cloud had been asked for ends
				before, _ := w.cloud.traffic()
				pass(time.Hour)
				after, _ := w.cloud.traffic()
				is(t, "calls after the stop", after-before, 0)
				if err := w.node.core.Revoke(t.Context(), leases[0].ref); err != nil {
					t.Errorf("a late revocation: %v", err)
				}
				w.node.core.Stop() // again
			})
		})
	}
}

// TestAClockThatIsSetBackHoldsNothingUp: what a node has stored is not taken for a time that is far
// ahead.
func TestAClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		for _, l := range w.crowd(t, 5, with(leasedSettings(), func(s *Settings) { s.MinResetInterval = time.Minute })) {
			a := w.record(l.ref.ID).Clone()
			due(protocol.DueRevoked)(a)
			a.Leases, a.LastReset = nil, time.Now()
			a.Backoff = &protocol.Backoff{Failures: 9, LastErrorTime: time.Now(), NotBefore: time.Now().Add(protocol.MaxBackoff)}
			w.put(t, a)
			l.revoked = true
		}
		w.skew.Store(int64(-3 * time.Hour))
		w.start()
		w.awaitRest(t.Context(), t, time.Minute)
		w.node.core.Stop()
	})
}

func TestStartOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.crowd(t, 1, leasedSettings())
		w.start()
		w.node.core.Start()
		pass(time.Second)
		w.node.core.Stop()
		w.node.core.Start() // not again: a new node is a new Core
		pass(time.Hour)
		is(t, "running", w.node.core.Status().Running, false)
	})
}

// TestRunningOperationsDoNotHoldOthersUp: operations that take long, so many that looking at them alone
// would take all that the connection's limit allows, leave room for other accounts.
func TestRunningOperationsDoNotHoldOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, commandMethod, odds{})
		w.faulty.Store(true)
		leases := w.crowd(t, 3*simRate*int(simPoll/time.Second), leasedSettings())
		last := leases[len(leases)-1]
		for _, l := range leases {
			a := w.record(l.ref.ID).Clone()
			a.Settings.ResetMethod = string(commandMethod)
			if l != last {
				due(protocol.DueRevoked)(a)
				a.Leases = nil
				a.Pending = &protocol.Pending{Password: "new", Created: time.Now(), Tried: 1,
					Attempts: []protocol.Attempt{{ID: "a", Method: a.Settings.ResetMethod, RequestID: "slow", SeenOperation: "none"}}}
				w.cloud.servers[a.InstanceID].commands["slow"] = cloud.ResetRecord{OperationID: "slow", State: cloud.OperationRunning}
			}
			w.put(t, a)
		}
		w.start()
		pass(time.Minute)
		w.end(t.Context(), t, last)
		pass(time.Minute)
		if a := w.record(last.ref.ID); a.LastVersion != 2 {
			t.Errorf("an account has waited for a minute: %s", describe(a))
		}
		w.node.core.Stop()
		pass(time.Minute)
	})
}

// countingStorage counts the writes that are under way, each of which takes a while.
type countingStorage struct {
	logical.Storage
	takes     time.Duration
	now, most *atomic.Int64
}

func (s countingStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	pass(s.takes)
	return s.Storage.Put(ctx, e)
}

// TestDeadlinesOfACrowdDoNotFloodStorage: after a long outage thousands of leases have ended at once.
func TestDeadlinesOfACrowdDoNotFloodStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		leases := w.crowd(t, 2000, leasedSettings())
		w.cloud.locked(func() { w.cloud.refuse = true })
		pass(time.Hour)
		var now, most atomic.Int64
		w.startWith(func(s logical.Storage) logical.Storage { return countingStorage{s, 20 * time.Millisecond, &now, &most} })
		pass(protocol.StartHold + 2*time.Second)
		for _, l := range leases {
			if a := w.record(l.ref.ID); a.Due == nil || a.Due.Reason != protocol.DueDeadline {
				t.Fatalf("not due in time: %s", describe(a))
			}
		}
		if got := most.Load(); got > workqueue.LocalWorkers {
			t.Errorf("%d writes at the same time", got)
		}
		w.node.core.Stop()
		pass(time.Minute)
	})
}

// distantStorage takes a while for each read.
type distantStorage struct{ logical.Storage }

func (s distantStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	pass(20 * time.Millisecond)
	return s.Storage.Get(ctx, key)
}

func TestRecordsAreLoadedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1000
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.crowd(t, size, leasedSettings())
		w.startWith(func(s logical.Storage) logical.Storage { return distantStorage{s} })
		pass(size / loadReaders * 25 * time.Millisecond)
		s := w.node.core.Status()
		is(t, "loading", s.Loading, false)
		is(t, "accounts", s.Accounts["ready"], size)
		w.node.core.Stop()
	})
}
