package rotation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// recorder is a reset method that answers looks at operation records and keeps the requests.
type recorder struct {
	simResetter
	latency time.Duration
	single  bool // one instance a request
	err     error

	mu       sync.Mutex
	requests [][]cloud.ResetRef
}

func (r *recorder) ResetTraits() cloud.ResetTraits {
	if r.single {
		return cloud.ResetTraits{BatchSize: 1}
	}
	return cloud.ResetTraits{BatchSize: 100}
}

func (r *recorder) ResetRecords(_ context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	pass(r.latency)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, refs)
	out := map[string]cloud.ResetRecord{}
	for _, ref := range refs {
		if ref.InstanceID != "gone" {
			out[ref.InstanceID] = cloud.ResetRecord{OperationID: "of " + ref.InstanceID, Message: ref.RequestID}
		}
	}
	return out, r.err
}

// looking is a session of a connection whose requests may take a minute.
func looking(n *connectionState, r cloud.PasswordResetter) session {
	return session{Connection: &Connection{RequestTimeout: time.Minute}, state: n, reset: r}
}

// TestSingleLooksGoOutSideBySide: where the cloud takes one instance a request, none waits for another's
// answer.
func TestSingleLooksGoOutSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := New(Options{}), &recorder{latency: time.Second, single: true}
		n, began := c.connection("conn"), time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				id := fmt.Sprintf("i-%d", i)
				if rec, found, err := c.record(t.Context(), looking(n, r), cloud.ResetRef{InstanceID: id}); err != nil || !found ||
					rec.OperationID != "of "+id {
					t.Errorf("%s: got %+v, %v, %v", id, rec, found, err)
				}
			})
		}
		wg.Wait()
		is(t, "requests", len(r.requests), 50)
		is(t, "time", time.Since(began), time.Second)
	})
}

func TestLooksGoOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := New(Options{}), &recorder{latency: time.Second}
		n := c.connection("conn")
		var wg sync.WaitGroup
		look := func(instance, request string) {
			wg.Go(func() {
				rec, found, err := c.record(t.Context(), looking(n, r), cloud.ResetRef{InstanceID: instance, RequestID: request})
				if err != nil || found != (instance != "gone") || found && (rec.OperationID != "of "+instance || rec.Message != request) {
					t.Errorf("%s: got %+v, %v, %v", instance, rec, found, err)
				}
			})
		}
		look("i-0", "first")
		synctest.Wait() // this request is under way: the others are collected meanwhile
		for i := range 250 {
			look(fmt.Sprintf("i-%d", i), "")
			synctest.Wait() // in this order: two looks at one instance in the last batch would make one more
		}
		look("i-7", "again")
		look("gone", "")
		wg.Wait()
		c.wg.Wait()
		sizes := make([]int, 0, len(r.requests))
		for _, refs := range r.requests {
			sizes = append(sizes, len(refs))
			asked := map[string]bool{}
			for _, ref := range refs {
				if asked[ref.InstanceID] {
					t.Errorf("one request names %s twice", ref.InstanceID)
				}
				asked[ref.InstanceID] = true
			}
		}
		if fmt.Sprint(sizes) != "[1 100 100 52]" {
			t.Errorf("requests of %v instances, want 1, then 252 in the cloud's batches", sizes)
		}
		is(t, "looking", n.looks.collecting, false)
	})
}

func TestLooksFailTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := New(Options{}), &recorder{err: cloud.Errorf(cloud.Throttled, "slow down")}
		n := c.connection("conn")
		for range breakerThreshold {
			_, _, err := c.record(t.Context(), looking(n, r), cloud.ResetRef{InstanceID: "i-1"})
			is(t, "kind", cloud.KindOf(err), cloud.Throttled)
		}
		if open, _, _ := n.breaker.state(time.Now()); !open {
			t.Error("the breaker did not hear of it")
		}
	})
}

func TestALookIsNotWaitedForLongerThanItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := New(Options{}), &recorder{latency: time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := c.record(ctx, looking(c.connection("conn"), r), cloud.ResetRef{InstanceID: "i-1"})
		is(t, "kind", cloud.KindOf(err), cloud.Unavailable)
		c.wg.Wait()
	})
}
