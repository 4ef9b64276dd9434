package rotation

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Checker implements cloud.PasswordCheckers.
func (p *simProvider) Checker(method string) cloud.PasswordChecker {
	if method != simCheckMethod && method != simLoginMethod {
		return nil
	}
	return simChecker{p, method == simLoginMethod, false}
}

// login is the check method that goes to the server itself, which the connection has beside its provider.
func (p *simProvider) login() cloud.PasswordChecker { return simChecker{p, true, true} }

// Check methods of the model cloud: one compares with every password, one tries a single one by a login. cloud.CheckSSH does that
// too, but asks no cloud.
const (
	simCheckMethod = "look"
	simLoginMethod = "login"
)

// A login of the model cloud has so much distance to the next one, and may be made so late.
const (
	simTryInterval = 10 * time.Minute
	simLongestTry  = 5 * time.Minute
)

// simChecker looks at a server some time after it was asked to, and answers some time after that.
type simChecker struct {
	*simProvider
	tries, direct bool
}

// CheckTraits implements cloud.PasswordChecker.
func (p simChecker) CheckTraits(cloud.Platform) cloud.CheckTraits {
	if p.tries {
		return cloud.CheckTraits{Action: "check", Interval: simTryInterval, Tries: true, LongestTry: simLongestTry,
			Experimental: !p.direct, Direct: p.direct}
	}
	return cloud.CheckTraits{Action: "check", Interval: time.Minute}
}

// mayTry checks I21 for a password that leaves this process.
func (p simChecker) mayTry(check cloud.PasswordCheck) {
	w, id := p.n.w, ID{Connection: p.connection, InstanceID: check.InstanceID, Username: check.Username}
	if len(check.Values) != 1 {
		w.violation("I21", "%d passwords are tried on %s", len(check.Values), id)
		return
	}
	a := w.record(id)
	if a == nil {
		return // it was forgotten meanwhile
	}
	// The engine's own time of day lets no jump of the wall clock count at once.
	held := a.Checked().NotBefore
	if left := max(held.Sub(w.now()), time.Until(held)); left < simTryInterval {
		w.violation("I21", "a password is tried on %s, and another one may be in %s", id, left)
	}
}

// CanCheck implements cloud.PasswordChecker.
func (simChecker) CanCheck(i cloud.Instance, _ string) error {
	if i.Platform == cloud.Windows {
		return cloud.Errorf(cloud.Refused, "no server with Windows can be looked at")
	}
	return nil
}

// CheckPassword implements cloud.PasswordChecker. It is two crash points, and may fail, be late, or tell wrongly that the server
// has another password.
func (p simChecker) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	w, id := p.n.w, check.InstanceID
	nothing := cloud.NotCompared("")
	if p.tries {
		p.mayTry(check)
	}
	if err := p.call(ctx, "check", id, func(*simCloud) error { return nil }); err != nil {
		nothing.Tried = p.tries && !cloud.KindOf(err).CertainlyNothingDone()
		return nothing, err
	}
	nothing.Tried = p.tries
	if err := w.lag(ctx, id); err != nil {
		return nothing, err
	}
	has, state, gone := "", cloud.UserUsable, false
	w.cloud.locked(func() {
		s := w.cloud.user(id, check.Username)
		has, state, gone = s.password, s.login, s.gone
		s.seen = append(s.seen, has)
		if p.tries {
			s.tried = append(s.tried, time.Now())
		}
	})
	if gone {
		return nothing, cloud.Errorf(cloud.NotFound, "no such instance")
	}
	if err := w.lag(ctx, id); err != nil {
		return nothing, err
	}
	if err := p.call(ctx, "finding", id, func(*simCloud) error { return nil }); err != nil {
		return nothing, err
	}
	found := cloud.PasswordFinding{Match: slices.Index(check.Values, has), State: state, Tried: p.tries}
	if w.fault("wrong check", id, w.odds().refuse/2) {
		found.Match = cloud.NoMatch
	}
	w.tracef("node %d sees value %d of %d on %s, which had %s", p.n.id, found.Match, len(check.Values), id, has)
	return found, nil
}

