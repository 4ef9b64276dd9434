package rotation

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/logical"
)

// TestReadersWhoHangUpLeaveNoLease: whether they go while they wait for the record, or while their joint
// write is under way.
func TestReadersWhoHangUpLeaveNoLease(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("during the write: %v", late), func(t *testing.T) {
			c, s, e, first := crowded(t, nil)
			const readers = 30
			ctx, cancel := context.WithCancel(t.Context())
			errs := make([]error, readers)
			stays := make(chan error, 1)
			var group sync.WaitGroup
			e.mu.Lock()
			for i := range readers {
				group.Go(func() { _, errs[i] = c.Read(ctx, e.id, Reader{}, 0) })
			}
			group.Go(func() {
				_, err := c.Read(t.Context(), e.id, Reader{}, 0)
				stays <- err
			})
			for e.inLine() <= readers || lockedOut(&e.mu) <= readers {
				pauseForOthers()
			}
			hold := make(chan struct{})
			if late {
				s.mu.Lock()
				s.hold = hold
				s.mu.Unlock()
				before := s.count()
				e.mu.Unlock()
				for s.count() == before {
					pauseForOthers()
				}
				cancel()
			} else {
				cancel()
				e.mu.Unlock()
			}
			close(hold)
			s.mu.Lock()
			s.hold = nil
			s.mu.Unlock()
			group.Wait()
			for i, err := range errs {
				if err == nil {
					t.Errorf("reader %d has an answer", i)
				}
			}
			if err := <-stays; err != nil {
				t.Errorf("the reader who stays: %v", err)
			}
			a := stored(t, c, e.id)
			is(t, "leases in storage", len(a.Leases), 2)
			is(t, "due", a.Due, nil)
			if _, ok := a.Leases[first.Nonce]; !ok {
				t.Error("an earlier lease is lost")
			}
			cancel()
		})
	}
}

func TestAReadRacesWithItsRoleAndAsksForNoLease(t *testing.T) {
	c, _, e, _ := crowded(t, nil)
	static := with(staticSettings(), func(s *Settings) { s.MaxVersions = 10 })
	var answer *Answer
	var readErr, renewErr error
	e.mu.Lock()
	var group sync.WaitGroup
	group.Go(func() { answer, readErr = c.Read(t.Context(), e.id, Reader{}, 0) }) // it has decided for a lease
	for e.inLine() < 1 || lockedOut(&e.mu) < 1 {
		pauseForOthers()
	}
	changed, err := protocol.Transition(e.rec, protocol.RoleBound{Role: e.rec.Role, Settings: static, Facts: e.rec.Facts, At: t0})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.put(t.Context(), e, changed); err != nil {
		t.Fatal(err)
	}
	// Another client's write takes the reader along.
	if _, err := c.updateLocked(t.Context(), e, protocol.RotationRequested{Reason: protocol.DueManual, At: t0}); err != nil {
		t.Fatal(err)
	}
	e.mu.Unlock()
	group.Wait()
	if readErr != nil || answer.Lease != nil {
		t.Errorf("answer %+v, %v; want one without a lease", answer, readErr)
	}
	_, _, renewErr = c.Renew(t.Context(), LeaseRef{ID: e.id, Version: 1, Nonce: "any"}, t0, time.Hour)
	if renewErr == nil || !strings.Contains(renewErr.Error(), "without leases") {
		t.Errorf("a renewal: %v", renewErr)
	}
}

// pauseForOthers lets other goroutines go on, in real time.
func pauseForOthers() { runtime.Gosched() }

// orderedStorage keeps in which order accounts were written.
type orderedStorage struct {
	logical.InmemStorage
	written []*Account
}

func (s *orderedStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	a, err := protocol.DecodeAccount(e.Value)
	if err != nil {
		return err
	}
	s.written = append(s.written, a)
	return s.InmemStorage.Put(ctx, e)
}

// TestRotateConnectionBeginsWithWhatSomebodyKnows: those passwords are the danger.
func TestRotateConnectionBeginsWithWhatSomebodyKnows(t *testing.T) {
	s := &orderedStorage{}
	c := New(Options{Storage: s, Now: func() time.Time { return t0 }})
	t.Cleanup(c.Stop)
	const accounts = 10
	for i := range accounts {
		a := leasedAccount()
		a.InstanceID = fmt.Sprintf("i-%d", i)
		if i%2 == 1 {
			readAgo(time.Minute)(a)
		}
		if err := saveAccount(t.Context(), &s.InmemStorage, a); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.rotateConnection(t.Context(), leasedAccount().Connection); n != accounts || err != nil {
		t.Fatalf("%d accounts, %v", n, err)
	}
	for i, a := range s.written {
		if known := !a.Current().Disclosed.IsZero(); known != (i < accounts/2) {
			t.Fatalf("account %d to become due: known: %v", i, known)
		}
	}
	is(t, "accounts", len(s.written), accounts)
}
