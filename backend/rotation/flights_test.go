package rotation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// oneServer is a cloud with one server, which has many users. It runs one operation at a time and shows the
// latest one. Its operations are shorter than the time between two looks at them.
type oneServer struct {
	simProvider

	mu        sync.Mutex
	looks     int
	resets    []string // the users whose password was reset, in order
	operation cloud.ResetRecord
}

func (s *oneServer) Resetter(string) cloud.PasswordResetter { return s }

func (s *oneServer) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{Action: "reset", BatchSize: 100, Serial: true, LongestOperation: time.Hour, VisibilityGrace: simGrace, PollInterval: simPoll}
}

func (s *oneServer) StartReset(_ context.Context, r cloud.Reset) (cloud.ResetStarted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operation.State == cloud.OperationRunning {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Refused, "another operation runs")
	}
	s.resets = append(s.resets, r.Username)
	s.operation = cloud.ResetRecord{OperationID: fmt.Sprintf("op-%d", len(s.resets)), State: cloud.OperationRunning}
	time.AfterFunc(simPoll/4, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.operation.State = cloud.OperationSuccess
	})
	return cloud.ResetStarted{RequestID: s.operation.OperationID}, nil
}

func (s *oneServer) ResetRecords(_ context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	out := map[string]cloud.ResetRecord{}
	for _, ref := range refs {
		out[ref.InstanceID] = s.operation
	}
	return out, nil
}

func (s *oneServer) core(storage logical.Storage) *Core {
	return New(Options{
		Storage: storage,
		Connect: func(context.Context, string, cloud.Gate) (*Connection, error) {
			return &Connection{Provider: s, ProviderName: "sim", RequestsPerSecond: 100, RequestTimeout: simTimeout}, nil
		},
		Generate: func(_ context.Context, _ string, r password.Rules, username string) (string, error) {
			return password.Generate(r, username, 0)
		},
	})
}

// due binds accounts of several users of the server and makes them due together.
func (s *oneServer) due(t *testing.T, c *Core, users ...string) []ID {
	t.Helper()
	ids := make([]ID, 0, len(users))
	for _, user := range users {
		id := ID{"conn", "i-1", user}
		ids = append(ids, id)
		b := Binding{ID: id, Provider: "sim", Role: "of-" + user, Settings: staticSettings(), Facts: Facts{Platform: cloud.Linux}}
		if _, err := c.Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if _, err := c.Rotate(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func (s *oneServer) confirmed(t *testing.T, c *Core, ids []ID) {
	t.Helper()
	for _, id := range ids {
		if v, err := c.Inspect(t.Context(), id); err != nil || v.State != "ready" || len(v.Versions) != 1 {
			t.Errorf("account %s: %+v, %v", id, v, err)
		}
	}
	is(t, "resets", len(s.resets), len(ids))
}

// TestUsersOfOneServerAreResetInTurn: each reset of a server with several users is seen to its end before the
// next one takes its place in the cloud's record.
func TestUsersOfOneServerAreResetInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &oneServer{}
		c := s.core(&logical.InmemStorage{})
		c.Start()
		defer c.Stop()
		ids := s.due(t, c, "root", "ubuntu", "deploy")
		pass(15 * time.Minute)
		s.confirmed(t, c, ids)
		is(t, "instances with a reset under way", len(c.flights.by), 0)
	})
}

// TestAResetUnderWayIsKnownAfterARestart: the next process leaves the operation alone, too.
func TestAResetUnderWayIsKnownAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, storage := &oneServer{}, &logical.InmemStorage{}
		c := s.core(storage)
		c.Start()
		ids := s.due(t, c, "root", "ubuntu")
		pass(simPoll / 2) // one is accepted, and nobody has looked at its end
		c.Stop()
		is(t, "resets before the restart", len(s.resets), 1)
		c = s.core(storage)
		c.Start()
		defer c.Stop()
		pass(15 * time.Minute)
		s.confirmed(t, c, ids)
	})
}

// TestAnAccountThatEndsLetsTheOthersGoOn: deleted, or retired, it holds nobody up.
func TestAnAccountThatEndsLetsTheOthersGoOn(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, c *Core, id ID) error{
		"deleted": func(ctx context.Context, c *Core, id ID) error { return c.Delete(ctx, id, true) },
		"retired": func(ctx context.Context, c *Core, id ID) error { return c.Retire(ctx, id, "") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &oneServer{}
				c := s.core(&logical.InmemStorage{})
				c.Start()
				defer c.Stop()
				first := s.due(t, c, "root")
				pass(simPoll / 2)
				if err := end(t.Context(), c, first[0]); err != nil {
					t.Fatal(err)
				}
				second := s.due(t, c, "ubuntu")
				pass(15 * time.Minute)
				if v, err := c.Inspect(t.Context(), second[0]); err != nil || v.State != "ready" {
					t.Errorf("the other account: %+v, %v", v, err)
				}
			})
		})
	}
}

// TestATurnBeginsBeforeTheLook: what a look showed before another account's reset says nothing after it. A
// record that lags would then be taken for a foreign operation.
func TestATurnBeginsBeforeTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &oneServer{}
		c := s.core(&logical.InmemStorage{})
		c.Start()
		defer c.Stop()
		other := c.entry(ID{"conn", "i-1", "root"})
		is(t, "the other's turn", c.flights.begin(other), true)
		ids := s.due(t, c, "ubuntu")
		pass(time.Minute)
		is(t, "looks out of turn", s.looks, 0)
		c.flights.tidy(other) // as a step of its own that sends nothing does
		pass(time.Minute)
		is(t, "resets while the other's batch is under way", len(s.resets), 0)
		c.flights.leave(other)
		pass(15 * time.Minute)
		s.confirmed(t, c, ids)
	})
}

// TestAnAccountThatIsReadAgainIsFollowed: a place that somebody has left without a word is taken over.
func TestAnAccountThatIsReadAgainIsFollowed(t *testing.T) {
	var f flights
	gone, back, third := &entry{id: ID{"conn", "i-1", "root"}}, &entry{id: ID{"conn", "i-1", "ubuntu"}}, &entry{id: ID{"conn", "i-1", "deploy"}}
	gone.followed.Store(true)
	f.follow(gone)
	gone.followed.Store(false) // deleted, say, by no step of its own
	back.followed.Store(true)
	f.follow(back)
	is(t, "a third may be reset meanwhile", f.begin(third), false)
	back.followed.Store(false)
	is(t, "a third may be reset afterwards", f.begin(third), true)
}
