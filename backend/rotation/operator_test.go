package rotation

import (
	"errors"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeleteAndBindAgain: what a client knows whose lease has ended is not handed out again, even if
// the account was deleted in between and its server has come back.
func TestDeleteAndBindAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.start()
		id := w.bind(with(leasedSettings(), func(s *Settings) { s.Source = FromInitial }))
		w.ensureBound(ctx)
		l := w.insist(ctx, id)
		is(t, "the first password", l.password, "initial-"+id.InstanceID)
		w.cloud.vanish(id.InstanceID, true)
		w.end(ctx, t, l)
		pass(time.Minute)
		if err := w.delete(ctx, id, false); err != nil {
			t.Fatal(err)
		}
		w.cloud.vanish(id.InstanceID, false)
		w.ensureBound(ctx)
		again := w.insist(ctx, id)
		if again == nil || again.password == l.password {
			t.Errorf("a client got %+v", again)
		}
		if len(w.violations()) > 0 {
			w.fail(t, "delete and bind again")
		}
	})
}

func TestDeleteRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(*Account)
		kind ErrorKind // "": deleted
	}{
		{"at rest", nil, ""},
		{"with a lease", holding("n", 1, time.Minute), Conflict},
		{"with a pending", rotating(sent("a")), Conflict},
		{"with a candidate", func(a *Account) { a.Candidates = []Candidate{{Password: "x"}} }, Conflict},
		{"with old_unresolved", func(a *Account) { a.OldUnresolved = []protocol.Attempt{sent("a")} }, Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, overlappingMethod, odds{})
				a := leasedAccount()
				a.ID = w.bind(a.Settings)
				if c.from != nil {
					c.from(a)
				}
				w.cloud.servers[a.InstanceID].password = "one"
				w.put(t, a)
				w.start()
				w.node.core.Stop() // nothing changes by itself
				err := w.delete(t.Context(), a.ID, false)
				if c.kind == "" && err != nil || c.kind != "" && !wanted(err, c.kind) {
					t.Errorf("got %v, want kind %q", err, c.kind)
				}
				if err := w.delete(t.Context(), a.ID, true); err != nil || w.record(a.ID) != nil {
					t.Errorf("by force: %v", err)
				}
				if err := w.node.core.Revoke(t.Context(), LeaseRef{ID: a.ID, Version: 1, Nonce: "n"}); err != nil {
					t.Errorf("a lease of a deleted account cannot be revoked: %v", err)
				}
			})
		})
	}
}

// TestWaitingForADeletedAccount: who waits for a rotation hears at once that the account is gone.
func TestWaitingForADeletedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		a := leasedAccount()
		a.ID = w.bind(a.Settings)
		due(protocol.DueRevoked)(a)
		w.cloud.servers[a.InstanceID].password = "one"
		w.put(t, a)
		w.start()
		w.cloud.locked(func() { w.cloud.refuse = true }) // the rotation does not end
		began := time.Now()
		answers := make(chan error, 2)
		go func() {
			_, err := w.node.core.Rotate(w.client(ctx), a.ID, 40*time.Second)
			answers <- err
		}()
		go func() {
			pass(5 * time.Second)
			_, err := w.node.core.Read(w.client(ctx), a.ID, Reader{}, 40*time.Second)
			answers <- err
		}()
		pass(10 * time.Second)
		if err := w.delete(ctx, a.ID, true); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var e *Error
			if err := <-answers; !errors.As(err, &e) || e.Kind != NoRecord {
				t.Errorf("got %v, want that the account is not found", err)
			}
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the answers came after %s", took)
		}
	})
}
