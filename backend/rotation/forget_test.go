package rotation

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// month is the time after which the connections of these tests forget.
const month = 720 * time.Hour

// forgetful is a core whose connection leads to a place and forgets after a time.
func forgetful(t *testing.T, s logical.Storage, at Place, after time.Duration) *Core {
	t.Helper()
	live := &Connection{ProviderName: "sim", RequestsPerSecond: 1, RequestTimeout: time.Second, Place: at, ForgetGoneAfter: after}
	c := New(Options{Storage: s, Connect: func(context.Context, string, cloud.Limiter) (*Connection, error) { return live, nil }})
	t.Cleanup(c.Stop)
	return c
}

// goneSince is an account without a role whose server has been gone since then.
func goneSince(at time.Time, changes ...func(*Account)) *Account {
	a := leasedAccount()
	placed(genuine)(a)
	a.Role, a.LastRole, a.Gone = "", "web", at
	both(changes...)(a)
	return a
}

// TestWhatIsForgotten: only what has been gone for long enough by the word of a place that is believed, and what nobody
// has any more, no role, no client and no request that may still set a password.
func TestWhatIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  time.Duration
		gone   time.Duration // for how long
		change func(*Account)
		led    Place // where the connection leads; "": where it did
		asked  Place // which place says that there is no such server; "": that one
		kept   bool
		named  bool // is named among those that have been gone for long, though it is kept
	}{
		{name: "gone for long", after: month, gone: month},
		{name: "of no role ever", after: month, gone: month, change: func(a *Account) { a.LastRole = "" }},
		{name: "due for ever", after: month, gone: month, change: due(protocol.DueRevoked)},
		{name: "never read", after: month, gone: month, change: func(a *Account) { a.Versions = nil }},
		{name: "not yet", after: month, gone: month - time.Second, kept: true},
		{name: "the server exists", after: month, gone: month, change: func(a *Account) { a.Gone = time.Time{} }, kept: true},
		{name: "nothing is to be forgotten", gone: 100 * month, kept: true},
		{name: "of a role", after: month, gone: month, change: func(a *Account) { a.Role = "web" }, kept: true, named: true},
		{name: "leased", after: month, gone: month, change: holding("n", 1, 99*month), kept: true},
		{name: "a rotation has begun", after: month, gone: month, change: func(a *Account) { rotating(sent("a"))(a); placed(genuine)(a) },
			kept: true},
		{name: "no attempt of it is open", after: month, gone: month, change: func(a *Account) { rotating()(a); placed(genuine)(a) }, kept: true},
		{name: "an old attempt is open", after: month, gone: month,
			change: func(a *Account) { a.OldUnresolved = []protocol.Attempt{sentTo(genuine, "a")} }, kept: true},
		{name: "the server may have another password", after: month, gone: month,
			change: func(a *Account) { a.Candidates = []Candidate{{Password: "x", Place: genuine}} }, kept: true},
		{name: "the connection leads elsewhere", after: month, gone: month, led: lying, kept: true},
		{name: "another place says so", after: month, gone: month, asked: lying, kept: true, named: true},
		{name: "it has a password of another place", after: month, gone: month, change: func(a *Account) {
			a.Versions = append([]Version{{Number: 1, Password: "zero", Place: lying}}, a.Versions...)
		}, kept: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, s := t.Context(), &logical.InmemStorage{}
				a := goneSince(time.Now().Add(-c.gone))
				if c.change != nil {
					c.change(a)
				}
				if err := saveAccount(ctx, s, a); err != nil {
					t.Fatal(err)
				}
				at, asked := genuine, genuine
				if c.led != "" {
					at, asked = c.led, c.led
				}
				if c.asked != "" {
					asked = c.asked
				}
				core := forgetful(t, s, at, c.after)
				view, err := core.Inspect(ctx, a.ID)
				if err != nil {
					t.Fatal(err)
				}
				if shown := !view.Forgotten.IsZero(); shown != (!c.kept || c.name == "not yet" || c.asked != "") {
					t.Errorf("the account is to be forgotten at %s", view.Forgotten)
				}
				named := len(core.GoneLong(ctx)[a.Connection]) == 1
				is(t, "named", named, !c.kept || c.named || c.led != "")
				done, err := core.Forget(ctx, a.ID, asked)
				if err != nil || done == c.kept {
					t.Errorf("forgotten: %v, %v", done, err)
				}
				stored, err := loadAccount(ctx, s, a.ID)
				if err != nil || (stored != nil) != c.kept {
					t.Errorf("the record is stored: %v, %v", stored != nil, err)
				}
				if !c.kept && len(core.entries) != 0 {
					t.Errorf("%d entries are left in memory", len(core.entries))
				}
			})
		})
	}
}