// lag is how long a check's command, or its outcome, is on its way.
func (w *world) lag(ctx context.Context, id string) error {
	takes := w.duration("check takes", id, 3*time.Second)
	if w.fault("late check", id, w.odds().late) {
		takes = w.duration("check late by", id, 2*time.Minute)
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return simUnknown("check")
	}
}

// randomChecks draws whether and how an account is checked.
func randomChecks(r *rand.Rand, s *Settings) {
	if r.IntN(3) == 0 {
		return
	}
	s.CheckMethod = simCheckMethod
	if r.IntN(2) == 0 {
		s.VerifyPeriod = time.Duration(10+r.IntN(40)) * time.Minute
		if s.VerifyPeriod%(2*time.Minute) == 0 {
			s.CheckMethod = simLoginMethod
		}
	}
	actions := []protocol.DriftAction{"", protocol.DriftReport, protocol.DriftRestore, protocol.DriftRotate}
	action := r.IntN(len(actions))
	s.DriftAction = actions[action]
	if s.VerifyPeriod == 0 && action == 3 || s.VerifyPeriod > 0 && s.VerifyPeriod%(3*time.Minute) == 0 {
		s.CheckMethod = cloud.CheckSSH
	}
}

// verify is an operator's word to look at a server.
func (w *world) verify(ctx context.Context, draw *rand.Rand, id ID) {
	actions := []protocol.DriftAction{"", protocol.DriftRestore, protocol.DriftRotate}
	_, err := w.node.core.Verify(w.client(ctx), id, actions[draw.IntN(len(actions))], 0)
	w.tracef("%s is to be checked: %v", id.InstanceID, err)
}

// drift has a server changed by hand, or restored from a snapshot, without a word to Vault.
func (w *world) drift(draw *rand.Rand, id ID) {
	a := w.record(id)
	if a == nil || a.Settings.CheckMethod == "" || len(a.Versions) == 0 {
		return
	}
	value := fmt.Sprintf("drifted-%d", draw.Uint32())
	if draw.IntN(2) == 0 {
		value = a.Versions[draw.IntN(len(a.Versions))].Password
	}
	w.byHand(id, value)
}

// checkVerified checks I19 for a change of an account's record.
func (w *world) checkVerified(before, after *Account) {
	if before == nil || after == nil || after.Checked().Time.Equal(before.Checked().Time) {
		return
	}
	open := openAttempts(after)
	for _, id := range openAttempts(before) {
		if !slices.Contains(open, id) {
			w.violation("I19", "a check has closed attempt %s of %s: %s", id, after.ID, describe(after))
		}
	}
	if after.LastVersion > before.LastVersion {
		var seen []string
		w.cloud.locked(func() { seen = slices.Clone(w.cloud.of(after.ID).seen) })
		if value := after.Current().Password; !slices.Contains(seen, value) {
			w.violation("I19", "a check has made %s current, which it has not seen on %s", value, after.ID)
		}
	}
	if before.Due == nil && after.Due != nil && after.Due.Reason == protocol.DueDrifted {
		w.expect(after.ID)
	}
}

func openAttempts(a *Account) (ids []string) {
	all := slices.Clone(a.OldUnresolved)
	if a.Pending != nil {
		all = append(all, a.Pending.Attempts...)
	}
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	return ids
}

// verified plays a history of one account that is checked, without faults, and returns what is known of it at the end.
func verified(t *testing.T, s Settings, play func(ctx context.Context, w *world, id ID)) (view *View, resets int) {
	t.Helper()
	s.CheckMethod = cmp.Or(s.CheckMethod, simCheckMethod)
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, 1, overlappingMethod, odds{})
		w.faulty.Store(true)
		w.start()
		id := w.bind(s)
		w.ensureBound(ctx)
		play(ctx, w, id)
		var err error
		if view, err = w.node.core.Inspect(ctx, id); err != nil || view == nil {
			t.Fatal(err)
		}
		resets = len(w.cloud.allValues(id.InstanceID))
		w.node.core.Stop()
		if len(w.violations()) > 0 {
			w.fail(t, "checks")
		}
	})
	return view, resets
}

