package rotation

import (
	"testing"
	"testing/synctest"
	"time"
)

// lostAnswer is what the lost answer of a request that the cloud carries out costs, in virtual time from when that was sent.
type lostAnswer struct {
	known time.Duration // until the password is confirmed, and can be read
	next  time.Duration // until the next password can be sent, which is due at once
	sent  int           // requests for the first of the two
}

// simDefaultTimeout is request_timeout of a connection that does not say another.
const simDefaultTimeout = 30 * time.Second

// costOf plays a lost answer with one of the model's methods. What it costs with those of the real providers is measured by
// TestWhatALostAnswerCosts of package backend.
func costOf(t *testing.T, method simMethod) (cost lostAnswer) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, method, odds{})
		w.timeout = simDefaultTimeout
		w.faulty.Store(true)
		w.start()
		id := w.bind(staticSettings())
		w.cloud.locked(func() { w.cloud.lies = lies{lost: true} })
		w.ensureBound(ctx)
		if err := w.rotate(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		until := func(done func() bool) time.Duration {
			for range 24 * 60 * 60 {
				if done() {
					return time.Since(began)
				}
				pass(time.Second)
			}
			t.Fatal("not within a day")
			return 0
		}
		until(func() bool { return len(w.cloud.allValues(id.InstanceID)) > 0 })
		w.cloud.locked(func() { w.cloud.lies = lies{} })
		cost.known = until(func() bool { a := w.record(id); return a.Current() != nil && a.Pending == nil })
		cost.sent = len(w.cloud.allValues(id.InstanceID))
		if err := w.rotate(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		cost.next = until(func() bool { return len(w.cloud.values(id.InstanceID)) > 1 })
		w.node.core.Stop()
		if len(w.violations()) > 0 {
			w.fail(t, string(method))
		}
	})
	return cost
}

// TestALostAnswerIsFoundByItsName: with ids of our own it costs some polls and no second request, and where the server keeps the order
// the next password need not wait for anything.
func TestALostAnswerIsFoundByItsName(t *testing.T) {
	got := costOf(t, orderedMethod)
	t.Logf("%+v", got)
	if got.sent != 1 || got.known > simDefaultTimeout+3*simPoll || got.next > got.known+10*time.Second {
		t.Errorf("%+v", got)
	}
}

// TestALostAnswerWithoutANameIsRepeated: at once, and the next password waits for the settle window.
func TestALostAnswerWithoutANameIsRepeated(t *testing.T) {
	for _, method := range []simMethod{serialMethod, overlappingMethod, commandMethod} {
		t.Run(string(method), func(t *testing.T) {
			got := costOf(t, method)
			t.Logf("%+v", got)
			if got.sent != 2 || got.known > 2*time.Minute || got.next < simLifetime || got.next > time.Hour {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestALostRequestThatExpiresSoonHoldsUpTheNextValue for less time than one that does not: so the cloud's clock is worth learning.
func TestALostRequestThatExpiresSoonHoldsUpTheNextValue(t *testing.T) {
	soon, late := costOf(t, expiringMethod), costOf(t, serialMethod)
	t.Logf("%+v, %+v", soon, late)
	if soon.next > 4*time.Minute || soon.next < time.Minute || late.next < 10*time.Minute {
		t.Errorf("where requests expire soon %+v, where they do not %+v", soon, late)
	}
}
