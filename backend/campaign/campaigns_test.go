package campaign

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// started has orders carried out in the background until the test ends.
func started(t *testing.T, s *Campaigns) *Campaigns {
	t.Helper()
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// TestACampaignFromTheOrderToItsEnd: counts, the estimate, waiting, and what is kept.
func TestACampaignFromTheOrderToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(2500)
		storage := &planned{}
		s := started(t, campaignsOn(storage, engine))
		list[0].Accounts = 4 // a group
		id := begin(t, s, everything, list)
		synctest.Wait()
		state := read(t, s, id)
		has(t, "ordered", state.Counts, "0 0 2503 0 0")
		if state.Left != 0 || !state.Ended.IsZero() || state.By.DisplayName != "olivia" {
			t.Errorf("%+v", state)
		}
		pass(9 * time.Second)
		engine.change(func() {
			engine.accounts[list[5].ID].trouble = true
			delete(engine.accounts, list[6].ID)
		})
		pass(time.Second)
		engine.rotate(500)
		pass(time.Second)
		state = read(t, s, id)
		if state.Failed != 1 || state.Skipped != 1 || state.Done < 500 || state.Left < 30*time.Second || state.Left > 60*time.Second {
			t.Errorf("%+v, %s left", state.Counts, state.Left)
		}
		if len(state.Causes) != 1 || len(state.Failing) != 1 || state.Failing[0].ID != list[5].ID ||
			state.Failing[0].Trouble.String() != "stopped" {
			t.Errorf("%v %v", state.Causes, state.Failing)
		}
		engine.rotate(-1)
		engine.change(func() { engine.accounts[list[5].ID].trouble = false })
		waited := make(chan *State)
		go func() {
			got, err := s.Read(t.Context(), id, 40*time.Second)
			if err != nil {
				t.Error(err)
			}
			waited <- got
		}()
		pass(5 * time.Second)
		engine.rotate(-1)
		began := time.Now()
		if got := <-waited; got == nil || got.Reason != Completed || numbers(got.Counts) != "2502 0 0 1 0" || time.Since(began) > 2*time.Second {
			t.Errorf("after %s: %+v", time.Since(began), got)
		}
		if parts := storage.keys(t, partPrefix); len(parts) != 0 {
			t.Errorf("after the end there is %v", parts)
		}
		if times, twice := engine.carried(); times != 2500 || twice != 0 {
			t.Errorf("the order was carried out %d times, %d of them again", times, twice)
		}
		again := campaignsOn(storage, engine) // another node
		has(t, "after a restart", read(t, again, id).Counts, "2502 0 0 1 0")
	})
}

// TestAnOrderIsQuick: it writes its list in few entries, none of which is large, and orders the first accounts only.
func TestAnOrderIsQuick(t *testing.T) {
	const accounts = 100_000
	engine, list := newFakeEngine(accounts)
	for n := range list {
		list[n].ID.Username = strings.Repeat("u", 64)
	}
	storage := &planned{}
	s := campaignsOn(storage, engine)
	id := begin(t, s, everything, list)
	if storage.puts > accounts/500 || storage.largest > 300<<10 {
		t.Errorf("%d writes, the largest of %d bytes", storage.puts, storage.largest)
	}
	has(t, "after the order", read(t, s, id).Counts, fmt.Sprint("0 0 0 100 ", accounts-AtOnce)) // the engine knows no such accounts
}