func (w *world) mustVerify(ctx context.Context, id ID, action protocol.DriftAction) *View {
	v, err := w.node.core.Verify(ctx, id, action, 2*time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestACheckSettlesABrakedAccountWithoutAReset: the cloud reports under ids that never match, and the server has the password.
func TestACheckSettlesABrakedAccountWithoutAReset(t *testing.T) {
	view, resets := verified(t, leasedSettings(), func(ctx context.Context, w *world, id ID) {
		w.cloud.locked(func() { w.cloud.lies = lies{otherID: true} })
		w.read(ctx, id, 0)
		pass(20 * time.Minute)
	})
	is(t, "state", view.State, "ready")
	is(t, "resets", resets, protocol.MaxUnshown)
	if v := view.Versions[0]; !v.Change.Checked || v.Change.Attempts != protocol.MaxUnshown || !v.Confirmed {
		t.Errorf("%+v", v)
	}
}

// TestChecksFindWhatWasChangedByHand: the role's period leads to the check, and its action to what is done.
func TestChecksFindWhatWasChangedByHand(t *testing.T) {
	for _, c := range []struct {
		action  protocol.DriftAction
		older   bool // the server is set back to its first version
		result  protocol.CheckResult
		version int // the one that the check saw
		resets  int
		current int
		drifted bool
	}{
		{"", false, protocol.CheckDiffers, 0, 2, 2, true},
		{protocol.DriftReport, true, protocol.CheckOlder, 1, 2, 2, true},
		{protocol.DriftRestore, true, protocol.CheckMatches, 3, 2, 3, false},
		{protocol.DriftRestore, false, protocol.CheckDiffers, 0, 2, 2, true},
		{protocol.DriftRotate, false, protocol.CheckMatches, 3, 3, 3, false},
		{protocol.DriftRotate, true, protocol.CheckMatches, 3, 3, 3, false},
	} {
		s := staticSettings()
		s.VerifyPeriod, s.DriftAction = 30*time.Minute, c.action
		view, resets := verified(t, s, func(ctx context.Context, w *world, id ID) {
			w.manual(ctx, id, time.Minute)
			first := w.record(id).Current().Password
			w.manual(ctx, id, time.Minute)
			pass(31 * time.Minute)
			is(t, "it is right", w.record(id).Checked().Result, protocol.CheckMatches)
			value := "by hand"
			if c.older {
				value = first
			}
			w.byHand(id, value)
			pass(65 * time.Minute)
			_, err := w.node.core.Read(ctx, id, Reader{}, 0)
			if c.drifted != (err != nil && strings.Contains(err.Error(), "when it was checked at")) {
				t.Errorf("%+v: a reader is told %v", c, err)
			}
		})
		is(t, "result", view.Check.Result, c.result)
		is(t, "version", view.Check.Version, c.version)
		is(t, "resets", resets, c.resets)
		is(t, "current", view.Versions[len(view.Versions)-1].Number, c.current)
		is(t, "drifted", view.Drifted, c.drifted)
	}
}

// TestChecksTellOfTheUser: nothing is done about a user whom somebody has locked.
func TestChecksTellOfTheUser(t *testing.T) {
	s := staticSettings()
	s.DriftAction = protocol.DriftRotate
	view, resets := verified(t, s, func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		w.cloud.locked(func() { w.cloud.of(id).login = cloud.UserLocked })
		w.mustVerify(ctx, id, "")
		pass(10 * time.Minute)
	})
	is(t, "result", view.Check.Result, protocol.CheckLocked)
	is(t, "resets", resets, 1)
	is(t, "drifted", view.Drifted, false)
}

// TestARotationDoesNotWaitForACheck: the agent of a server that is looked at does not answer.
func TestARotationDoesNotWaitForACheck(t *testing.T) {
	verified(t, staticSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		w.trouble.Store(&odds{late: 1})
		began := time.Now()
		_, _ = w.node.core.Verify(ctx, id, "", 0)
		pass(5 * time.Second)
		w.trouble.Store(&odds{})
		w.manual(ctx, id, time.Minute)
		is(t, "version", w.record(id).LastVersion, 2)
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestChecksKeepToTheirPace: an account that is asked about again and again is looked at once in a minute.
func TestChecksKeepToTheirPace(t *testing.T) {
	verified(t, staticSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		for range 100 {
			_, _ = w.node.core.Verify(ctx, id, "", 0)
			pass(6 * time.Second)
		}
		looks := 0
		w.cloud.locked(func() { looks = len(w.cloud.of(id).seen) })
		if looks < 8 || looks > 11 {
			t.Errorf("%d looks in 10 minutes", looks)
		}
	})
}

// TestAnOrderedCheckOutlivesThrottling: what was asked for is done when the cloud has time for it again.
func TestAnOrderedCheckOutlivesThrottling(t *testing.T) {
	view, resets := verified(t, staticSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		w.byHand(id, "by hand")
		w.trouble.Store(&odds{refuse: 1})
		_, _ = w.node.core.Verify(ctx, id, protocol.DriftRotate, 0)
		pass(30 * time.Second)
		c := w.record(id).Checked()
		is(t, "result", c.Result, protocol.CheckUnknown)
		if c.Asked.IsZero() || !strings.Contains(c.Reason.String(), "slow down") {
			t.Errorf("%+v", c)
		}
		w.trouble.Store(&odds{})
		pass(10 * time.Minute)
		is(t, "what it was ordered for", w.record(id).Checked().Asked.IsZero(), true)
	})
	is(t, "resets", resets, 2)
	is(t, "version", view.Versions[len(view.Versions)-1].Number, 2)
}

// TestWhatCannotBeCheckedSaysWhy, once as an answer and once as a result.
func TestWhatCannotBeCheckedSaysWhy(t *testing.T) {
	view, _ := verified(t, staticSettings(), func(ctx context.Context, w *world, id ID) {
		if _, err := w.node.core.Verify(ctx, id, "", 0); err == nil || !strings.Contains(err.Error(), "has no password yet") {
			t.Error(err)
		}
		w.manual(ctx, id, time.Minute)
		b := w.specs[0]
		b.Facts.Platform = cloud.Windows
		if _, err := w.node.core.Bind(ctx, b); err != nil {
			t.Fatal(err)
		}
		w.mustVerify(ctx, id, "")
	})
	is(t, "result", view.Check.Result, protocol.CheckUnknown)
	if !strings.Contains(view.Check.Reason.String(), "no server with Windows can be looked at") {
		t.Error(view.Check.Reason)
	}
}

// TestOrderChecks asks for the checks of a connection, and says which accounts of a role cannot be checked.
func TestOrderChecks(t *testing.T) {
	verified(t, staticSettings(), func(ctx context.Context, w *world, id ID) {
		s := staticSettings()
		other := w.bindUser(ID{Connection: simConnection, InstanceID: "i-9", Username: "root"}, "other", s)
		w.ensureBound(ctx)
		w.manual(ctx, id, time.Minute)
		w.manual(ctx, other, time.Minute)
		core := w.node.core
		list, not, err := core.OrderChecks(ctx, simConnection, "")
		if err != nil || len(list) != 1 || not != 1 {
			t.Fatalf("%v, %d, %v", list, not, err)
		}
		order := Order{Check: true, Action: protocol.DriftRotate, Given: core.Now()}
		if n, err := core.carryOut(ctx, order, list); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if list, not, err = core.OrderChecks(ctx, simConnection, "other"); err != nil || len(list) != 0 || not != 1 {
			t.Errorf("%v, %d, %v", list, not, err)
		}
		pass(2 * time.Minute)
		is(t, "result", w.record(id).Checked().Result, protocol.CheckMatches)
	})
}

// loginSettings are those of a static account that is checked by logins.
func loginSettings() Settings {
	s := staticSettings()
	s.CheckMethod = simLoginMethod
	return s
}

// TestTriesKeepTheirDistanceOverCrashes: however often a check is asked for, and whatever becomes of the process meanwhile.
func TestTriesKeepTheirDistanceOverCrashes(t *testing.T) {
	verified(t, loginSettings(), func(ctx context.Context, w *world, id ID) {
		w.manual(ctx, id, time.Minute)
		w.byHand(id, "by hand")
		refused := 0
		for i := range 240 {
			if i%40 == 7 { // now and then while a try is under way
				w.node.core.Stop()
				w.start()
				w.ensureBound(ctx)
			}
			_, err := w.node.core.Verify(ctx, id, "", 0)
			if err != nil && strings.Contains(err.Error(), "is left alone until") {
				refused++
			}
			pass(time.Duration(1+i%20) * time.Second)
		}
		var tried []time.Time
		w.cloud.locked(func() { tried = slices.Clone(w.cloud.of(id).tried) })
		for i := range len(tried) - 1 {
			if gap := tried[i+1].Sub(tried[i]); gap < simTryInterval {
				t.Errorf("%s between two tries", gap)
			}
		}
		if len(tried) < 2 || refused < 100 {
			t.Errorf("%d tries, %d refusals", len(tried), refused)
		}
		is(t, "result", w.record(id).Checked().Result, protocol.CheckDiffers)
	})
}

// TestATryWithoutAnAnswerHoldsTheNextOneBackForLonger: the server may make it late. One that certainly was not made does not.
func TestATryWithoutAnAnswerHoldsTheNextOneBackForLonger(t *testing.T) {
	for _, c := range []struct {
		trouble odds
		until   time.Duration
	}{
		{odds{lost: 4}, simLongestTry + simTryInterval},
		{odds{refuse: 1}, 0},
	} {
		verified(t, loginSettings(), func(ctx context.Context, w *world, id ID) {
			w.manual(ctx, id, time.Minute)
			trouble := c.trouble
			w.trouble.Store(&trouble)
			began := w.now()
			_, _ = w.node.core.Verify(ctx, id, "", time.Minute)
			w.trouble.Store(&odds{})
			k := w.record(id).Checked()
			is(t, "result", k.Result, protocol.CheckUnknown)
			held := k.NotBefore.Sub(began)
			if c.until == 0 && !k.NotBefore.IsZero() || c.until > 0 && (held < c.until || held > c.until+time.Minute) {
				t.Errorf("%+v: it is held for %s", c.trouble, held)
			}
		})
	}
}

// TestATrySettlesABrakedAccountWithoutAReset: the one password that is tried is the value on its way.
func TestATrySettlesABrakedAccountWithoutAReset(t *testing.T) {
	s := leasedSettings()
	s.CheckMethod = simLoginMethod
	view, resets := verified(t, s, func(ctx context.Context, w *world, id ID) {
		w.cloud.locked(func() { w.cloud.lies = lies{otherID: true} })
		w.read(ctx, id, 0)
		pass(40 * time.Minute)
	})
	is(t, "state", view.State, "ready")
	is(t, "resets", resets, protocol.MaxUnshown)
	is(t, "by a check", view.Versions[0].Change.Checked, true)
}

// TestADriftedPasswordFoundByATryIsRotated, and cannot be restored: no other password is tried.
func TestADriftedPasswordFoundByATryIsRotated(t *testing.T) {
	for action, want := range map[protocol.DriftAction]int{protocol.DriftRestore: 2, protocol.DriftRotate: 3} {
		s := loginSettings()
		s.DriftAction = action
		view, _ := verified(t, s, func(ctx context.Context, w *world, id ID) {
			w.manual(ctx, id, time.Minute)
			first := w.record(id).Current().Password
			w.manual(ctx, id, time.Minute)
			w.byHand(id, first)
			_, _ = w.node.core.Verify(ctx, id, "", 0)
			pass(10 * time.Minute)
		})
		is(t, string(action), view.Versions[len(view.Versions)-1].Number, want)
		is(t, "drifted", view.Drifted, action == protocol.DriftRestore)
	}
}
