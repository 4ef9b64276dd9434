package events

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

var errNoEvents = errors.New("no events here")

// vault is an event system that fails as err says, and waits for held where that is set.
type vault struct {
	err  error
	held chan struct{}

	mu     sync.Mutex
	got    []map[string]any
	counts map[string]int
}

func (v *vault) queue() *Queue {
	v.counts = map[string]int{}
	return New(Deps{Send: v.send, NoEvents: errNoEvents, Log: hclog.NewNullLogger, Count: func(kind, result string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.counts[kind+" "+result]++
	}})
}

func (v *vault) send(ctx context.Context, kind logical.EventType, data *logical.EventData) error {
	if v.held != nil {
		select {
		case <-v.held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	got := data.Metadata.AsMap()
	got["type"] = string(kind)
	v.got = append(v.got, got)
	return v.err
}

func account() rotation.ID {
	return rotation.ID{Connection: "prod", InstanceID: "srv-1", Username: "root"}
}

func TestEventsTellWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{}
		q := v.queue()
		defer q.Stop()
		for _, h := range []rotation.Happening{
			{Kind: rotation.Failed, ID: account(), Role: "web", Reason: "manual", Version: 2, First: true},
			{Kind: rotation.Failed, ID: account(), Role: "web", Reason: "manual", Version: 2},
			{Kind: rotation.UnknownOutcome, ID: account(), Role: "web", Reason: "manual", Version: 2},
			{Kind: rotation.Rotated, ID: account(), Role: "web", Reason: "manual", Version: 3},
			{Kind: rotation.Disclosed, ID: rotation.GroupID("prod", "db"), Role: "db"},
			{Kind: rotation.Gone, ID: account()},
			{Kind: rotation.Checked, ID: account(), Role: "web", Version: 3, Result: "differs"},
			{Kind: rotation.Drifted, ID: account(), Role: "web", Version: 3, Result: "differs"},
		} {
			q.Happened(h)
		}
		synctest.Wait()
		var types []string
		for _, e := range v.got {
			types = append(types, e["type"].(string))
		}
		if want := []string{Failed, Rotated, Disclosed, Gone, Drifted}; !slices.Equal(types, want) {
			t.Fatalf("events %v, want %v", types, want)
		}
		for i, want := range []map[string]any{
			{"operation": "rotate", "path": "accounts/prod/srv-1/root", "data_path": "accounts/prod/srv-1/root", "reason": "manual"},
			{"operation": "rotate", "path": "accounts/prod/srv-1/root", "data_path": "creds/web/srv-1", "version": "3", "modified": "true"},
			{"operation": "read", "path": "creds/db", "data_path": "creds/db", "role": "db", "modified": "false"},
			{"operation": "delete", "path": "accounts/prod/srv-1/root", "connection": "prod", "instance_id": "srv-1", "username": "root"},
			{"operation": "verify", "path": "accounts/prod/srv-1/root", "data_path": "accounts/prod/srv-1/root", "version": "3",
				"check_result": "differs"},
		} {
			for field, value := range want {
				if v.got[i][field] != value {
					t.Errorf("event %d: %s is %v, want %v", i, field, v.got[i][field], value)
				}
			}
		}
		if v.counts[Rotated+" "+Sent] != 1 {
			t.Errorf("counts %v", v.counts)
		}
	})
}

// TestEventsNeverHoldAnybodyUp: what does not fit into the queue is dropped.
func TestEventsNeverHoldAnybodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{held: make(chan struct{})}
		q := v.queue()
		q.Happened(rotation.Happening{Kind: rotation.Gone, ID: account()})
		synctest.Wait() // that one is being sent
		for range waiting + 10 {
			q.Happened(rotation.Happening{Kind: rotation.Gone, ID: account()})
		}
		if got := v.counts[Gone+" "+WasDropped]; got != 10 {
			t.Errorf("%d events dropped, want 10", got)
		}
		q.Stop() // and cuts the call short
		if len(v.got) != 0 {
			t.Errorf("%d events were sent", len(v.got))
		}
		q.Happened(rotation.Happening{Kind: rotation.Gone, ID: account()}) // nothing happens any more
	})
}

// TestEventsThatVaultDoesNotTake: nothing is kept where Vault has no events.
func TestEventsThatVaultDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{err: errNoEvents}
		q := v.queue()
		defer q.Stop()
		for range 3 {
			q.Happened(rotation.Happening{Kind: rotation.Gone, ID: account()})
			synctest.Wait()
		}
		if len(v.got) != 1 || len(v.counts) != 0 || len(q.queue) != 0 {
			t.Errorf("%d calls, counts %v, %d wait", len(v.got), v.counts, len(q.queue))
		}
	})
}

// TestEventsThatFail are counted, and the next one is sent all the same.
func TestEventsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{err: errors.New("Vault is busy")}
		q := v.queue()
		defer q.Stop()
		for range 3 {
			q.Happened(rotation.Happening{Kind: rotation.Gone, ID: account()})
		}
		synctest.Wait()
		if v.counts[Gone+" "+NotSent] != 3 {
			t.Errorf("counts %v", v.counts)
		}
	})
}