// TestTheOrderIsKept: whatever write fails, and wherever the process ends, an order that was answered is carried out, and for no
// account twice.
func TestTheOrderIsKept(t *testing.T) {
	for n := 1; ; n++ {
		failed := false
		synctest.Test(t, func(t *testing.T) {
			engine, list := newFakeEngine(350)
			storage := &planned{}
			storage.failPut = func(put int, _ string) bool {
				failed = failed || put == n
				return put == n
			}
			s := campaignsOn(storage, engine)
			begun, err := s.Begin(t.Context(), everything, list, nil)
			s.Start()
			if err != nil {
				pass(time.Minute)
				s.Stop()
				if keys := storage.keys(t, ""); len(keys) != 0 {
					t.Errorf("write %d fails, and so does the order, but there is %v", n, keys)
				}
				if times, _ := engine.carried(); times != 0 {
					t.Errorf("write %d: an order that was refused was carried out", n)
				}
				return
			}
			s.Stop() // somewhere in the middle
			s = started(t, campaignsOn(storage, engine))
			pass(time.Minute)
			if times, _ := engine.carried(); times < 350 {
				t.Errorf("write %d: the order was carried out for %d accounts", n, times)
			}
			engine.rotate(-1)
			pass(time.Minute)
			if state := read(t, s, begun.ID); state.Reason != Completed || state.Done != 350 {
				t.Errorf("write %d: %+v", n, state)
			}
			for id, a := range engine.accounts {
				if a.version != 4 || a.due {
					t.Errorf("write %d: account %s has version %d", n, id, a.version)
				}
			}
		})
		if !failed {
			if n < 9 {
				t.Errorf("only %d writes", n)
			}
			return
		}
	}
}

// TestOneAccountStopsNoOther: an account whose record cannot be used is tried again and again, with the pauses of a look.
func TestOneAccountStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(2200)
		engine.broken = list[50].ID
		s := started(t, campaignsOn(&planned{}, engine))
		begun, err := s.Begin(t.Context(), everything, list, map[rotation.SkipReason]int{rotation.SkipNoReset: 2})
		if err != nil || begun.Troubles[list[50].ID] == nil || len(begun.Troubles) != 1 {
			t.Fatalf("%+v, %v", begun, err)
		}
		pass(time.Minute)
		has(t, "while it is broken", read(t, s, begun.ID).Counts, "0 0 2199 2 1")
		engine.change(func() { engine.broken = rotation.ID{} })
		pass(time.Minute)
		engine.rotate(-1)
		pass(time.Minute)
		state := read(t, s, begun.ID)
		has(t, "in the end", state.Counts, "2200 0 0 2 0")
		if state.Skips[rotation.SkipNoReset] != 2 {
			t.Errorf("skipped: %v", state.Skips)
		}
		if times, twice := engine.carried(); times != 2200 || twice != 0 {
			t.Errorf("the order was carried out %d times, %d of them again", times, twice)
		}
	})
}

// TestCampaignsTakeTurns: a small one does not wait for a large one.
func TestCampaignsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(20_000)
		engine.before = func(rotation.ID) { <-time.After(10 * time.Millisecond) } // as storage
		s := started(t, campaignsOn(&planned{}, engine))
		large := begin(t, s, everything, list[500:])
		pass(time.Second)
		small := begin(t, s, Order{Kind: RotateRole, Role: "web"}, list[:500])
		pass(15 * time.Second)
		has(t, "the small one", read(t, s, small).Counts, "0 0 500 0 0")
		if got := read(t, s, large); got.Unordered == 0 || got.Waiting == 0 {
			t.Errorf("the large one: %s", numbers(got.Counts))
		}
		if id, err := s.Ordering(t.Context()); id != large || err != nil {
			t.Errorf("being ordered is %s, %v; not %s", id, err, large)
		}
		if found, err := s.Delete(t.Context(), large); !found || err != nil {
			t.Fatal(found, err)
		}
		pass(time.Second)
		before, _ := engine.carried()
		pass(time.Minute)
		if now, _ := engine.carried(); now != before {
			t.Errorf("a deleted campaign goes on: %d, then %d", before, now)
		}
		if state, err := s.Read(t.Context(), large, 0); state != nil || err != nil {
			t.Errorf("a deleted campaign is %v, %v", state, err)
		}
		if found, err := s.Delete(t.Context(), large); found || err != nil {
			t.Error("it is deleted twice", err)
		}
		if id, err := s.Ordering(t.Context()); id != "" || err != nil {
			t.Errorf("being ordered is still %s, %v", id, err)
		}
	})
}

