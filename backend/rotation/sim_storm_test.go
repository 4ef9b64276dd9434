package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// crowd makes accounts that one client each has read a while ago: version 1 and one lease, in storage.
// The next node finds them there.
func (w *world) crowd(t *testing.T, size int, s Settings) []*simLease {
	t.Helper()
	for range size {
		id := w.bind(s)
		value := "old-" + id.InstanceID
		server := w.cloud.servers[id.InstanceID]
		server.password, server.initial = value, ""
		now := time.Now()
		nonce := "nonce of " + id.InstanceID
		a := &Account{Schema: protocol.SchemaVersion, ID: id, Provider: "sim", Role: "role", Settings: s, LastVersion: 1, LastRotation: now,
			InitialOverwritten: true,
			Versions: []Version{{Number: 1, Password: value, Source: FromReset, Created: now, Confirmed: true, Disclosed: now,
				Until: now.Add(s.MaxTTL)}},
			Leases: map[string]Lease{nonce: {Version: 1, Issued: now, Expires: now.Add(s.TTL)}}}
		w.put(t, a)
		w.handed[value] = now
		w.leases = append(w.leases, &simLease{ref: LeaseRef{ID: id, Version: 1, Nonce: nonce}, password: value, issued: now,
			expires: now.Add(s.TTL)})
	}
	return slices.Clone(w.leases)
}

// put stores a record, past every node.
func (w *world) put(t *testing.T, a *Account) {
	t.Helper()
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	w.land(accountKey(a.ID), raw)
}

// end revokes a lease as Vault does, and fails the test if the core does not take it at once.
func (w *world) end(ctx context.Context, t *testing.T, l *simLease) {
	t.Helper()
	before, _ := w.cloud.traffic()
	now := time.Now()
	if err := w.node.core.Revoke(ctx, l.ref); err != nil {
		t.Errorf("revoking the lease of %s: %v; Vault would call it irrevocable after some tries", l.ref.ID, err)
	}
	after, _ := w.cloud.traffic()
	if took := time.Since(now); took > 0 || after != before {
		t.Errorf("revoking the lease of %s took %s and %d cloud calls", l.ref.ID, took, after-before)
	}
	l.ended, l.revoked = true, true
}

// sustained is the rate of resets between two times, in resets a second.
func sustained(times []time.Time, from time.Time) (rate float64, count int) {
	slices.SortFunc(times, time.Time.Compare)
	i, _ := slices.BinarySearchFunc(times, from, time.Time.Compare)
	times = times[i:]
	if len(times) < 2 {
		return 0, len(times)
	}
	return float64(len(times)-1) / times[len(times)-1].Sub(times[0]).Seconds(), len(times)
}

// awaitRest waits until all accounts are at rest, and checks that each server took exactly one value.
func (w *world) awaitRest(ctx context.Context, t *testing.T, bound time.Duration) {
	t.Helper()
	next := 0 // those before it are at rest, and nothing disturbs them any more
	w.rest(ctx, bound, func() string {
		for ; next < len(w.specs); next++ {
			if why := w.unsettled(w.specs[next].ID); why != "" {
				return why
			}
		}
		return ""
	})
	if len(w.violations()) > 0 {
		w.failShortly(t)
	}
	for _, b := range w.specs {
		w.checkStored(b.ID)
		if values := w.cloud.values(b.InstanceID); len(values) != 1 {
			t.Fatalf("%s was rotated %d times: %v", b.ID, len(values), values)
		}
		if a := w.record(b.ID); a.LastVersion != 2 || len(a.Leases) != 0 {
			t.Fatalf("%s: %s", b.ID, describe(a))
		}
	}
}

