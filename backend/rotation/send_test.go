package rotation

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// hungStorage lands the write of an attempt and answers much later, once.
type hungStorage struct {
	logical.Storage
	key  string // of the record
	hang *atomic.Int64
}

func (s hungStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	err := s.Storage.Put(ctx, e)
	if e.Key == s.key && strings.Contains(string(e.Value), `"attempts"`) {
		pass(time.Duration(s.hang.Swap(0)))
	}
	return err
}

// TestALateAnswerOfStorageMakesAnAttemptStale: a node whose write of an attempt landed, but was answered
// only when another node had become active and had settled the attempt, sends nothing any more.
func TestALateAnswerOfStorageMakesAnAttemptStale(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(map[bool]string{false: "one account", true: "a batch"}[shared], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, overlappingMethod, odds{})
				w.faulty.Store(true)
				s := with(staticSettings(), func(s *Settings) { s.SharedPassword = shared })
				ids := []ID{w.bind(s), w.bind(s)}
				rotated := ids[0]
				w.start()
				w.ensureBound(ctx)
				if shared {
					w.bindGroup(ctx, ids)
					rotated = GroupID("conn", simRole)
				}
				w.node.core.Stop()
				var hang atomic.Int64
				w.startWith(func(s logical.Storage) logical.Storage {
					return hungStorage{Storage: s, key: accountKey(ids[0]), hang: &hang}
				})
				hang.Store(int64(2 * time.Hour))
				if _, err := w.node.core.Rotate(ctx, rotated, 0); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				if a := w.record(ids[0]); a.Pending == nil || len(a.Pending.Attempts) != 1 || hang.Load() != 0 {
					t.Fatalf("the attempt is not recorded: %s", describe(a))
				}
				old := w.node
				old.isDeposed.Store(true) // and it does not know
				w.start()
				for range 2 { // the second value follows the settle window of the first one's attempts
					if _, err := w.node.core.Rotate(ctx, rotated, 0); err != nil {
						t.Fatal(err)
					}
					pass(40 * time.Minute)
				}
				pass(time.Hour)
				if a := w.record(ids[0]); a.LastVersion != 2 {
					t.Errorf("it was rotated %d times", a.LastVersion)
				}
				old.core.Stop()
				w.node.core.Stop()
				for _, id := range ids {
					w.checkStored(id)
				}
				if len(w.violations()) > 0 {
					w.fail(t, "a late answer of storage")
				}
			})
		})
	}
}