// TestCampaignsEnd: one that cannot be done ends after its lifetime, or when the same is ordered again.
func TestCampaignsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(3)
		s := started(t, campaignsOn(&planned{}, engine))
		first := begin(t, s, everything, list)
		pass(time.Hour)
		other := begin(t, s, Order{Kind: RotateConnection, Connection: "other"}, list)
		pass(time.Hour)
		if got := read(t, s, first); !got.Ended.IsZero() {
			t.Errorf("it was ended by another connection's: %+v", got)
		}
		second := begin(t, s, Order{Kind: RotateConnection, Connection: "prod"}, list)
		pass(time.Minute)
		if got := read(t, s, first); got.Reason != Superseded || got.Waiting != 3 {
			t.Errorf("the first: %+v", got)
		}
		pass(Lifetime - 30*time.Minute)
		if got := read(t, s, other); got.Reason != Expired {
			t.Errorf("the other: %+v", got)
		}
		if got := read(t, s, second); !got.Ended.IsZero() {
			t.Errorf("the second: %+v", got)
		}
		listed, err := s.List(t.Context())
		if err != nil || len(listed) != 3 || listed[0].ID != second || listed[2].ID != first {
			t.Errorf("%v, %v", listed, err)
		}
	})
}

// TestTheLast100AreKept: those that have ended go first, then the oldest whose accounts are due, which the answer names.
func TestTheLast100AreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(1)
		storage := &planned{}
		s := started(t, campaignsOn(storage, engine))
		var ids []string
		for n := range Limit {
			ids = append(ids, begin(t, s, Order{Kind: RotateRole, Role: fmt.Sprint("r", n)}, list))
			pass(time.Second)
		}
		begun, err := s.Begin(t.Context(), Order{Kind: RotateRole, Role: "more"}, list, nil)
		if err != nil || len(begun.Displaced) != 1 || begun.Displaced[0] != ids[0] {
			t.Fatalf("%+v, %v", begun, err)
		}
		pass(time.Minute)
		engine.rotate(-1)
		pass(time.Minute) // all have ended
		begun, err = s.Begin(t.Context(), Order{Kind: RotateRole, Role: "again"}, list, nil)
		if err != nil || len(begun.Displaced) != 0 {
			t.Fatalf("%+v, %v", begun, err)
		}
		pass(time.Minute)
		listed, err := s.List(t.Context())
		if err != nil || len(listed) != Limit || listed[0].ID != begun.ID || listed[Limit-1].ID != ids[2] {
			t.Errorf("%d are listed, %v", len(listed), err)
		}
		if keys := storage.keys(t, Prefix); len(keys) != Limit {
			t.Errorf("%d are stored", len(keys))
		}
	})
}

// TestWhatMakesRoom decides without storage.
func TestWhatMakesRoom(t *testing.T) {
	ended, due, ordering := place{}, place{open: true, carried: true}, place{open: true}
	for name, c := range map[string]struct {
		all                  []place
		forgotten, displaced string
		refused              bool
	}{
		"there is room":                       {all: []place{due, ended}},
		"the oldest that has ended":           {all: []place{ended, ended, due}, forgotten: "1"},
		"nothing has ended":                   {all: []place{due, due, ordering}, displaced: "1"},
		"all are still being ordered":         {all: []place{ordering, ordering, ordering}, refused: true},
		"there were too many, as of an other": {all: []place{due, ended, due, ended, ordering}, forgotten: "3 1", displaced: "2"},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range c.all {
				c.all[n].id = fmt.Sprint(n)
			}
			forgotten, displaced, err := makeRoom(c.all, 3)
			if strings.Join(forgotten, " ") != c.forgotten || strings.Join(displaced, " ") != c.displaced || (err != nil) != c.refused {
				t.Errorf("%v, %v, %v", forgotten, displaced, err)
			}
			if err != nil && !strings.Contains(err.Error(), "list -detailed campaigns") {
				t.Error(err)
			}
		})
	}
}

