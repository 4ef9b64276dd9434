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
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
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
	return cloud.ResetTraits{Action: "reset", BatchSize: 100, Serial: true, LongestOperation: time.Hour, VisibilityGrace: simGrace,
		PollInterval: simPoll}
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
		Connect: func(context.Context, string, cloud.Limiter) (*Connection, error) {
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
		id := ID{Connection: "conn", InstanceID: "i-1", Username: user}
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
		is(t, "instances with a reset under way", len(c.turns.by), 0)
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
		other := c.entry(ID{Connection: "conn", InstanceID: "i-1", Username: "root"})
		at := server{"sim", "i-1"}
		is(t, "the other's turn", c.turns.take(at, other.id, &other.turn, time.Now().Add(stepTurn)), true)
		ids := s.due(t, c, "ubuntu")
		pass(time.Minute)
		is(t, "looks out of turn", s.looks, 0)
		v, err := c.Inspect(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		is(t, "it waits for", v.WaitingFor, protocol.ForServer)
		is(t, "resets while the other's turn lasts", len(s.resets), 0)
		for _, next := range c.turns.end(at, &other.turn) {
			c.ask(c.inMemory(next))
		}
		pass(15 * time.Minute)
		s.confirmed(t, c, ids)
	})
}

// TestALookThatIsAskedForDuringAPlanIsMade: another account's turn may end at any moment of a plan that has seen it. Without the look
// that it asks for then, this account would wait until that turn would have ended at the latest.
func TestALookThatIsAskedForDuringAPlanIsMade(t *testing.T) {
	for moment := range 2 { // a plan asks for the time before it looks at the turns, and before the account stands in its queue
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &oneServer{}
				c := s.core(&logical.InmemStorage{})
				ids := s.due(t, c, "ubuntu")
				e, other := c.entry(ids[0]), c.entry(ID{Connection: "conn", InstanceID: "i-1", Username: "root"})
				at := server{"sim", "i-1"}
				is(t, "the other's turn", c.turns.take(at, other.id, &other.turn, time.Now().Add(stepTurn)), true)
				e.mu.Lock()
				c.schedule(e) // it waits for its turn, and is named among those who do
				asked, wall := 0, c.clock.wall
				c.clock.wall = func() time.Time {
					if asked++; asked == moment+1 {
						for _, next := range c.turns.end(at, &other.turn) {
							c.ask(c.inMemory(next))
						}
					}
					return wall()
				}
				c.schedule(e)
				c.clock.wall = wall
				e.mu.Unlock()
				if asked <= moment {
					t.Fatalf("the plan asked for the time %d times, so the turn did not end during it", asked)
				}
				c.queues.Start(c.ctx)
				defer c.Stop()
				pass(15 * time.Minute)
				s.confirmed(t, c, ids)
			})
		})
	}
}

// TestTurnsEnd: with the step, the outcome or the window.
func TestTurnsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		first, second, third := &entry{id: ID{Connection: "a", InstanceID: "i-1", Username: "u"}},
			&entry{id: ID{Connection: "b", InstanceID: "i-1", Username: "v"}}, &entry{id: ID{Connection: "c", InstanceID: "i-1", Username: "w"}}
		at := server{"sim", "i-1"}
		is(t, "the first takes it", turns.take(at, first.id, &first.turn, time.Now().Add(time.Minute)), true)
		is(t, "and may go on", turns.take(at, first.id, &first.turn, time.Now().Add(time.Hour)), true)
		is(t, "the second waits", turns.take(at, second.id, &second.turn, time.Now().Add(time.Hour)), false)
		is(t, "for as long", turns.taken(at, second.id), time.Now().Add(time.Hour))
		is(t, "another server is free", turns.take(server{"sim", "i-2"}, second.id, &second.turn, time.Now().Add(time.Hour)), true)
		is(t, "only the holder ends it", len(turns.end(at, &third.turn)), 0)
		is(t, "those who wait are told", len(turns.end(at, &first.turn)), 1)
		is(t, "the second takes it", turns.take(at, second.id, &second.turn, time.Now().Add(time.Minute)), true)
		pass(time.Minute)
		is(t, "it has had it for too long", turns.taken(at, third.id), time.Time{})
		is(t, "the third takes it", turns.take(at, third.id, &third.turn, time.Now().Add(time.Minute)), true)
		is(t, "the second's end is not the third's", len(turns.end(at, &second.turn)), 0)
		is(t, "the third has it", turns.take(at, first.id, &first.turn, time.Now().Add(time.Minute)), false)
	})
}

