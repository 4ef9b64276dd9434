package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// orderedCore is a core on storage with one account, which rotates nothing by itself.
func orderedCore(t *testing.T, given ...func(*Account)) (*Core, *Account) {
	t.Helper()
	a := leasedAccount()
	for _, change := range given {
		change(a)
	}
	storage := &logical.InmemStorage{}
	if err := saveAccount(t.Context(), storage, a); err != nil {
		t.Fatal(err)
	}
	c := New(Options{Storage: storage, Now: func() time.Time { return t0 }})
	t.Cleanup(c.Stop)
	return c, a
}

// confirmed lets the cloud confirm a value, which is made if none is on its way.
func confirmed(t *testing.T, c *Core, id ID, value string) *Account {
	t.Helper()
	e := c.entry(id)
	started := protocol.RotationStarted{Password: value, Attempt: protocol.Attempt{ID: value, Started: t0}}
	if e.rec.Pending == nil {
		if _, err := c.update(t.Context(), e, started); err != nil {
			t.Fatal(err)
		}
	}
	attempt := e.rec.Pending.Attempts[0].ID
	a, err := c.update(t.Context(), e, protocol.AttemptConfirmed{Attempt: attempt, At: t0})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// record is an account's record.
func (c *Core) recordOf(t *testing.T, id ID) *Account {
	t.Helper()
	a, err := c.get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// givenAway has somebody be given the value on its way.
func givenAway(a *Account) { a.Pending.Disclosed = t0.Add(-time.Minute) }

// TestAnOrderRotatesOnce however often it is carried out, in the middle of a rotation and after it.
func TestAnOrderRotatesOnce(t *testing.T) {
	for name, c := range map[string]struct {
		given []func(*Account)
		order Order
		turns int // how many rotations the order takes
	}{
		"at rest":               {order: Order{Reason: DueManual}, turns: 1},
		"for a reader, at rest": {order: Order{Reason: DueReader}, turns: 1},
		"on its way":            {given: []func(*Account){rotating(protocol.Attempt{ID: "a"})}, order: Order{Reason: DueManual}, turns: 1},
		"for a reader, on its way, unknown": {given: []func(*Account){rotating(protocol.Attempt{ID: "a"})}, order: Order{Reason: DueReader},
			turns: 1},
		"for a reader who may have the value on its way": {given: []func(*Account){rotating(protocol.Attempt{ID: "a"}), givenAway},
			order: Order{Reason: DueReader}, turns: 2},
	} {
		t.Run(name, func(t *testing.T) {
			core, a := orderedCore(t, c.given...)
			o := orderOf(core.recordOf(t, a.ID), c.order.Reason)
			carryOut := func(carried bool, want Standing) {
				t.Helper()
				got, err := core.Standing(t.Context(), c.order, o, carried)
				if err != nil || got.Done != want.Done || got.Waiting != want.Waiting || got.Unordered != want.Unordered {
					t.Errorf("%+v, %v; want %+v", got, err, want)
				}
				if skip, err := core.CarryOut(t.Context(), c.order, &o); skip != "" || err != nil {
					t.Fatal(skip, err)
				}
			}
			carryOut(false, Standing{Unordered: 1})
			carryOut(true, Standing{Waiting: 1})
			for turn := range c.turns {
				before := core.recordOf(t, a.ID)
				if before.Due == nil || !before.Due.Forced && turn == 0 {
					t.Fatalf("turn %d: it is not due", turn)
				}
				confirmed(t, core, a.ID, "value-"+string(rune('a'+turn)))
				if turn+1 < c.turns {
					carryOut(true, Standing{Waiting: 1})
				}
			}
			carryOut(true, Standing{Done: 1})
			carryOut(false, Standing{Done: 1}) // after a crash before the walker's note
			if a := core.recordOf(t, a.ID); a.Due != nil || a.Pending != nil {
				t.Errorf("it is due again: %s", describe(a))
			}
		})
	}
}

// TestAReaderGetsTheNextValueBeforeTheOrderReachesIt: what was disclosed between the order and its turn is replaced as well.
func TestAReaderGetsTheNextValueBeforeTheOrderReachesIt(t *testing.T) {
	core, a := orderedCore(t)
	order := Order{Reason: DueReader}
	o := orderOf(core.recordOf(t, a.ID), DueReader)
	a = core.recordOf(t, a.ID).Clone()
	rotating(protocol.Attempt{ID: "a"})(a)
	givenAway(a)
	if err := saveAccount(t.Context(), core.opts.Storage, a); err != nil {
		t.Fatal(err)
	}
	core.Invalidate(accountKey(a.ID))
	if skip, err := core.CarryOut(t.Context(), order, &o); skip != "" || err != nil || !o.Follow {
		t.Fatal(skip, err, o)
	}
	if a = confirmed(t, core, a.ID, ""); a.Due == nil || a.Due.Reason != DueReader {
		t.Errorf("the value that the reader may have stays: %s", describe(a))
	}
	if got, err := core.Standing(t.Context(), order, o, true); got.Waiting != 1 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestWhatOrdersLeaveOut is skipped, with the reason.
func TestWhatOrdersLeaveOut(t *testing.T) {
	rotate, check := Order{Reason: DueManual, Given: t0}, Order{Check: true, Given: t0}
	ofRole := func(o Order, role string) Order { o.Role = role; return o }
	for name, c := range map[string]struct {
		given func(*Account)
		order Order
		want  SkipReason
	}{
		"its server is gone":           {func(a *Account) { a.Gone = t0 }, rotate, SkipGone},
		"... but it is named":          {func(a *Account) { a.Gone = t0 }, Order{Reason: DueManual, Gone: true}, ""},
		"nothing can reset it":         {func(a *Account) { a.Settings.CanReset = false }, rotate, SkipNoReset},
		"it has left the role":         {func(a *Account) { a.Role = "other" }, ofRole(rotate, "web"), SkipNotBound},
		"it belongs to the role":       {func(*Account) {}, ofRole(rotate, "web"), ""},
		"nothing can look at it":       {func(*Account) {}, check, SkipNoCheck},
		"it can be looked at":          {func(a *Account) { a.Settings.CheckMethod = "command" }, check, ""},
		"it was looked at since":       {func(a *Account) { a.Check = &protocol.Check{Time: t0.Add(time.Second)} }, check, ""},
		"it is gone, nothing to check": {func(a *Account) { a.Gone = t0; a.Settings.CheckMethod = "command" }, check, SkipGone},
	} {
		t.Run(name, func(t *testing.T) {
			core, a := orderedCore(t, c.given)
			o := Ordered{ID: a.ID, Accounts: 1, Before: a.LastVersion}
			if skip, err := core.CarryOut(t.Context(), c.order, &o); skip != c.want || err != nil {
				t.Errorf("%q, %v; want %q", skip, err, c.want)
			}
		})
	}
	core, a := orderedCore(t)
	o := Ordered{ID: ID{Connection: "conn", InstanceID: "i-2", Username: "root"}, Accounts: 1}
	if skip, err := core.CarryOut(t.Context(), rotate, &o); skip != SkipDeleted || err != nil {
		t.Errorf("%q, %v", skip, err)
	}
	o = Ordered{ID: a.ID, Accounts: 1, Before: 7}
	if skip, err := core.CarryOut(t.Context(), rotate, &o); skip != "" || err != nil || o.Before != 1 {
		t.Errorf("created again: %q, %v, %+v", skip, err, o)
	}
}

// TestStandings are told from the record alone.
func TestStandings(t *testing.T) {
	rotate, check := Order{Reason: DueManual, Given: t0}, Order{Check: true, Given: t0}
	checkable := func(result protocol.CheckResult, at, asked time.Time) func(*Account) {
		return func(a *Account) {
			a.Settings.CheckMethod = "command"
			a.Check = &protocol.Check{Time: at, Result: result, Asked: asked, Reason: hint.Plain("no agent")}
		}
	}
	later := t0.Add(time.Minute)
	for name, c := range map[string]struct {
		given  func(*Account)
		order  Order
		want   Standing // but for who fails
		unsaid bool     // the order was not carried out
	}{
		"due":                 {due(DueManual), rotate, Standing{Waiting: 1}, false},
		"not due yet":         {func(*Account) {}, rotate, Standing{Unordered: 1}, true},
		"not due any more":    {func(*Account) {}, rotate, Standing{Skipped: 1, Reason: SkipNotDue}, false},
		"another version":     {func(a *Account) { a.LastVersion = 2 }, rotate, Standing{Done: 1}, false},
		"... by itself":       {func(a *Account) { a.LastVersion = 2 }, rotate, Standing{Done: 1}, true},
		"gone":                {func(a *Account) { due(DueManual)(a); a.Gone = t0 }, rotate, Standing{Skipped: 1, Reason: SkipGone}, false},
		"its last try failed": {failedOnce, rotate, Standing{FailedAccounts: 1}, false},
		"a check is ordered":  {checkable("", time.Time{}, later), check, Standing{Waiting: 1}, false},
		"a check was made": {checkable(protocol.CheckDiffers, later, time.Time{}), check,
			Standing{Done: 1, Result: protocol.CheckDiffers}, false},
		"a check has failed":   {checkable(protocol.CheckUnknown, later, later), check, Standing{FailedAccounts: 1}, false},
		"a check was dropped":  {checkable("", t0.Add(-time.Hour), time.Time{}), check, Standing{Skipped: 1, Reason: SkipNoAnswer}, false},
		"nobody can check it":  {func(*Account) {}, check, Standing{Skipped: 1, Reason: SkipNoCheck}, false},
		"checked for another":  {checkable(protocol.CheckMatches, later, time.Time{}), check, Standing{Unordered: 1}, true},
		"it was not looked at": {func(*Account) {}, check, Standing{Unordered: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			core, a := orderedCore(t, c.given)
			got, err := core.Standing(t.Context(), c.order, Ordered{ID: a.ID, Accounts: 1, Before: 1}, !c.unsaid)
			if err != nil || len(got.Failed) != c.want.FailedAccounts {
				t.Errorf("%+v, %v", got, err)
			}
			for _, v := range got.Failed {
				if v.Trouble().IsZero() {
					t.Error("it does not say why it fails")
				}
			}
			got.Failed = nil
			if got.Done != c.want.Done || got.Waiting != c.want.Waiting || got.Skipped != c.want.Skipped || got.Unordered != c.want.Unordered ||
				got.FailedAccounts != c.want.FailedAccounts || got.Reason != c.want.Reason || got.Result != c.want.Result {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if final := c.want.Done+c.want.Skipped == 1; got.Final() != final {
				t.Errorf("final: %v", got.Final())
			}
		})
	}
	core, _ := orderedCore(t)
	got, err := core.Standing(t.Context(), rotate, Ordered{ID: ID{Connection: "conn", InstanceID: "i-9", Username: "root"}, Accounts: 1}, true)
	if err != nil || got.Reason != SkipDeleted {
		t.Errorf("an account that is not there: %+v, %v", got, err)
	}
}

// failedOnce is an account that is due and was refused.
func failedOnce(a *Account) {
	due(DueManual)(a)
	a.Backoff = &protocol.Backoff{Failures: 1, NotBefore: t0.Add(time.Hour), LastError: hint.Plain("stopped")}
}

// carryOut does what an order wants of every account of a list, and returns how many accounts that are, without the skipped ones.
func (c *Core) carryOut(ctx context.Context, order Order, list []Ordered) (int, error) {
	count := 0
	for n := range list {
		skip, err := c.CarryOut(ctx, order, &list[n])
		if err != nil {
			return count, err
		}
		if skip == "" {
			count += list[n].Accounts
		}
	}
	return count, nil
}

// rotateConnection is an order over a connection, carried out at once.
func (c *Core) rotateConnection(ctx context.Context, connection string) (int, error) {
	list, err := c.OrderConnection(ctx, connection)
	if err != nil {
		return 0, err
	}
	return c.carryOut(ctx, Order{Reason: DueManual, Given: c.Now()}, list)
}
