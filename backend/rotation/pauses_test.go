package rotation

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// TestPausesGrowAndKeepToTheCloudsWish: with each failure in a row, longer where the server may have been reset, and not
// before the cloud wants to be asked again.
func TestPausesGrowAndKeepToTheCloudsWish(t *testing.T) {
	c := New(Options{Storage: &logical.InmemStorage{}, Now: func() time.Time { return t0 }, Random: func() float64 { return 0 }})
	defer c.Stop()
	wish := cloud.Errorf(cloud.Throttled, "slow down")
	wish.RetryAfter = 20 * time.Minute
	plain := cloud.Errorf(cloud.Unknown, "no answer")
	for _, uncertain := range []bool{false, true} {
		a := leasedAccount()
		var pauses []time.Duration
		for range 14 {
			b := c.backoff(a, plain, !uncertain)
			pauses = append(pauses, b.NotBefore.Sub(t0))
			a.Backoff = &b
		}
		is(t, "the first pause", pauses[0], protocol.MinBackoff)
		is(t, "the fifth", pauses[4], 16*protocol.MinBackoff)
		is(t, "the last", pauses[13], map[bool]time.Duration{false: protocol.MaxBackoff, true: protocol.MaxUncertainBackoff}[uncertain])
		is(t, "failures", a.Backoff.Failures, 14)
		is(t, "the cloud's wish", c.backoff(a, wish, true).NotBefore.Sub(t0), wish.RetryAfter)
	}
	e := c.entry(ID{Connection: "conn", InstanceID: "i-1", Username: "root"})
	for i, want := range []time.Duration{protocol.MinBackoff, 2 * protocol.MinBackoff, 4 * protocol.MinBackoff} {
		c.delay(e, plain)
		is(t, "the hold", e.delay.wait.Until.Sub(t0), want)
		is(t, "holds", e.delay.failures, i+1)
	}
	c.delay(e, wish)
	is(t, "a hold by the cloud's wish", e.delay.wait.Until.Sub(t0), wish.RetryAfter)
}

// TestTwoMissesInARowRetire: an instance that a listing misses now and then stays.
func TestTwoMissesInARowRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, serialMethod, odds{})
		w.faulty.Store(true)
		w.start()
		id := w.bind(leasedSettings())
		w.ensureBound(ctx)
		w.cloud.locked(func() { w.cloud.lies = lies{unsteady: true, endless: true} }) // asked again and again
		w.read(ctx, id, 0)
		for range 60 {
			pass(30 * time.Second)
			if a := w.record(id); !a.Gone.IsZero() {
				t.Fatalf("retired: %s", describe(a))
			}
		}
		w.cloud.locked(func() { w.cloud.lies = lies{} })
		w.converge(ctx)
		w.node.core.Stop()
		if len(w.violations()) > 0 {
			w.fail(t, "an unsteady record")
		}
	})
}

// TestWhenARequestIsSentAtTheLatest: what others count their settle windows by.
func TestWhenARequestIsSentAtTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Storage: &logical.InmemStorage{}})
		defer c.Stop()
		w := newWorld(t, 1, commandMethod, odds{})
		live := &Connection{Provider: &simProvider{n: &simNode{w: w}}, ProviderName: "sim", RequestsPerSecond: 0.1, RequestTimeout: simTimeout}
		n := c.connection("conn")
		to, err := session{Connection: live, state: n}.with(string(commandMethod))
		if err != nil {
			t.Fatal(err)
		}
		draft, err := c.newAttempt("", request{}, to)
		if err != nil {
			t.Fatal(err)
		}
		is(t, "time to send", time.Until(draft.sendBy), sendPatience(live))
		n.limiter.setRate(0.001) // the first request passes, and the next one would for long not
		if err := n.limiter.Wait(t.Context(), to.reset.ResetTraits().Action); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		out := c.call(t.Context(), to, cloud.Reset{InstanceIDs: []string{"i-1"}}, draft.sendBy)
		is(t, "sent", out.sent, false)
		is(t, "given up after", time.Since(began), sendPatience(live))
		pass(time.Hour) // the limiter's own turn ends
	})
}

// TestHoldsAreReleased: by new credentials, and by an operator's word.
func TestHoldsAreReleased(t *testing.T) {
	for name, release := range map[string]func(t *testing.T, w *world, id ID){
		"new credentials": func(_ *testing.T, w *world, id ID) { w.node.core.ForgetConnection(id.Connection) },
		"an operator's word": func(t *testing.T, w *world, id ID) {
			if _, err := w.node.core.Rotate(t.Context(), id, 0); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, commandMethod, odds{})
				w.faulty.Store(true)
				w.start()
				id := w.bind(leasedSettings())
				w.ensureBound(ctx)
				w.cloud.locked(func() { w.cloud.refuse = true })
				w.read(ctx, id, 0)
				pass(time.Hour)
				w.cloud.locked(func() { w.cloud.refuse = false })
				e := w.node.core.entry(id)
				for { // until a pause has just begun
					e.mu.Lock()
					left := e.delay.wait.Until.Sub(w.node.core.Now())
					e.mu.Unlock()
					if left > protocol.MaxBackoff/2 {
						break
					}
					w.cloud.locked(func() { w.cloud.refuse = true })
					pass(time.Second)
					w.cloud.locked(func() { w.cloud.refuse = false })
				}
				release(t, w, id)
				pass(protocol.MaxBackoff / 4)
				if a := w.record(id); a.LastVersion != 1 {
					t.Errorf("it waits on: %s", describe(a))
				}
				w.node.core.Stop()
			})
		})
	}
}

// TestWhatWasNotSentIsRecorded: a request that has waited too long was certainly not sent, and nothing is waited for.
func TestWhatWasNotSentIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		id := w.bind(staticSettings())
		w.start()
		w.ensureBound(ctx)
		w.node.core.Stop()
		var hang atomic.Int64
		w.startWith(func(s logical.Storage) logical.Storage {
			return hungStorage{Storage: s, key: accountKey(id), hang: &hang}
		})
		hang.Store(int64(40 * time.Second)) // longer than an attempt may wait
		if _, err := w.node.core.Rotate(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Minute)
		a := w.record(id)
		if a.LastVersion != 1 || a.State() != "ready" || len(w.cloud.allValues(id.InstanceID)) != 1 {
			t.Errorf("%s: %s", a.State(), describe(a))
		}
		w.node.core.Stop()
	})
}