// TestAForgottenAccountLeavesATombstone, as a deleted one does.
func TestAForgottenAccountLeavesATombstone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), &logical.InmemStorage{}
		core := forgetful(t, s, genuine, month)
		a := goneSince(time.Now().Add(-month))
		if err := saveAccount(ctx, s, a); err != nil {
			t.Fatal(err)
		}
		if done, err := core.Forget(ctx, a.ID, genuine); !done || err != nil {
			t.Fatal(done, err)
		}
		if done, err := core.Forget(ctx, a.ID, genuine); done || err != nil {
			t.Errorf("a second time: %v, %v", done, err)
		}
		if err := core.Revoke(ctx, LeaseRef{ID: a.ID, Version: 1, Nonce: "n"}); err != nil {
			t.Errorf("a lease that Vault still has cannot be revoked: %v", err)
		}
		view, err := core.Bind(ctx, Binding{ID: a.ID, Provider: a.Provider, Role: "db", Settings: a.Settings, Place: genuine})
		if err != nil || !view.InitialOverwritten || len(view.Versions) != 0 {
			t.Errorf("bound again: %+v, %v", view, err)
		}
	})
}

// hangingHost has queues whose workers end only when they are let go.
type hangingHost struct {
	queueHost
	letGo chan struct{}
}

func (h hangingHost) Serve(_ string, _ *entry, _ bool, done func()) { <-h.letGo; done() }

// hangInAStep gives an account to a worker that does not come back before the end of the test.
func hangInAStep(t *testing.T, core *Core, e *entry) {
	t.Helper()
	host := hangingHost{queueHost{core.executor}, make(chan struct{})}
	core.queues = workqueue.New(host, core.opts.Logger, time.Minute)
	t.Cleanup(func() { close(host.letGo) })
	core.queues.Start(t.Context())
	core.scheduleAt(e, protocol.StepNone, core.Now())
	synctest.Wait()
}

// TestAWorkerAtTheAccountKeepsIt: what is in the middle of a step, of a request or of the first read is not forgotten
// under it.
func TestAWorkerAtTheAccountKeepsIt(t *testing.T) {
	for name, occupy := range map[string]func(*testing.T, *Core, *entry){
		"a step":         hangInAStep,
		"a request":      func(_ *testing.T, _ *Core, e *entry) { e.turn.sending.Store(true) },
		"the first read": func(_ *testing.T, _ *Core, e *entry) { e.fetching = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &logical.InmemStorage{}
				core := forgetful(t, s, genuine, month)
				a := goneSince(time.Now().Add(-month))
				if err := saveAccount(t.Context(), s, a); err != nil {
					t.Fatal(err)
				}
				occupy(t, core, core.entry(a.ID))
				if done, err := core.Forget(t.Context(), a.ID, genuine); done || err != nil {
					t.Errorf("forgotten: %v, %v", done, err)
				}
			})
		})
	}
}

// TestNothingIsForgottenRightAfterAStart: the process cannot tell yet whether its clock is right.
func TestNothingIsForgottenRightAfterAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), &logical.InmemStorage{}
		core := forgetful(t, s, genuine, month)
		a := goneSince(time.Now().Add(-2 * month))
		if err := saveAccount(ctx, s, a); err != nil {
			t.Fatal(err)
		}
		core.Start()
		for _, forgotten := range []bool{false, true} {
			synctest.Wait()
			named := len(core.GoneLong(ctx)) > 0
			if done, err := core.Forget(ctx, a.ID, genuine); done != forgotten || named != forgotten || err != nil {
				t.Fatalf("named %v, forgotten %v, %v; want %v", named, done, err, forgotten)
			}
			pass(protocol.StartHold + time.Second)
		}
	})
}