// TestTheEstimate is known once something was done.
func TestTheEstimate(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		from, now sample
		rest      int
		want      time.Duration
	}{
		"nothing was done":        {sample{start, 5}, sample{start.Add(time.Minute), 5}, 10, 0},
		"nothing is left":         {sample{start, 0}, sample{start.Add(time.Minute), 5}, 0, 0},
		"half is done":            {sample{start, 0}, sample{start.Add(time.Minute), 10}, 10, time.Minute},
		"after a restart":         {sample{start, 90}, sample{start.Add(time.Minute), 100}, 20, 2 * time.Minute},
		"the clock was set back":  {sample{start, 0}, sample{start.Add(-time.Minute), 10}, 10, 0},
		"this is the first count": {sample{}, sample{start, 10}, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.from.left(c.now, c.rest); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestALostList: if a part of its list is missing, a campaign ends. The others are still listed and carried out.
func TestALostList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(1500)
		storage := &planned{}
		s := campaignsOn(storage, engine)
		lost := begin(t, s, Order{Kind: RotateRole, Role: "web"}, list)
		id := begin(t, s, everything, list)
		if err := storage.InmemStorage.Delete(t.Context(), partKey(lost, 1)); err != nil {
			t.Fatal(err)
		}
		s = campaignsOn(storage, engine)
		if listed, err := s.List(t.Context()); err != nil || len(listed) != 2 {
			t.Errorf("%v, %v", listed, err)
		}
		started(t, s)
		pass(time.Minute)
		if got := read(t, s, lost); got.Reason != Lost || got.Total != 1500 {
			t.Errorf("%+v", got)
		}
		has(t, "the other one", read(t, s, id).Counts, "0 0 1500 0 0")
	})
}

// TestStorageFails in what does not take an order: nothing is forgotten, and it goes on.
func TestStorageFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, list := newFakeEngine(1500)
		storage := &planned{}
		s := campaignsOn(storage, engine)
		id := begin(t, s, everything, list)
		storage.plan(func() { storage.failGet = func(key string) bool { return strings.HasPrefix(key, "campaign") } })
		s = started(t, campaignsOn(storage, engine)) // a restart
		pass(time.Minute)
		if _, err := s.List(t.Context()); err == nil {
			t.Error("the list tells of no failure")
		}
		if _, err := s.Begin(t.Context(), everything, list, nil); err == nil {
			t.Error("an order is taken though nobody knows of the others")
		}
		storage.plan(func() { storage.failGet = nil })
		pass(time.Minute)
		has(t, "afterwards", read(t, s, id).Counts, "0 0 1500 0 0")
		storage.plan(func() { storage.failDel = func(string) bool { return true } })
		if _, err := s.Delete(t.Context(), id); err == nil {
			t.Error("it was deleted without a deletion")
		}
		has(t, "what could not be deleted", read(t, s, id).Counts, "0 0 1500 0 0")
		engine.rotate(-1)
		pass(time.Minute) // it ends, and its parts stay
		if got := read(t, s, id); got.Reason != Completed || len(storage.keys(t, partPrefix)) == 0 {
			t.Errorf("%+v", got)
		}
		storage.plan(func() { storage.failDel = nil })
		s = campaignsOn(storage, engine)
		if got := read(t, s, id); got.Done != 1500 || len(storage.keys(t, partPrefix)) != 0 {
			t.Errorf("%+v, and %v", got, storage.keys(t, partPrefix))
		}
	})
}

// TestOneCampaignHidesNoOther: an entry of a newer version is left as it is.
func TestOneCampaignHidesNoOther(t *testing.T) {
	engine, list := newFakeEngine(1)
	storage := &planned{}
	id := begin(t, campaignsOn(storage, engine), everything, list)
	for key, raw := range map[string]string{Prefix + "newer": `{"schema":2,"kind":["a"]}`, partPrefix + "newer/0": `{"schema":2}`} {
		if err := storage.InmemStorage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	s := campaignsOn(storage, engine)
	listed, err := s.List(t.Context())
	if err != nil || len(listed) != 1 || listed[0].ID != id {
		t.Errorf("%v, %v", listed, err)
	}
	if keys := storage.keys(t, ""); !slices.Contains(keys, Prefix+"newer") || !slices.Contains(keys, partPrefix+"newer/0") {
		t.Errorf("there is %v", keys)
	}
}
