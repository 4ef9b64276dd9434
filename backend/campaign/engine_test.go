package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// fakeEngine has accounts with a number of versions, which become due and are rotated when the test says so.
type fakeEngine struct {
	mu       sync.Mutex
	accounts map[rotation.ID]*fakeAccount
	log      []string             // the accounts for which orders were carried out
	fails    error                // of CarryOut, if set
	broken   rotation.ID          // the account for which CarryOut fails
	before   func(id rotation.ID) // of each CarryOut
}

type fakeAccount struct {
	version      int
	due, trouble bool
}

func newFakeEngine(accounts int) (*fakeEngine, []rotation.Ordered) {
	f := &fakeEngine{accounts: map[rotation.ID]*fakeAccount{}}
	var list []rotation.Ordered
	for n := range accounts {
		id := rotation.ID{Connection: "prod", InstanceID: fmt.Sprintf("i-%06d", n), Username: "root"}
		f.accounts[id] = &fakeAccount{version: 3}
		list = append(list, rotation.Ordered{ID: id, Accounts: 1, Before: 3})
	}
	return f, list
}

func (f *fakeEngine) Now() time.Time { return time.Now() }

func (f *fakeEngine) CarryOut(ctx context.Context, _ rotation.Order, o *rotation.Ordered) (rotation.SkipReason, error) {
	f.mu.Lock()
	before, failure := f.before, f.fails
	f.mu.Unlock()
	if before != nil {
		before(o.ID)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if failure == nil && o.ID == f.broken {
		failure = errors.New("the planned failure of one account")
	}
	if failure != nil {
		return "", failure
	}
	a := f.accounts[o.ID]
	if a == nil {
		return rotation.SkipDeleted, nil
	}
	if a.version <= o.Before {
		f.log = append(f.log, o.ID.InstanceID)
		a.due = true
	}
	return "", nil
}

func (f *fakeEngine) Standing(_ context.Context, _ rotation.Order, o rotation.Ordered, carried bool) (rotation.Standing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.accounts[o.ID]
	switch {
	case a != nil && a.version > o.Before:
		return rotation.Standing{Done: o.Accounts}, nil
	case !carried:
		return rotation.Standing{Unordered: o.Accounts}, nil
	case a == nil:
		return rotation.Standing{Skipped: o.Accounts, Reason: rotation.SkipDeleted}, nil
	case a.trouble:
		view := &rotation.View{ID: o.ID, State: "due", LastError: hint.Plain("stopped")}
		return rotation.Standing{FailedAccounts: o.Accounts, Failed: []*rotation.View{view}}, nil
	}
	return rotation.Standing{Waiting: o.Accounts}, nil
}

// rotate rotates due accounts, all or so many.
func (f *fakeEngine) rotate(most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.accounts {
		if a.due && !a.trouble && most != 0 {
			a.version, a.due = a.version+1, false
			most--
		}
	}
}

// change changes the engine while nobody else does.
func (f *fakeEngine) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// carried is how often orders were carried out, and how often twice for the same account.
func (f *fakeEngine) carried() (times, twice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.Sort(f.log)
	return len(f.log), len(f.log) - len(slices.Compact(slices.Clone(f.log)))
}

// planned is storage whose writes and reads fail when the test says so, and that tells of what is written.
type planned struct {
	logical.InmemStorage
	mu      sync.Mutex
	puts    int
	deletes int
	failPut func(n int, key string) bool
	failDel func(key string) bool
	failGet func(key string) bool
	largest int
}

var errPlanned = errors.New("the planned failure of storage")

func (s *planned) Put(ctx context.Context, e *logical.StorageEntry) error {
	s.mu.Lock()
	s.puts++
	s.largest = max(s.largest, len(e.Value))
	fails := s.failPut != nil && s.failPut(s.puts, e.Key)
	s.mu.Unlock()
	if fails {
		return errPlanned
	}
	return s.InmemStorage.Put(ctx, e)
}

func (s *planned) Delete(ctx context.Context, key string) error {
	s.mu.Lock()
	s.deletes++
	fails := s.failDel != nil && s.failDel(key)
	s.mu.Unlock()
	if fails {
		return errPlanned
	}
	return s.InmemStorage.Delete(ctx, key)
}

func (s *planned) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	s.mu.Lock()
	fails := s.failGet != nil && s.failGet(key)
	s.mu.Unlock()
	if fails {
		return nil, errPlanned
	}
	return s.InmemStorage.Get(ctx, key)
}

// plan changes what fails.
func (s *planned) plan(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// keys are what is stored below a prefix.
func (s *planned) keys(t *testing.T, prefix string) []string {
	t.Helper()
	keys, err := logical.CollectKeysWithPrefix(t.Context(), s, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func campaignsOn(storage logical.Storage, e Engine) *Campaigns {
	return New(Deps{Storage: storage, Engine: e, Log: func() hclog.Logger { return hclog.NewNullLogger() }})
}

var everything = Order{Kind: RotateConnection, Connection: "prod", By: rotation.Requester{DisplayName: "olivia"}}

// begin takes an order.
func begin(t *testing.T, s *Campaigns, order Order, list []rotation.Ordered) string {
	t.Helper()
	begun, err := s.Begin(t.Context(), order, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return begun.ID
}

// read is what is told of a campaign.
func read(t *testing.T, s *Campaigns, id string) *State {
	t.Helper()
	state, err := s.Read(t.Context(), id, 0)
	if err != nil || state == nil {
		t.Fatalf("campaign %s: %v, %v", id, state, err)
	}
	sum := state.Done + state.Failed + state.Waiting + state.Skipped + state.Unordered
	if sum != state.Total {
		t.Errorf("the numbers %+v are %d together, of %d", state.Counts, sum, state.Total)
	}
	return state
}

// numbers are counts in the order done, failed, waiting, skipped, not yet ordered.
func numbers(c Counts) string {
	return strings.Trim(fmt.Sprint([]int{c.Done, c.Failed, c.Waiting, c.Skipped, c.Unordered}), "[]")
}

func has(t *testing.T, what string, got Counts, want string) {
	t.Helper()
	if numbers(got) != want {
		t.Errorf("%s: %s, want %s (done, failed, waiting, skipped, not yet ordered)", what, numbers(got), want)
	}
}
