package rotation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/hashicorp/vault/sdk/logical"
)

// slowStorage counts the writes and can hold them up, or fail them after they have landed or instead.
type slowStorage struct {
	logical.InmemStorage
	mu     sync.Mutex
	writes int
	hold   chan struct{} // nil: nothing is held up
	fail   error
	landed bool // a failing write lands
}

func (s *slowStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	s.mu.Lock()
	s.writes++
	hold, fail, landed := s.hold, s.fail, s.landed
	s.mu.Unlock()
	for range 20 {
		runtime.Gosched() // others get as far as the line meanwhile
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail == nil || landed {
		if err := s.InmemStorage.Put(ctx, e); err != nil {
			return err
		}
	}
	return fail
}

func (s *slowStorage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// crowded is a core over slow storage with one readable account, read once.
func crowded(t *testing.T, change func(*Settings)) (*Core, *slowStorage, *entry, LeaseRef) {
	t.Helper()
	s := &slowStorage{}
	a := leasedAccount()
	a.Settings = with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = time.Hour, time.Hour })
	if change != nil {
		change(&a.Settings)
	}
	if err := saveAccount(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	c := New(Options{Storage: s, Now: func() time.Time { return t0 }})
	t.Cleanup(c.Stop)
	answer, err := c.Read(t.Context(), a.ID, Reader{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c, s, c.entry(a.ID), LeaseRef{ID: a.ID, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}
}

// queueUp makes calls one after the other, each of which finds the record held, and lets them go. Which of them has the record
// first is not known: a mutex may give itself to one that has not gone to sleep yet, past those that sleep.
func queueUp(e *entry, calls ...func()) {
	e.mu.Lock()
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(call)
		for e.inLine() <= i || lockedOut(&e.mu) <= i {
			runtime.Gosched()
		}
	}
	e.mu.Unlock()
	group.Wait()
}

// stored is the record as the next node would find it.
func stored(t *testing.T, c *Core, id ID) *Account {
	t.Helper()
	a, err := loadAccount(t.Context(), c.opts.Storage, id)
	if err != nil || a == nil {
		t.Fatalf("the stored record: %v, %v", a, err)
	}
	return a
}

func TestReadersShareAWrite(t *testing.T) {
	c, s, e, first := crowded(t, nil)
	const readers = 16
	answers, errs := make([]*Answer, readers), make([]error, readers)
	calls := make([]func(), readers)
	for i := range calls {
		calls[i] = func() { answers[i], errs[i] = c.Read(t.Context(), e.id, Reader{}, 0) }
	}
	before := s.count()
	queueUp(e, calls...)
	if n := s.count() - before; n != 1 {
		t.Errorf("%d readers caused %d writes, want 1", readers, n)
	}
	leases := stored(t, c, e.id).Leases
	is(t, "leases in storage", len(leases), 1+readers)
	for i, answer := range answers {
		if errs[i] != nil {
			t.Fatalf("reader %d: %v", i, errs[i])
		}
		if _, ok := leases[answer.Lease.Nonce]; !ok || answer.Version.Password != "one" || answer.Lease.TTL != time.Hour {
			t.Errorf("reader %d got %+v under %+v, which storage does not know", i, answer.Version, answer.Lease)
		}
	}
	if _, ok := leases[first.Nonce]; !ok {
		t.Error("an earlier lease is lost")
	}
}

// TestRevocationsShareAWrite: the last of the leases makes the account due, in the same write.
func TestRevocationsShareAWrite(t *testing.T) {
	c, s, e, first := crowded(t, nil)
	refs := []LeaseRef{first, {ID: e.id, Version: 1, Nonce: "unknown"}}
	for range 9 {
		answer, err := c.Read(t.Context(), e.id, Reader{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, LeaseRef{ID: e.id, Version: answer.Version.Number, Nonce: answer.Lease.Nonce})
	}
	errs, calls := make([]error, len(refs)), make([]func(), len(refs))
	for i := range calls {
		calls[i] = func() { errs[i] = c.Revoke(t.Context(), refs[i]) }
	}
	before := s.count()
	queueUp(e, calls...)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := s.count() - before; n != 1 {
		t.Errorf("%d revocations caused %d writes, want 1", len(refs), n)
	}
	a := stored(t, c, e.id)
	if len(a.Leases) != 0 || a.Due == nil || a.Due.Reason != protocol.DueRevoked {
		t.Errorf("storage has %s", describe(a))
	}
}

// TestReaderBesideTheLastRevocation: those who share a write see each other's changes, in the order in which they came to
// the line: behind the revocation the reader has to wait for the rotation; before it he has a lease of the version, which
// keeps that alive.
func TestReaderBesideTheLastRevocation(t *testing.T) {
	c, _, e, first := crowded(t, nil)
	var revoked, read error
	queueUp(e,
		func() { revoked = c.Revoke(t.Context(), first) },
		func() { _, read = c.Read(t.Context(), e.id, Reader{}, 0) })
	if revoked != nil {
		t.Error(revoked)
	}
	a := stored(t, c, e.id)
	if read == nil {
		if len(a.Leases) != 1 || a.Due != nil {
			t.Errorf("the reader came first, and storage has %s", describe(a))
		}
		return
	}
	var failed *Error
	if !errors.As(read, &failed) || failed.Kind != NotReadable {
		t.Errorf("the reader got %v", read)
	}
	if len(a.Leases) != 0 || a.Due == nil {
		t.Errorf("storage has %s", describe(a))
	}
}

func TestOnlyOneChecksOut(t *testing.T) {
	c, s, e, first := crowded(t, func(s *Settings) { s.Checkout = Exclusive })
	a := stored(t, c, e.id)
	delete(a.Leases, first.Nonce)
	if err := saveAccount(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	c.Invalidate(accountKey(e.id))
	if _, err := c.get(t.Context(), e.id); err != nil {
		t.Fatal(err)
	}
	errs, calls := make([]error, 5), make([]func(), 5)
	for i := range calls {
		calls[i] = func() { _, errs[i] = c.Read(t.Context(), e.id, Reader{}, 0) }
	}
	queueUp(e, calls...)
	held := 0
	for _, err := range errs {
		var failed *Error
		switch {
		case err == nil:
			held++
		case !errors.As(err, &failed) || failed.Kind != Conflict:
			t.Error(err)
		}
	}
	if n := len(stored(t, c, e.id).Leases); held != 1 || n != 1 {
		t.Errorf("%d readers have it under %d leases, want one", held, n)
	}
}

// TestJointWriteFails: whoever shares a write that failed is told so, whether it landed or not, and
// nobody goes on with a record that is not the stored one. Another lease stays open meanwhile, so that whoever comes first,
// the others can still be served.
func TestJointWriteFails(t *testing.T) {
	for _, landed := range []bool{false, true} {
		t.Run(fmt.Sprintf("landed %v", landed), func(t *testing.T) {
			c, s, e, first := crowded(t, nil)
			answer, err := c.Read(t.Context(), e.id, Reader{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			second := LeaseRef{ID: e.id, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}
			s.fail, s.landed = errors.New("no disk"), landed
			const readers = 4
			errs, calls := make([]error, readers+1), make([]func(), readers+1)
			for i := range readers {
				calls[i] = func() { _, errs[i] = c.Read(t.Context(), e.id, Reader{}, 0) }
			}
			calls[readers] = func() { errs[readers] = c.Revoke(t.Context(), first) }
			queueUp(e, calls...)
			for i, err := range errs {
				var failed *Error
				if !errors.As(err, &failed) || failed.Kind != Unavailable {
					t.Errorf("caller %d got %v", i, err)
				}
			}
			s.fail = nil
			want := 2 // the first and the second
			if landed {
				want = 1 + readers // the second and theirs
			}
			is(t, "leases in storage", len(stored(t, c, e.id).Leases), want)
			for _, ref := range []LeaseRef{first, second} { // Vault repeats the first
				if err := c.Revoke(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
				if _, ok := stored(t, c, e.id).Leases[ref.Nonce]; ok {
					t.Errorf("storage has lease %s still: %s", ref.Nonce, describe(stored(t, c, e.id)))
				}
			}
			if a := stored(t, c, e.id); (a.Due != nil) == landed {
				t.Errorf("storage has %s", describe(a))
			}
		})
	}
}

// TestCrowdOfClients: what storage holds in the end is what the clients were told, however they met.
func TestCrowdOfClients(t *testing.T) {
	c, s, e, first := crowded(t, nil)
	const clients, turns = 8, 40
	before := s.count()
	kept := make([][]string, clients)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for turn := range turns {
				answer, err := c.Read(t.Context(), e.id, Reader{}, 0)
				if err != nil {
					t.Error(err)
					return
				}
				ref := LeaseRef{ID: e.id, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}
				if turn%4 == 0 {
					kept[i] = append(kept[i], ref.Nonce)
				} else if err := c.Revoke(t.Context(), ref); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	want := append(slices.Concat(kept...), first.Nonce)
	slices.Sort(want)
	a := stored(t, c, e.id)
	if got := slices.Sorted(maps.Keys(a.Leases)); !slices.Equal(got, want) || a.Due != nil {
		t.Errorf("storage has %d leases, want %d; due %+v", len(got), len(want), a.Due)
	}
	is(t, "clients still in line", e.inLine(), 0)
	t.Logf("%d changes in %d writes", clients*turns*7/4, s.count()-before)
}