// TestTurnsAreThoseOfTheServer: two connections lead to one cloud account, and each has another user of one server.
func TestTurnsAreThoseOfTheServer(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, storage := &oneServer{}, &logical.InmemStorage{}
				c := s.core(storage)
				c.Start()
				ids := []ID{{Connection: "conn", InstanceID: "i-1", Username: "root"}, {Connection: "other", InstanceID: "i-1", Username: "ubuntu"}}
				for _, id := range ids {
					b := Binding{ID: id, Provider: "sim", Role: "of-" + id.Username, Settings: staticSettings(), Facts: Facts{Platform: cloud.Linux}}
					if _, err := c.Bind(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
				for _, id := range ids {
					if _, err := c.Rotate(t.Context(), id, 0); err != nil {
						t.Fatal(err)
					}
				}
				if restart {
					pass(simPoll / 8)
					c.Stop()
					is(t, "resets before the restart", len(s.resets), 1)
					c = s.core(storage)
					c.Start()
				}
				defer func() { c.Stop() }()
				pass(2 * time.Hour)
				s.confirmed(t, c, ids)
				is(t, "servers with a reset under way", len(c.turns.by), 0)
			})
		})
	}
}

// TestUsersOfOtherConnectionsAreLoaded: while the schedule is not there yet, a look finds the reset of another connection's
// account that is under way.
func TestUsersOfOtherConnectionsAreLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, storage := &oneServer{}, &logical.InmemStorage{}
		c := s.core(storage)
		ids := []ID{{Connection: "conn", InstanceID: "i-1", Username: "root"}, {Connection: "other", InstanceID: "i-1", Username: "ubuntu"},
			{Connection: "conn", InstanceID: "i-1", Username: "deploy"}}
		for _, id := range ids {
			b := Binding{ID: id, Provider: "sim", Role: "of-" + id.Username, Settings: staticSettings(), Facts: Facts{Platform: cloud.Linux}}
			if _, err := c.Bind(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		for _, other := range ids[1:] {
			a := stored(t, c, other)
			rotating(acknowledged("a", "op"))(a)
			if err := saveAccount(t.Context(), storage, a); err != nil {
				t.Fatal(err)
			}
			c := s.core(storage)
			c.loading = true // as after a start
			if _, err := c.get(t.Context(), ids[0]); err != nil {
				t.Fatal(err)
			}
			ok, err := c.takeTurn(t.Context(), c.entry(ids[0]), true)
			if ok || err != nil {
				t.Errorf("beside the reset of %s: %v, %v", other, ok, err)
			}
			c.Stop()
			a.Due, a.Pending = nil, nil
			if err := saveAccount(t.Context(), storage, a); err != nil {
				t.Fatal(err)
			}
		}
		c.Stop()
	})
}

// TestAConnectionThatAnswersNothingHoldsNobodyUp: its turn ends with its attempt's window.
func TestAConnectionThatAnswersNothingHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, serialMethod, odds{})
		w.faulty.Store(true)
		w.start()
		deaf := w.bind(leasedSettings())
		other := ID{Connection: "other", InstanceID: deaf.InstanceID, Username: "ubuntu"}
		w.cloud.add(other)
		w.ensureBound(ctx)
		w.cloud.locked(func() { w.cloud.lies = lies{endless: true} })
		w.read(ctx, deaf, 0)
		pass(5 * time.Minute) // accepted, and never shown as ended
		if _, err := w.node.core.Bind(ctx, Binding{ID: other, Provider: "sim", Role: "other", Settings: w.specs[0].Settings}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.node.core.Rotate(ctx, other, 0); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		view := func() *View {
			v, err := w.node.core.Inspect(ctx, other)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := view(); v.WaitingFor != protocol.ForServer || v.NextTry.IsZero() {
			t.Errorf("it waits for %s until %s", v.WaitingFor, v.NextTry)
		}
		w.cloud.locked(func() { w.cloud.lies = lies{} })
		w.cloud.locked(func() { w.cloud.deaf = deaf.Connection })
		pass(90 * time.Minute)
		if v := view(); len(v.Versions) != 1 {
			t.Errorf("after the window the other user still waits: %+v", v)
		}
		w.node.core.Stop()
	})
}
