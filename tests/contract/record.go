package contract

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// recordChecks are about what the cloud shows of a reset that it accepted; a synchronous method says the
// same in its answer.
var recordChecks = []check{
	{"failed and not applied", func(t *testing.T, s *scene) { fails(t, s, model.FaultFailedNotApplied, false) }},
	{"failed although applied", func(t *testing.T, s *scene) { fails(t, s, model.FaultFailedApplied, true) }},
	{"a failure stays one when another reset succeeds", failsBeforeAnother},
	{"stuck", stuck},
	{"applied late", late},
	{"overwritten by somebody else", overwritten},
	{"not visible yet", hidden},
	{"a look that fails is an error", failedLook},
}

// fails lets the operation fail. Only where the password certainly did not change may the record say so.
func fails(t *testing.T, s *scene, kind model.FaultKind, applied bool) {
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: kind, Message: "guest unwilling"})
	started, err := s.method.StartReset(t.Context(), r)
	if s.subject.Synchronous {
		s.checkDoubtful(t, err, r, applied)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.checkApplied(t, r, applied)
	got, _ := s.look(t, r.InstanceIDs[0], started.RequestID, r.Password)
	if got.State != cloud.OperationFailed || got.OperationID != started.RequestID {
		t.Errorf("%+v, want a failure of %s", got, started.RequestID)
	}
	// What the guest said does not tell the two cases apart.
	if got.Kind != "" {
		t.Errorf("%+v claims that nothing was changed", got)
	}
	if got, ok := s.look(t, r.InstanceIDs[0], "", r.Password); !ok || got.State != cloud.OperationNone &&
		(got.OperationID != started.RequestID || got.State != cloud.OperationFailed) {
		t.Errorf("latest operation: %+v, %t; want the failed one, or none", got, ok)
	}
}

// checkDoubtful checks the answer of a synchronous method which does not tell whether the password was set.
func (s *scene) checkDoubtful(t *testing.T, err error, r cloud.Reset, applied bool) {
	t.Helper()
	s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
	s.checkApplied(t, r, applied)
}

// failsBeforeAnother has a reset fail and a later one succeed: the first must not seem to be a success.
func failsBeforeAnother(t *testing.T, s *scene) {
	failed := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultFailedNotApplied, Count: 1})
	first, err := s.method.StartReset(t.Context(), failed)
	if (err != nil) != s.subject.Synchronous {
		t.Fatal(err)
	}
	s.settle()
	next := s.resetOf(t, failed.InstanceIDs[0])
	s.checkSucceeded(t, next, s.start(t, next))
	if s.applied(failed) || s.subject.Synchronous {
		return
	}
	if got, _ := s.look(t, failed.InstanceIDs[0], first.RequestID); got.State == cloud.OperationSuccess && got.OperationID == first.RequestID {
		t.Errorf("the failed reset is shown as %+v", got)
	}
}

// stuck is an operation that does not end until somebody sees to it.
func stuck(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultStuck, Count: 1})
	started, err := s.method.StartReset(t.Context(), r)
	if s.subject.Synchronous {
		s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
	} else {
		if err != nil {
			t.Fatal(err)
		}
		s.world.Advance(operationTime)
		if got, _ := s.look(t, r.InstanceIDs[0], started.RequestID); got != (cloud.ResetRecord{OperationID: started.RequestID,
			State: cloud.OperationRunning}) {
			t.Errorf("%+v, want running", got)
		}
	}
	if s.applied(r) {
		t.Fatal("a stuck reset was applied")
	}
	if released, err := s.world.Release(r.InstanceIDs[0]); !released || err != nil {
		t.Fatalf("released: %t, %v", released, err)
	}
	if s.subject.Synchronous {
		s.checkApplied(t, r, true)
		return
	}
	s.checkSucceeded(t, r, started)
}

// late is an operation that takes longer than usual.
func late(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultLateApply, Delay: operationTime / 60})
	started, err := s.method.StartReset(t.Context(), r)
	if s.subject.Synchronous {
		s.checkDoubtful(t, err, r, true)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.checkSucceeded(t, r, started)
}

// overwritten has somebody else's operation take the record when ours has ended. A cloud that keeps a record
// of each reset still shows ours; another one must not pass theirs off as ours.
func overwritten(t *testing.T, s *scene) {
	for name, kind := range map[string]model.FaultKind{"success": "", "failure": model.FaultFailedNotApplied} {
		if s.subject.Synchronous && kind != "" {
			continue // its answer has said it
		}
		r := s.reset(t, model.Linux)
		id := r.InstanceIDs[0]
		if kind != "" {
			s.fault(t, model.Fault{Kind: kind, Instance: id})
		}
		started := s.start(t, r)
		s.settle()
		if err := s.world.Overwrite(id, "RebootInstances"); err != nil {
			t.Fatal(err)
		}
		server, _ := s.world.Server(id)
		got, _ := s.look(t, id, started.RequestID, r.Password)
		switch want := map[bool]cloud.OperationState{true: cloud.OperationSuccess, false: cloud.OperationFailed}[kind == ""]; got.OperationID {
		case "":
		case started.RequestID:
			if got.State != want {
				t.Errorf("%s: ours is shown as %+v", name, got)
			}
		case server.Latest.RequestID:
		default:
			t.Errorf("%s: %+v is neither ours, %s, nor theirs, %s", name, got, started.RequestID, server.Latest.RequestID)
		}
	}
}

// hidden has the record lag behind, with another reset's success before it.
func hidden(t *testing.T, s *scene) {
	if s.subject.Synchronous {
		return
	}
	before := s.reset(t, model.Linux)
	id := before.InstanceIDs[0]
	earlier := s.start(t, before)
	s.settle()
	r := s.resetOf(t, id)
	s.fault(t, model.Fault{Kind: model.FaultLagRecord, Delay: 24 * operationTime})
	started := s.start(t, r)
	for _, request := range []string{started.RequestID, ""} {
		got, _ := s.look(t, id, request)
		if got.OperationID == started.RequestID || got.State != cloud.OperationNone && got.OperationID != earlier.RequestID {
			t.Errorf("%+v, want the earlier one, %s, or none", got, earlier.RequestID)
		}
	}
	s.checkApplied(t, r, true)
	if got, _ := s.look(t, id, started.RequestID); got.OperationID == started.RequestID {
		t.Error("the record does not lag in this test")
	}
	s.world.Advance(24 * operationTime)
	s.checkSucceeded(t, r, started)
}

// failedLook has the cloud not answer the question for the record: that says nothing about the reset.
func failedLook(t *testing.T, s *scene) {
	if s.subject.Direct {
		asksNobody(t, s)
		return
	}
	r := s.reset(t, model.Linux)
	started := s.start(t, r)
	s.settle()
	for kind, fault := range map[cloud.Kind]model.FaultKind{cloud.Throttled: model.FaultThrottle, cloud.Unknown: model.FaultDropBefore} {
		for _, request := range []string{started.RequestID, ""} {
			id, err := s.world.AddFault(model.Fault{Cloud: s.cloud, Kind: fault})
			if err != nil {
				t.Fatal(err)
			}
			records, err := s.method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: r.InstanceIDs[0], RequestID: request}})
			s.wantKind(t, err, []cloud.Kind{kind}, r.Password)
			if len(records) != 0 {
				t.Errorf("an error and %+v", records)
			}
			s.world.RemoveFault(id)
		}
	}
	s.checkSucceeded(t, r, started)
}
