package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/salt"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// oneForAll is a provider whose servers all have one initial password.
type oneForAll struct{ cloud.Provider }

func (oneForAll) InitialPassword(context.Context, string) (string, error) { return "first-boot", nil }
func (oneForAll) CheckInitialPassword(context.Context, string) error      { return nil }
func (oneForAll) InitialPasswordDelay() time.Duration                     { return time.Minute }
func (oneForAll) KeyFingerprint(context.Context, string) (string, error)  { return "", nil }

// firstBoots is a core of oneForAll on some storage, by some clock.
func firstBoots(t *testing.T, s logical.Storage, now func() time.Time) *Core {
	t.Helper()
	live := &Connection{Provider: oneForAll{}, ProviderName: "sim", RequestsPerSecond: 1000, RequestTimeout: time.Minute, Place: genuine,
		ForgetGoneAfter: month}
	c := New(Options{Storage: s, Now: now, Connect: func(context.Context, string, cloud.Limiter) (*Connection, error) { return live, nil },
		Decrypt: func(_ context.Context, c Ciphertext) (string, error) { return c.Value, nil }})
	t.Cleanup(c.Stop)
	return c
}

// firstBoot binds the account of a user of server i-1 to the role of its name.
func firstBoot(t *testing.T, c *Core, username string) ID {
	t.Helper()
	b := bindingOn("conn", username, cloud.Linux)
	b.Role, b.Place, b.Settings = username, genuine, with(staticSettings(), func(s *Settings) { s.Source, s.CanReset = FromInitial, false })
	if _, err := c.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// given reports whether readers of the account's role are given the initial password.
func given(t *testing.T, c *Core, id ID) bool {
	t.Helper()
	answer, err := c.Read(t.Context(), id, Reader{Role: id.Username}, 0)
	if err == nil && answer.Version.Password != "first-boot" {
		t.Fatalf("%s is given %s", id, answer.Version.Password)
	}
	return err == nil
}

var errStep = errors.New("no such luck")

// steppedStorage has one of its operations fail: the one that is left when steps is 0. Reads of what is known of initial
// passwords may wait for each other.
type steppedStorage struct {
	logical.Storage
	mu     sync.Mutex
	steps  int
	landed bool // the write that fails has landed
	meet   func()
}

// step reports whether this operation fails.
func (s *steppedStorage) step() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps--
	return s.steps == -1
}

func (s *steppedStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.step() {
		return nil, errStep
	}
	if s.meet != nil && strings.HasPrefix(key, initialPrefix) {
		defer s.meet()
	}
	return s.Storage.Get(ctx, key)
}

func (s *steppedStorage) Put(ctx context.Context, e *logical.StorageEntry) error {
	fails := s.step()
	if !fails || s.landed {
		if err := s.Storage.Put(ctx, e); err != nil {
			return err
		}
	}
	if fails {
		return errStep
	}
	return nil
}

// TestAnInitialPasswordIsOneRolesWhateverFails: at each step of its first read storage fails once, having landed or not. The
// reader gets nothing then, but later, and readers of another role never do: of whichever process, and also if the first
// one's account is deleted in between.
func TestAnInitialPasswordIsOneRolesWhateverFails(t *testing.T) {
	for _, landed := range []bool{false, true} {
		for _, deleted := range []bool{false, true} {
			failed := 0
			for n := 0; ; n++ {
				s := &steppedStorage{Storage: &logical.InmemStorage{}, steps: -1, landed: landed}
				c := firstBoots(t, s, time.Now)
				one, two := firstBoot(t, c, "one"), firstBoot(t, c, "two")
				s.mu.Lock()
				s.steps = n
				s.mu.Unlock()
				at := fmt.Sprintf("landed %v, deleted %v, step %d", landed, deleted, n)
				if given(t, c, one) {
					if s.steps >= 0 {
						break // there is no such step any more
					}
					t.Fatalf("%s: an answer though storage failed", at)
				}
				failed++
				c = firstBoots(t, s, time.Now)
				if !given(t, c, one) {
					t.Errorf("%s: the first role's readers get nothing at all", at)
				}
				if deleted {
					if err := c.Delete(t.Context(), one, true); err != nil {
						t.Fatal(err)
					}
				}
				if given(t, c, two) {
					t.Errorf("%s: readers of both roles are given the password", at)
				}
				if firstBoot(t, c, "one"); !given(t, c, one) {
					t.Errorf("%s: the first role's readers are not given it again", at)
				}
			}
			if failed < 6 {
				t.Errorf("only %d steps: this shows little", failed)
			}
		}
	}
}

// TestTwoFirstReadsAtOnce of one password: the second sees what the first has written.
func TestTwoFirstReadsAtOnce(t *testing.T) {
	s := &steppedStorage{Storage: &logical.InmemStorage{}, steps: -1}
	c := firstBoots(t, s, time.Now)
	ids := []ID{firstBoot(t, c, "one"), firstBoot(t, c, "two")}
	var arrived, inside atomic.Int32
	c.opts.Decrypt = func(_ context.Context, c Ciphertext) (string, error) {
		arrived.Add(1)
		return c.Value, nil
	}
	s.meet = func() { // each waits for the other one to have got so far, and gives it time to look as well
		inside.Add(1)
		for arrived.Load() < 2 {
			pauseForOthers()
		}
		for i := 0; i < 10000 && inside.Load() < 2; i++ {
			pauseForOthers()
		}
	}
	answers := make([]bool, len(ids))
	var group sync.WaitGroup
	for i, id := range ids {
		group.Go(func() {
			_, err := c.Read(t.Context(), id, Reader{Role: id.Username}, 0)
			answers[i] = err == nil
		})
	}
	group.Wait()
	if answers[0] == answers[1] {
		t.Errorf("given the password: %v", answers)
	}
}

