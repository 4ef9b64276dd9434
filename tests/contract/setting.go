package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// settingChecks are about resets that work.
var settingChecks = []check{
	{"a reset sets the password on Linux", func(t *testing.T, s *scene) { sets(t, s, model.Linux) }},
	{"a reset sets the password on Windows", func(t *testing.T, s *scene) { onWindows(t, s, sets) }},
	{"the password travels once to Linux and stays nowhere", func(t *testing.T, s *scene) { travels(t, s, model.Linux) }},
	{"the password travels once to Windows and stays nowhere", func(t *testing.T, s *scene) { onWindows(t, s, travels) }},
	{"a running server is stopped only where the descriptor says so", stops},
	{"a reset may be repeated while it goes on", overlaps},
	{"resets of several instances are told apart", several},
	{"resets at the same time", together},
}

// onWindows runs a check on a Windows server, or, where there is no way to set passwords there, sees that it is refused.
func onWindows(t *testing.T, s *scene, run func(*testing.T, *scene, string)) {
	if !s.subject.LinuxOnly {
		run(t, s, model.Windows)
		return
	}
	id := s.server(t, model.Windows)
	found, err := s.provider.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d instances, %v", len(found), err)
	}
	mark := s.mark()
	r := cloud.Reset{InstanceIDs: []string{id}, Username: "Administrator", Platform: found[0].Platform, Password: oldPassword + "0",
		Order: s.nextOrder(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
	s.wantKind(t, s.method.(cloud.ResetChecker).CheckReset(found[0], r.Username), []cloud.Kind{cloud.Refused})
	_, err = s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, []cloud.Kind{cloud.Refused}, r.Password)
	if p, ok := s.method.(cloud.ResetPreparer); ok {
		_, err = p.PrepareReset(t.Context(), r)
		s.wantKind(t, err, []cloud.Kind{cloud.Refused})
	}
	if n := len(s.world.Log(mark)); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// checkSucceeded lets a reset end, and checks that its own record says so.
func (s *scene) checkSucceeded(t *testing.T, r cloud.Reset, started cloud.ResetStarted) {
	t.Helper()
	s.settle()
	for _, id := range r.InstanceIDs {
		if !s.has(id, r.Username, r.Password) {
			t.Errorf("the password is not set on %s", id)
		}
		if started.Done {
			continue
		}
		if got, _ := s.look(t, id, started.RequestID, r.Password); got != (cloud.ResetRecord{OperationID: started.RequestID,
			State: cloud.OperationSuccess}) {
			t.Errorf("record after the reset: %+v, want success under %s", got, started.RequestID)
		}
	}
}

func sets(t *testing.T, s *scene, platform string) {
	id := s.server(t, platform)
	if got, ok := s.look(t, id, ""); !ok || got != (cloud.ResetRecord{}) {
		t.Errorf("record of an untouched instance: %+v, %t", got, ok)
	}
	r := s.resetOf(t, id)
	started := s.start(t, r)
	if !started.Done {
		if got, _ := s.look(t, id, started.RequestID); got != (cloud.ResetRecord{OperationID: started.RequestID, State: cloud.OperationRunning}) {
			t.Errorf("record of an accepted reset: %+v, want running under %s", got, started.RequestID)
		}
		if s.applied(r) {
			t.Error("the simulator was too fast for this test")
		}
	}
	s.checkSucceeded(t, r, started)
	s.checkLogin(t, id, r.Username, r.Password, oldPassword)
	if got, ok := s.look(t, id, ""); !ok || got.State != cloud.OperationNone && got.OperationID != started.RequestID {
		t.Errorf("latest operation: %+v, %t; want that of the reset, or none", got, ok)
	}

	again := s.start(t, r)
	if !again.Done && again.RequestID == started.RequestID {
		t.Error("two requests have one id")
	}
	s.checkSucceeded(t, r, again)
	s.checkLogin(t, id, r.Username, r.Password, oldPassword)
}

// travels counts the requests of a reset, and looks for its password in everything that the cloud keeps.
func travels(t *testing.T, s *scene, platform string) {
	r := s.reset(t, platform)
	mark, waits, took := s.mark(), s.limiter.total(), len(s.limiter.since(0))
	started := s.start(t, r)
	log := s.world.Log(mark)
	if len(log) != 1 || log[0].Action != s.logged {
		t.Errorf("a reset sent %+v, want one %s", log, s.logged)
	}
	if told := s.limiter.since(took); !slices.Equal(told, []measured{{s.action, nil}}) {
		t.Errorf("the meter was told of %+v, want one %s", told, s.action)
	}
	if n := s.limiter.total() - waits; n != 0 {
		t.Errorf("the limiter was waited for %d times; the caller has done that", n)
	}
	s.checkSucceeded(t, r, started)

	mark, waits, took = s.mark(), s.limiter.total(), len(s.limiter.since(0))
	s.look(t, r.InstanceIDs[0], "")
	s.look(t, r.InstanceIDs[0], started.RequestID)
	log = s.world.Log(mark)
	if s.subject.Direct {
		s.checkSilent(t, mark, waits, took)
	} else if told := len(s.limiter.since(took)); len(log) == 0 || s.limiter.total()-waits != len(log) || told != len(log) {
		t.Errorf("looking at records took %d requests; the limiter was waited for %d times, and told of %d", len(log), s.limiter.total()-waits,
			told)
	}

	for _, e := range s.world.Log(0) {
		if s.subject.Method == cloud.MethodAPI && e.Action == s.logged {
			continue // that is how it travels, and the simulator's log is no part of the cloud
		}
		s.holdsNone(t, fmt.Sprint(e.Params, e.Password), r.Password)
	}
	history, err := json.Marshal(s.world.Invocations(nil))
	if err != nil {
		t.Fatal(err)
	}
	if s.subject.Method == cloud.MethodCommand && string(history) == "[]" {
		t.Error("the simulator keeps no commands")
	}
	s.holdsNone(t, string(history), r.Password)
}

// stops looks at the server in steps of a reset.
func stops(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	started := s.start(t, r)
	stopped := false
	for range 60 {
		server, _ := s.world.Server(r.InstanceIDs[0])
		stopped = stopped || server.State != model.StateRunning
		s.world.Advance(operationTime / 60)
	}
	if method, _ := s.subject.Descriptor.ResetMethod(s.subject.Method); stopped != method.MayStop {
		t.Errorf("the server was stopped: %t, the descriptor says %t", stopped, method.MayStop)
	}
	s.checkSucceeded(t, r, started)
}

// overlaps sends the same reset while the first one goes on: where the traits say Serial the cloud refuses
// it for certain, elsewhere both end well.
func overlaps(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	var first cloud.ResetStarted
	if s.subject.Synchronous {
		s.fault(t, model.Fault{Kind: model.FaultStuck, Count: 1})
		_, err := s.method.StartReset(t.Context(), r)
		s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
	} else {
		first = s.start(t, r)
	}
	second, err := s.method.StartReset(t.Context(), r)
	if s.method.ResetTraits().Serial {
		s.wantKind(t, err, []cloud.Kind{cloud.Refused}, r.Password)
	} else if err != nil {
		t.Fatalf("a second reset: %v", err)
	}
	if s.subject.Synchronous {
		if _, err := s.world.Release(r.InstanceIDs[0]); err != nil {
			t.Fatal(err)
		}
		s.checkApplied(t, r, true)
		return
	}
	s.checkSucceeded(t, r, first)
	if err == nil {
		s.checkSucceeded(t, r, second)
	}
}

// several resets instances by one request where the method takes them together, else by one each, and asks
// for all records at once.
func several(t *testing.T, s *scene) {
	traits := s.method.ResetTraits()
	r := s.reset(t, model.Linux)
	var refs []cloud.ResetRef
	var resets []cloud.Reset
	if traits.BatchSize > 1 {
		for range min(traits.BatchSize, 12) - 1 {
			r.InstanceIDs = append(r.InstanceIDs, s.server(t, model.Linux))
		}
		resets = append(resets, r)
	}
	resets = append(resets, s.reset(t, model.Linux), s.reset(t, model.Linux))
	// One of them fails, and no other.
	broken := resets[len(resets)-1].InstanceIDs[0]
	for _, r := range resets {
		if r.InstanceIDs[0] == broken && s.subject.Synchronous {
			continue // it has no record
		}
		if r.InstanceIDs[0] == broken {
			s.fault(t, model.Fault{Kind: model.FaultFailedNotApplied, Instance: broken})
		}
		mark := s.mark()
		started := s.start(t, r)
		if n := s.sent(mark); n != 1 {
			t.Errorf("%d requests for %d instances", n, len(r.InstanceIDs))
		}
		for _, id := range r.InstanceIDs {
			refs = append(refs, cloud.ResetRef{InstanceID: id, RequestID: started.RequestID})
		}
	}
	s.settle()
	records, err := s.method.ResetRecords(t.Context(), refs)
	if err != nil || len(records) != len(refs) {
		t.Fatalf("%d records of %d, %v", len(records), len(refs), err)
	}
	for _, r := range resets {
		for _, id := range r.InstanceIDs {
			if s.has(id, r.Username, r.Password) == (id == broken) {
				t.Errorf("password of %s set: %t", id, id == broken)
			}
		}
	}
	if s.subject.Synchronous {
		return
	}
	for _, ref := range refs {
		want := cloud.OperationSuccess
		if ref.InstanceID == broken {
			want = cloud.OperationFailed
		}
		if got := records[ref.InstanceID]; got.State != want || got.OperationID != ref.RequestID {
			t.Errorf("%+v: %+v, want %s", ref, got, want)
		}
	}
}

// together uses one provider from several goroutines, each with a server of its own.
func together(t *testing.T, s *scene) {
	resets := make([]cloud.Reset, 4)
	for i := range resets {
		resets[i] = s.reset(t, model.Linux)
	}
	started := make([]cloud.ResetStarted, len(resets))
	all := func(do func(i int) error) {
		var group sync.WaitGroup
		for i := range resets {
			group.Go(func() {
				if err := do(i); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	all(func(i int) (err error) {
		started[i], err = s.method.StartReset(t.Context(), resets[i])
		return err
	})
	s.settle()
	all(func(i int) error {
		id := resets[i].InstanceIDs[0]
		records, err := s.method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: started[i].RequestID}})
		if got := records[id]; err == nil && !started[i].Done &&
			(got.State != cloud.OperationSuccess || got.OperationID != started[i].RequestID) {
			err = fmt.Errorf("record of %s: %+v", id, got)
		}
		return err
	})
	for _, r := range resets {
		s.checkApplied(t, r, true)
	}
}
