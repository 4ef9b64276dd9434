package contract

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// orderChecks are about methods with KeepsOrder: the server itself refuses a value that is older than its own, and a change
// that it would begin too late.
var orderChecks = []check{
	{"an older value changes nothing on Linux", func(t *testing.T, s *scene) { older(t, s, model.Linux) }},
	{"an older value changes nothing on Windows", func(t *testing.T, s *scene) { onWindows(t, s, older) }},
	{"a late change is none on Linux", func(t *testing.T, s *scene) { tooLate(t, s, model.Linux) }},
	{"a late change is none on Windows", func(t *testing.T, s *scene) { onWindows(t, s, tooLate) }},
	{"a command that comes hours late changes nothing", func(t *testing.T, s *scene) { unasked(t, s, model.FaultLate) }},
	{"a command that is run again changes nothing", func(t *testing.T, s *scene) { unasked(t, s, model.FaultAgain) }},
	{"clocks that differ by less do not matter", nearClocks},
	{"a value without an order or a deadline is refused unsent", withoutOrder},
}

// checkIneffective sends a reset that the server is not to carry out. That proves nothing about its password, since an
// agent may have run the same command before: so the failure has no kind. order is the larger one that the server has, 0: none.
func (s *scene) checkIneffective(t *testing.T, r cloud.Reset, kept string, order int64) {
	t.Helper()
	id := r.InstanceIDs[0]
	started, err := s.method.StartReset(t.Context(), s.named(r))
	s.settle()
	if s.applied(r) || !s.has(id, r.Username, kept) {
		t.Error("the password was changed")
	}
	// What is over when it is answered is told by the answer, but for an order: an error has no place for that.
	if s.subject.Synchronous && order == 0 {
		s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
		return
	}
	if err != nil || started.Done || started.RequestID == "" {
		t.Fatalf("%+v, %v; want a request whose record has the order %d", started, err, order)
	}
	got, _ := s.look(t, id, started.RequestID, r.Password)
	if got.State != cloud.OperationFailed || got.OperationID != started.RequestID || got.Kind != "" || got.Order != order {
		t.Errorf("%+v, want a failure of %s that proves nothing, and the order %d", got, started.RequestID, order)
	}
}

// older sends a value after a newer one of the same account, as an agent would that runs a command late or again. The same
// value again is no older one.
func older(t *testing.T, s *scene, platform string) {
	if !s.method.ResetTraits().KeepsOrder {
		return
	}
	id := s.server(t, platform)
	first, second := s.resetOf(t, id), s.resetOf(t, id)
	s.checkSucceeded(t, first, s.start(t, first))
	for range 2 {
		s.checkSucceeded(t, second, s.start(t, second))
		s.checkIneffective(t, first, second.Password, second.Order)
	}
	third := s.resetOf(t, id)
	s.checkSucceeded(t, third, s.start(t, third))
	s.checkLogin(t, id, third.Username, third.Password, first.Password)
}

// tooLate has the server begin with a change past its deadline, where it has the password of an earlier one and where
// somebody has set one by hand since.
func tooLate(t *testing.T, s *scene, platform string) {
	if !s.method.ResetTraits().KeepsOrder {
		return
	}
	id := s.server(t, platform)
	first := s.resetOf(t, id)
	s.checkSucceeded(t, first, s.start(t, first))
	r := s.resetOf(t, id)
	if err := s.world.SetGuest(id, model.Guest{Conditions: guestos.Conditions{Clock: cloud.OrderDeadline + time.Minute}}); err != nil {
		t.Fatal(err)
	}
	s.checkIneffective(t, r, first.Password, 0)
	if err := s.world.SetLogin(id, first.Username, setByHand); err != nil {
		t.Fatal(err)
	}
	s.checkIneffective(t, r, setByHand, 0)
	if err := s.world.SetGuest(id, model.Guest{}); err != nil {
		t.Fatal(err)
	}
	s.checkSucceeded(t, r, s.start(t, r))
}

// unasked has the agent run a command hours after it was sent, although it has run it before or the cloud calls it ended. Until
// then the account got a newer value, or somebody set a password by hand.
func unasked(t *testing.T, s *scene, kind model.FaultKind) {
	if !s.method.ResetTraits().KeepsOrder {
		return
	}
	const delay = 5 * time.Hour
	for _, byHand := range []bool{false, true} {
		id := s.server(t, model.Linux)
		fault, err := s.world.AddFault(model.Fault{Cloud: s.cloud, Action: s.logged, Kind: kind, Delay: delay})
		if err != nil {
			t.Fatal(err)
		}
		first := s.resetOf(t, id)
		if s.subject.Synchronous && kind == model.FaultLate {
			_, err := s.method.StartReset(t.Context(), first)
			s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, first.Password)
		} else {
			s.start(t, first)
		}
		s.world.RemoveFault(fault)
		s.settle()
		user, kept := first.Username, setByHand
		if byHand {
			err = s.world.SetLogin(id, user, kept)
		} else {
			second := s.resetOf(t, id)
			s.checkSucceeded(t, second, s.start(t, second))
			kept = second.Password
		}
		if err != nil {
			t.Fatal(err)
		}
		s.world.Advance(2 * delay)
		runs := s.world.Invocations(func(i model.Invocation) bool { return i.ServerID == id })
		// A cloud that waits for the agent for as long as it takes never calls the command ended before it is run.
		inTheEnd := kind == model.FaultLate && runs[0].Started.Sub(runs[0].Queued) >= delay && runs[0].Applied.IsZero()
		if last := len(runs[0].Unreported); !inTheEnd && (last != 1 || runs[0].Unreported[0].Applied) {
			t.Errorf("by hand %t: the command was run %d times unasked: %+v", byHand, last, runs[0].Unreported)
		}
		if s.applied(first) || !s.has(id, user, kept) {
			t.Errorf("by hand %t: the password was changed", byHand)
		}
	}
}

// nearClocks has the server's clock ahead by half of the time to begin, and behind by what the traits say of it.
func nearClocks(t *testing.T, s *scene) {
	traits := s.method.ResetTraits()
	if !traits.KeepsOrder {
		return
	}
	for _, off := range []time.Duration{cloud.OrderDeadline / 2, -traits.LongestOperation} {
		id := s.server(t, model.Linux)
		if err := s.world.SetGuest(id, model.Guest{Conditions: guestos.Conditions{Clock: off}}); err != nil {
			t.Fatal(err)
		}
		r := s.resetOf(t, id)
		s.checkSucceeded(t, r, s.start(t, r))
	}
}

func withoutOrder(t *testing.T, s *scene) {
	if !s.method.ResetTraits().KeepsOrder {
		return
	}
	good := s.reset(t, model.Linux)
	for name, change := range map[string]func(*cloud.Reset){
		"an order below all": func(r *cloud.Reset) { r.Order = -1 },
		"no deadline":        func(r *cloud.Reset) { r.NotAfter = time.Time{} },
	} {
		r := good
		change(&r)
		mark := s.mark()
		_, err := s.method.StartReset(t.Context(), r)
		s.wantKind(t, err, []cloud.Kind{cloud.Refused}, r.Password)
		if n := len(s.world.Log(mark)); n != 0 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	s.checkApplied(t, good, false)
}