// TestRevocationStorm ends 10,000 leases of 10,000 accounts at the same moment.
func TestRevocationStorm(t *testing.T) {
	quick(t)
	const size = 10000
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		leases := w.crowd(t, size, with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = 2*time.Hour, 2*time.Hour }))
		w.start()
		pass(time.Second)
		for _, l := range leases {
			w.end(ctx, t, l)
		}
		w.awaitRest(ctx, t, size/simRate*time.Second*11/10)
		for _, b := range w.specs {
			if a := w.record(b.ID); a.LastRotation.Sub(a.LastReset) > time.Minute {
				t.Fatalf("the rotation of %s took %s, with the others waiting for theirs to begin", b.ID, a.LastRotation.Sub(a.LastReset))
			}
		}
		calls, resets := w.cloud.traffic()
		rate, count := sustained(resets, w.began)
		if count != size {
			t.Errorf("%d resets for %d accounts", count, size)
		}
		if rate < 0.93*simRate || rate > simRate*1.0001 {
			t.Errorf("%.2f resets a second, with a limit of %d", rate, simRate)
		}
		t.Logf("%d accounts rotated at %.2f a second; %d cloud calls in all", count, rate, calls)
		w.node.core.Stop()
	})
}

// failShortly is fail for worlds whose whole trace nobody would read.
func (w *world) failShortly(t *testing.T) {
	t.Helper()
	w.lines = w.lines[max(0, len(w.lines)-100):]
	w.fail(t, "the end of the trace")
}

// TestCloudOutage lets the cloud be silent for a day, while leases end.
func TestCloudOutage(t *testing.T) {
	quick(t)
	const (
		size   = 6000
		outage = 24 * time.Hour
		early  = 200 // leases that end shortly before the outage
	)
	for _, method := range simMethods {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, method, odds{})
				w.faulty.Store(true)
				leases := w.crowd(t, size, with(leasedSettings(), func(s *Settings) { s.TTL, s.MaxTTL = 30*time.Hour, 30*time.Hour }))
				w.start()
				pass(time.Second)
				for _, l := range leases[:early] {
					w.end(ctx, t, l)
				}
				pass(5 * time.Second) // some resets are under way
				w.cloud.locked(func() { w.cloud.refuse = true })
				began := time.Now()
				before, _ := w.cloud.traffic()
				for i, l := range leases[early:] {
					w.end(ctx, t, l)
					if i%50 == 0 {
						w.readDuringOutage(ctx, t, l.ref.ID)
						w.readDuringOutage(ctx, t, leases[i%early].ref.ID)
					}
					pass(outage / (size - early))
				}
				calls, _ := w.cloud.traffic()
				calls -= before
				if most := int(outage/breakerMaxOpen) + 2*workqueue.Callers(simRate); calls > most {
					t.Errorf("%d cloud calls during the outage, more than %d", calls, most)
				}
				w.quiet = time.Now()
				w.cloud.locked(func() { w.cloud.refuse = false })
				over := time.Now()
				w.awaitRest(ctx, t, settleBound)
				_, resets := w.cloud.traffic()
				rate, count := sustained(resets, over.Add(breakerMaxOpen))
				if rate < 0.93*simRate || rate > simRate*1.0001 {
					t.Errorf("%.2f resets a second after the outage, with a limit of %d", rate, simRate)
				}
				t.Logf("outage of %s: %d cloud calls in it, then %d resets at %.2f a second", over.Sub(began), calls, count, rate)
				w.node.core.Stop()
			})
		})
	}
}

// readDuringOutage reads an account whose lease has ended: nobody may be given its old password, and
// the answer asks to come back.
func (w *world) readDuringOutage(ctx context.Context, t *testing.T, id ID) {
	t.Helper()
	if a := w.record(id); a.Due == nil {
		return // rotated before the outage
	}
	answer, err := w.node.core.Read(w.client(ctx), id, Reader{}, 0)
	var not *Error
	switch {
	case err == nil:
		t.Errorf("a client got version %d of %s", answer.Version.Number, id)
	case !errors.As(err, &not) || not.Kind != NotReadable && not.Kind != Unavailable:
		t.Errorf("a read during the outage: %v", err)
	case not.RetryAfter <= 0:
		t.Errorf("a read during the outage does not say when to come back: %v", err)
	}
}
