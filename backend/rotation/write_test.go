package rotation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// lateStorage takes long for a write. One that is given up meanwhile lands all the same, later still.
type lateStorage struct {
	logical.InmemStorage
	takes time.Duration
}

func (s *lateStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	return s.slowly(ctx, func() error { return s.InmemStorage.Put(context.WithoutCancel(ctx), e) })
}

func (s *lateStorage) Delete(ctx context.Context, key string) error {
	return s.slowly(ctx, func() error { return s.InmemStorage.Delete(context.WithoutCancel(ctx), key) })
}

func (s *lateStorage) slowly(ctx context.Context, write func() error) error {
	timer := time.NewTimer(s.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return write()
	case <-ctx.Done():
		time.AfterFunc(10*s.takes, func() { _ = write() })
		return ctx.Err()
	}
}

// TestWritesOutliveTheirCallers: a client that hangs up while a record, a binding or the end of an account is
// being written does not end that write, which could land after later ones.
func TestWritesOutliveTheirCallers(t *testing.T) {
	for name, leave := range map[string]func(context.Context, *Core, LeaseRef) error{
		"end of a lease": func(ctx context.Context, c *Core, first LeaseRef) error { return c.Revoke(ctx, first) },
		"rotation": func(ctx context.Context, c *Core, first LeaseRef) error {
			_, err := c.Rotate(ctx, first.ID, 0)
			return err
		},
		"binding": func(ctx context.Context, c *Core, first LeaseRef) error {
			_, err := c.Bind(ctx, Binding{ID: first.ID, Provider: "sim", Role: "web", Settings: staticSettings()})
			return err
		},
		"deletion": func(ctx context.Context, c *Core, first LeaseRef) error { return c.Delete(ctx, first.ID, true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := leasedAccount()
				s := &lateStorage{}
				if err := saveAccount(t.Context(), s, a); err != nil {
					t.Fatal(err)
				}
				s.takes = 5 * time.Second
				c := New(Options{Storage: s, Now: func() time.Time { return t0 }})
				defer c.Stop()
				answer, err := c.Read(t.Context(), a.ID, Reader{}, 0)
				if err != nil {
					t.Fatal(err)
				}
				ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
				defer hangUp()
				if err := leave(ctx, c, LeaseRef{ID: a.ID, Version: answer.Version.Number, Nonce: answer.Lease.Nonce}); err != nil {
					t.Errorf("the write was given up: %v", err)
				}
				keys := map[string]string{}
				note := func() {
					for _, prefix := range []string{AccountPrefix + "conn/i-1/", bindingPrefix + "sim/i-1/"} {
						names, err := s.List(t.Context(), prefix)
						if err != nil {
							t.Fatal(err)
						}
						for _, name := range names {
							entry, err := s.Get(t.Context(), prefix+name)
							if err != nil || entry == nil {
								t.Fatal(entry, err)
							}
							if before, ok := keys[prefix+name]; ok && before != string(entry.Value) {
								t.Errorf("%s changed after its writer had been answered", prefix+name)
							}
							keys[prefix+name] = string(entry.Value)
						}
					}
				}
				note()
				pass(time.Hour)
				note()
			})
		})
	}
}

// TestWriteWithoutAnAnswerIsGivenUp: storage that does not answer holds a record for so long and no longer.
func TestWriteWithoutAnAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := leasedAccount()
		s := &lateStorage{}
		if err := saveAccount(t.Context(), s, a); err != nil {
			t.Fatal(err)
		}
		s.takes = 24 * time.Hour
		c := New(Options{Storage: s, Now: func() time.Time { return t0 }})
		defer c.Stop()
		began := time.Now()
		_, err := c.Read(t.Context(), a.ID, Reader{}, 0)
		var failed *Error
		if !errors.As(err, &failed) || failed.Kind != Unavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		is(t, "time until the write was given up", time.Since(began), writeTimeout)
	})
}
