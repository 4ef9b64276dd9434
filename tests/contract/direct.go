package contract

import (
	"context"
	"sync"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// directChecks are about methods that are Direct: what one server does counts for that server alone.
var directChecks = []check{
	{"a server that is away is that server's matter", away},
	{"a value is sent several times at once", atOnce},
}

// kind is what an error of that kind is where each server answers for itself: a refusal by the one server, since a connection that is
// called throttled or denied keeps waiting the accounts of all others.
func (s *scene) kind(k cloud.Kind) cloud.Kind {
	if s.subject.Direct && (k == cloud.Denied || k == cloud.Throttled) {
		return cloud.Refused
	}
	return k
}

// away has a server off, and another one on.
func away(t *testing.T, s *scene) {
	off, on := s.reset(t, model.Linux), s.reset(t, model.Linux)
	if err := s.world.SetState(off.InstanceIDs[0], model.StateStopped); err != nil {
		t.Fatal(err)
	}
	mark := s.mark()
	_, err := s.method.StartReset(t.Context(), off)
	s.checkUnsent(t, off, mark, err, cloud.Refused)
	s.checkApplied(t, off, false)
	s.checkSucceeded(t, on, s.start(t, on))
	if err := s.world.SetState(off.InstanceIDs[0], model.StateRunning); err != nil {
		t.Fatal(err)
	}
	s.checkSucceeded(t, off, s.start(t, off))
}

// atOnce sends one value to its server by several calls at the same time. All end well: nothing counts how many there are.
func atOnce(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if started, err := s.method.StartReset(t.Context(), r); err != nil || !started.Done {
				t.Errorf("%+v, %v", started, err)
			}
		})
	}
	all.Wait()
	s.checkApplied(t, r, true)
}

// asksNobody looks at a reset that has ended, while every question would go wrong: its answer was the outcome.
func asksNobody(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	started := s.start(t, r)
	if _, err := s.world.AddFault(model.Fault{Cloud: s.cloud, Kind: model.FaultDropBefore}); err != nil {
		t.Fatal(err)
	}
	mark, waits, took := s.mark(), s.limiter.total(), len(s.limiter.since(0))
	for _, request := range []string{started.RequestID, "", "never-sent"} {
		if got, ok := s.look(t, r.InstanceIDs[0], request, r.Password); !ok || got != (cloud.ResetRecord{}) {
			t.Errorf("%q: %+v, %t; want no record of a server that is there", request, got, ok)
		}
	}
	s.checkSilent(t, mark, waits, took)
}

// checkNotRun has a reset fail that may log in to its server, and runs nothing there. Where the server took too long, that is its matter.
func (s *scene) checkNotRun(ctx context.Context, t *testing.T, r cloud.Reset) {
	t.Helper()
	_, err := s.method.StartReset(ctx, r)
	s.wantKind(t, err, []cloud.Kind{cloud.Unavailable, cloud.Refused}, r.Password)
	if ran := s.world.Invocations(nil); len(ran) != 0 {
		t.Errorf("%+v was run", ran)
	}
	s.checkApplied(t, r, false)
}

// checkSilent checks that nothing was asked since then, and that nobody was told or waited for.
func (s *scene) checkSilent(t *testing.T, mark, waits, took int) {
	t.Helper()
	if asked, waited, told := len(s.world.Log(mark)), s.limiter.total()-waits, len(s.limiter.since(took)); asked+waited+told != 0 {
		t.Errorf("%d requests; the limiter was waited for %d times, and told of %d; want none", asked, waited, told)
	}
}