// TestAForgottenEntryWritesNothing: somebody may hold an entry from before, while another one stands for the id.
func TestAForgottenEntryWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), &logical.InmemStorage{}
		core := forgetful(t, s, genuine, month)
		a := goneSince(time.Now().Add(-month))
		if err := saveAccount(ctx, s, a); err != nil {
			t.Fatal(err)
		}
		stale := core.entry(a.ID)
		if done, err := core.Forget(ctx, a.ID, genuine); !done || err != nil {
			t.Fatal(done, err)
		}
		if _, err := core.Bind(ctx, Binding{ID: a.ID, Provider: a.Provider, Role: "db", Settings: a.Settings, Place: genuine}); err != nil {
			t.Fatal(err)
		}
		before, err := loadAccount(ctx, s, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if core.entry(a.ID) == stale {
			t.Fatal("the old entry stands for the new account")
		}
		if _, err := core.update(ctx, stale, protocol.RotationRequested{Reason: protocol.DueManual, At: time.Now()}); !wanted(err, NoRecord) {
			t.Errorf("a change through the old entry: %v", err)
		}
		stale.mu.Lock()
		stale.loaded = false // as after a failed write
		if err := core.load(ctx, stale); err != nil || stale.rec != nil {
			t.Errorf("the old entry has an account: %v", err)
		}
		if err := core.put(ctx, stale, a); !wanted(err, Unavailable) {
			t.Errorf("a write through the old entry: %v", err)
		}
		stale.mu.Unlock()
		core.scheduleAt(stale, protocol.StepNone, time.Now())
		core.Start()
		pass(time.Minute)
		after, err := loadAccount(ctx, s, a.ID)
		if err != nil || encoded(t, after) != encoded(t, before) {
			t.Errorf("the new account was changed: %v\n%s", err, encoded(t, after))
		}
	})
}

// TestForgettingRacesWithBinding: whoever comes first, what is in memory is what is stored, and there is one of it.
func TestForgettingRacesWithBinding(t *testing.T) {
	ctx, s := t.Context(), &logical.InmemStorage{}
	core := forgetful(t, s, genuine, time.Nanosecond)
	b := Binding{ID: leasedAccount().ID, Provider: "sim", Role: "web", Settings: staticSettings(), Place: genuine}
	var forgotten, made int
	for n := range 200 {
		if _, err := core.Bind(ctx, b); err != nil {
			t.Fatal(err)
		}
		if err := core.Unbind(ctx, b.ID, b.Role); err != nil {
			t.Fatal(err)
		}
		if err := core.Retire(ctx, b.ID, genuine); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if done, err := core.Forget(ctx, b.ID, genuine); err != nil {
				t.Error(err)
			} else if done {
				forgotten++
			}
		})
		if n%10 == 0 {
			all.Wait() // whatever the machine does otherwise, it comes first now and then
		}
		for range 2 {
			all.Go(func() {
				runtime.Gosched()
				if _, err := core.Bind(ctx, b); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if _, err := core.Import(ctx, b.ID, "by hand", true); err != nil && !wanted(err, NoRecord) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		stored, err := loadAccount(ctx, s, b.ID)
		if err != nil || stored == nil {
			t.Fatalf("the account that was bound is not stored: %v", err)
		}
		if len(stored.Versions) > 0 {
			made++
		}
		if e := core.entries[b.ID]; len(core.entries) != 1 || e.dropped || encoded(t, e.rec) != encoded(t, stored) {
			t.Fatalf("in memory there are %d entries, and not what is stored", len(core.entries))
		}
	}
	if forgotten == 0 || made == 0 {
		t.Errorf("%d times forgotten, %d times with a password: this shows nothing", forgotten, made)
	}
}
