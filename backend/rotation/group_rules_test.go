package rotation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// TestFailingMemberKeepsTheBatch: three reported failures reject the value of a single account, but
// not that of a group's member, since replacing it would reset all the others.
func TestFailingMemberKeepsTheBatch(t *testing.T) {
	for _, shared := range []bool{true, false} {
		a := &Account{ID: ID{Connection: "conn", InstanceID: "i-1", Username: "root"}, Role: "role",
			Settings: Settings{CanReset: true, SharedPassword: shared}, Due: &protocol.Due{Reason: protocol.DueManual}}
		for i := range 4 {
			id := string(rune('a' + i))
			var ev protocol.Event = protocol.AttemptRepeated{Attempt: protocol.Attempt{ID: id}}
			if i == 0 {
				ev = protocol.RotationStarted{Password: "pw", Batch: map[bool]string{true: "batch"}[shared], Attempt: protocol.Attempt{ID: id}}
			}
			for _, ev := range []protocol.Event{ev, protocol.AttemptAccepted{Attempt: id, RequestID: "op-" + id},
				protocol.OperationObserved{Record: cloud.ResetRecord{OperationID: "op-" + id, State: cloud.OperationFailed}}} {
				next, err := protocol.Transition(a, ev)
				if err != nil {
					if !shared && i == 3 && errors.Is(err, protocol.ErrStale) {
						break // it was rejected after the third
					}
					t.Fatalf("shared %v, attempt %d: %T: %v", shared, i, ev, err)
				}
				a = next
			}
		}
		if a.Pending.Rejected == shared {
			t.Errorf("shared %v: rejected %v after %d failures", shared, a.Pending.Rejected, a.Pending.Failures)
		}
	}
}

// TestBatchHandedOutEarlyEndsInTime: a batch that one instance has early is disclosed no longer than
// max_ttl, even if the others never get it.
func TestBatchHandedOutEarlyEndsInTime(t *testing.T) {
	start := at(t, "2026-01-01T00:00:00Z")
	g := &Account{ID: GroupID("conn", "role"), Role: "role", Due: &protocol.Due{Reason: protocol.DueFirst},
		Pending:  &protocol.Pending{Password: "pw", Batch: "b"},
		Settings: Settings{Mode: Leased, SharedPassword: true, CanReset: true, TTL: 5 * time.Minute, MaxTTL: 10 * time.Minute}}
	for _, c := range []struct {
		after time.Duration
		ttl   time.Duration // 0: refused
	}{{0, 5 * time.Minute}, {7 * time.Minute, 3 * time.Minute}, {10 * time.Minute, 0}, {30 * time.Minute, 0}} {
		var grant protocol.Grant
		next, err := protocol.Transition(g,
			protocol.MemberDisclosed{Batch: "b", VersionDisclosed: protocol.VersionDisclosed{Nonce: c.after.String(), At: start.Add(c.after),
				Grant: &grant}})
		if c.ttl == 0 {
			var refused *Error
			if !errors.As(err, &refused) || refused.Kind != NotReadable {
				t.Errorf("after %s: got %v and %v, want a refusal", c.after, grant, err)
			}
			continue
		}
		if err != nil || grant.TTL != c.ttl {
			t.Fatalf("after %s: got %v, %v, want a TTL of %s", c.after, grant, err, c.ttl)
		}
		g = next
	}
	// Replacing the batch takes its leases along: they are of no version, so that their ends and
	// renewals mean nothing to the next one.
	g, err := protocol.Transition(g, protocol.BatchStarted{ID: "c", Password: "other", Replace: true, At: start})
	if err != nil {
		t.Fatal(err)
	}
	for nonce, l := range g.Leases {
		if l.Version != 0 {
			t.Errorf("lease %s counts for version %d", nonce, l.Version)
		}
	}
}

// TestGateKeepsBackgroundGoing: clients go first, and cannot keep the background waiting for ever.
func TestGateKeepsBackgroundGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter(10)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for range 3 {
			go func() {
				for g.Wait(cloud.WithInteractive(ctx), "look") == nil {
				}
			}()
		}
		turns := 0
		for g.Wait(ctx, "look") == nil {
			turns++
		}
		if turns < 15 || turns > 25 {
			t.Errorf("the background had %d of about 100 turns, want about one in five", turns)
		}
		time.Sleep(time.Second)
	})
}

// TestUnreadableRecordStopsNobodyElse: one record that cannot be read leaves the others their
// schedule after a restart.
func TestUnreadableRecordStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld(t, 1, serialMethod, odds{})
		w.start()
		s := staticSettings()
		s.Period = time.Hour
		first, second := w.bind(s), w.bind(s)
		w.ensureBound(ctx)
		w.node.core.Stop()
		w.disk.mu.Lock()
		w.disk.m[accountKey(first)] = []byte(`{"schema": 99}`)
		clear(w.disk.parsed)
		w.disk.mu.Unlock()
		w.specs = w.specs[1:]
		w.start()
		time.Sleep(2 * time.Hour)
		if a := w.record(second); a.LastVersion == 0 {
			t.Errorf("the readable account was never rotated: %s", describe(a))
		}
		if w.node.core.Status().Loading {
			t.Error("the core never ends loading")
		}
		w.node.core.Stop()
	})
}

// TestMissedInstanceStaysForAWhile: a list may be incomplete, so only an instance that two looks miss which are MissApart
// apart, and that none in between shows, is believed not to exist. What the cloud says is terminated is believed at once.
func TestMissedInstanceStaysForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		missing []time.Duration // how long the cloud does not show it, again and again, with a minute in between in which it does
		retired bool
	}{
		"once":                     {[]time.Duration{time.Second}, false},
		"for a little less":        {[]time.Duration{MissApart - time.Second}, false},
		"twice, seen in between":   {[]time.Duration{MissApart - time.Second, MissApart - time.Second}, false},
		"for longer":               {[]time.Duration{2*MissApart + protocol.MaxBackoff}, true},
		"first shortly, then long": {[]time.Duration{time.Second, 2*MissApart + protocol.MaxBackoff}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, serialMethod, odds{})
				w.start()
				id := w.bind(leasedSettings())
				w.ensureBound(ctx)
				gone := func(v bool) { w.cloud.locked(func() { w.cloud.servers[id.InstanceID].gone = v }) }
				for i, d := range c.missing {
					if i > 0 {
						gone(false)
						_, _ = w.node.core.Rotate(ctx, id, 0)
						pass(protocol.MaxBackoff)
						if a := w.record(id); a.LastVersion == 0 {
							t.Fatalf("shown again, and not rotated: %s", describe(a))
						}
					}
					gone(true)
					if _, err := w.node.core.Rotate(ctx, id, 0); err != nil {
						t.Fatal(err)
					}
					pass(d)
				}
				if a := w.record(id); !a.Gone.IsZero() != c.retired {
					t.Errorf("gone %s, want %v: %s", a.Gone, c.retired, describe(a))
				}
				w.node.core.Stop()
			})
		})
	}
}