// TestWhatIsKnownOfAnInitialPassword is the record of one, over reads and forgettings.
func TestWhatIsKnownOfAnInitialPassword(t *testing.T) {
	account := func(role, user string) *Account {
		return &Account{ID: ID{Connection: "c", InstanceID: "i", Username: user}, Role: role}
	}
	var p initialPassword
	for i, step := range []struct {
		do    func() bool
		news  bool
		wants initialPassword
	}{
		{func() bool { return p.read(account("one", "a")) }, true, initialPassword{Role: "one", Accounts: []string{"c/i/a"}}},
		{func() bool { return p.read(account("one", "a")) }, false, initialPassword{Role: "one", Accounts: []string{"c/i/a"}}},
		{func() bool { return p.read(account("two", "b")) }, true,
			initialPassword{Role: "one", Accounts: []string{"c/i/a", "c/i/b"}, Several: true}},
		{func() bool { return p.forget("c/i/a", t0) }, true, initialPassword{Role: "one", Accounts: []string{"c/i/b"}, Several: true}},
		{func() bool { return p.forget("c/i/a", t0) }, false, initialPassword{Role: "one", Accounts: []string{"c/i/b"}, Several: true}},
		{func() bool { return p.forget("c/i/b", t0) }, true, initialPassword{Role: "one", Accounts: []string{}, Several: true, Forgotten: t0}},
		{func() bool { return p.read(account("two", "b")) }, true, initialPassword{Role: "one", Accounts: []string{"c/i/b"}, Several: true}},
	} {
		if news := step.do(); news != step.news {
			t.Errorf("step %d: news %v", i, news)
		}
		is(t, fmt.Sprintf("after step %d", i), p, step.wants)
	}
	for i := range 2 * initialReaders {
		p.read(account("one", fmt.Sprint("u", i)))
	}
	for i := range 2 * initialReaders {
		p.forget(fmt.Sprint("c/i/u", i), t0)
	}
	p.forget("c/i/b", t0)
	if !p.Many || !p.Forgotten.IsZero() || len(p.Accounts) != 0 {
		t.Errorf("of many servers: %+v", p)
	}
}

// TestInitialPasswordsAreRememberedForAYear after their servers are gone and their accounts forgotten, and not for longer:
// servers may come and go. Of a server that may exist it is never forgotten.
func TestInitialPasswordsAreRememberedForAYear(t *testing.T) {
	retired := func(t *testing.T, c *Core, id ID) {
		t.Helper()
		if err := c.Retire(t.Context(), id, genuine); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		end     func(*testing.T, *Core, ID) error
		forever bool
	}{
		"forgotten as gone": {end: func(t *testing.T, c *Core, id ID) error {
			t.Helper()
			retired(t, c, id)
			if err := c.Unbind(t.Context(), id, id.Username); err != nil {
				return err
			}
			pass(month)
			_, err := c.Forget(t.Context(), id, genuine)
			return err
		}},
		"deleted as gone": {end: func(t *testing.T, c *Core, id ID) error { t.Helper(); return c.Delete(t.Context(), id, false) }},
		"deleted by force, gone": {end: func(t *testing.T, c *Core, id ID) error {
			t.Helper()
			retired(t, c, id)
			return c.Delete(t.Context(), id, true)
		}},
		"deleted by force": {forever: true, end: func(t *testing.T, c *Core, id ID) error { t.Helper(); return c.Delete(t.Context(), id, true) }},
		"not deleted":      {forever: true, end: func(*testing.T, *Core, ID) error { return nil }},
		"another account of it is not deleted": {forever: true, end: func(t *testing.T, c *Core, id ID) error {
			t.Helper()
			given(t, c, firstBoot(t, c, "two"))
			return c.Delete(t.Context(), id, false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &logical.InmemStorage{}
				c := firstBoots(t, s, time.Now)
				id := firstBoot(t, c, "one")
				if !given(t, c, id) {
					t.Fatal("not given: this shows nothing")
				}
				key := c.entry(id).rec.InitialKey
				if err := x.end(t, c, id); err != nil {
					t.Fatal(err)
				}
				if left, err := loadAccount(t.Context(), s, id); err != nil || (left != nil) != (name == "not deleted") {
					t.Fatalf("the account is stored: %v, %v", left != nil, err)
				}
				for _, over := range []bool{false, true} {
					pass(initialKept - time.Hour)
					if over {
						pass(2 * time.Hour)
					}
					// Another account is forgotten that has read another password of the same folder.
					if err := c.initials.forget(t.Context(), &Account{ID: ID{InstanceID: "other"}, InitialKey: key + "0"}); err != nil {
						t.Fatal(err)
					}
					if known, err := loadInitial(t.Context(), s, key, id); err != nil || (known.Role == "one") != (x.forever || !over) {
						t.Errorf("a year is over %v: remembered is %+v, %v", over, known, err)
					}
				}
			})
		})
	}
}

// TestAnotherNodesSalt is read again once it has changed.
func TestAnotherNodesSalt(t *testing.T) {
	s := &logical.InmemStorage{}
	c := firstBoots(t, s, time.Now)
	names := map[string]bool{}
	for range 2 {
		_, name, err := c.initials.key(t.Context(), ID{}, "x")
		if err != nil {
			t.Fatal(err)
		}
		names[name] = true
		if err := s.Delete(t.Context(), salt.DefaultLocation); err != nil {
			t.Fatal(err)
		}
		if len(names) == 1 {
			if _, again, err := c.initials.key(t.Context(), ID{}, "x"); err != nil || again != name {
				t.Errorf("not kept: %v", err)
			}
		}
		c.Invalidate(salt.DefaultLocation)
	}
	is(t, "names", len(names), 2)
}
