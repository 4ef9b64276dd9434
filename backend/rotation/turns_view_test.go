package rotation

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"testing"
	"testing/synctest"
	"time"
)

// TestLookingAtAnAccountMakesNoSecondOne: an account that waits for the turn of another one, or has it, is looked at through
// copies of its record. The end of the turn wakes the account itself: work on a copy would set a new password from an old record,
// and lose the one that the account has come to meanwhile.
func TestLookingAtAnAccountMakesNoSecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, serialMethod, odds{})
		w.start()
		c := w.node.core
		id := w.bind(leasedSettings())
		w.ensureBound(t.Context())
		c.Stop() // nothing changes by itself
		e := c.entry(id)
		e.mu.Lock()
		defer e.mu.Unlock()
		if err := c.load(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		e.rec.Due = &protocol.Due{Since: c.opts.Now(), Reason: protocol.DueRevoked}
		e.snapshot.Store(e.rec)

		other := &entry{id: ID{Connection: "elsewhere", InstanceID: id.InstanceID, Username: "other"}}
		if !c.turns.take(serverOf(e.rec), other.id, &other.turn, time.Now().Add(time.Hour)) {
			t.Fatal("the turn is taken")
		}
		for range 3 {
			if v := c.viewSnapshot(e); v == nil || v.WaitingFor != protocol.ForServer {
				t.Fatalf("the view of an account that waits for another's turn: %+v", v)
			}
		}
		woken := c.turns.end(serverOf(e.rec), &other.turn)
		if len(woken) != 1 || c.inMemory(woken[0]) != e {
			t.Errorf("the end of the turn wakes %v", woken)
		}

		if !c.turns.take(serverOf(e.rec), e.id, &e.turn, time.Now().Add(time.Hour)) {
			t.Fatal("the turn is taken")
		}
		if v := c.viewSnapshot(e); v.WaitingFor == protocol.ForServer {
			t.Error("an account that has the turn is shown as if another one had it")
		}
		if woken := c.turns.end(serverOf(e.rec), &e.turn); len(woken) != 0 {
			t.Errorf("the end of the turn wakes %v", woken)
		}
	})
}
