package contract

import (
	"context"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// inputChecks are about what is never sent, and about instances that are not there.
var inputChecks = []check{
	{"bad input is refused unsent", badInput},
	{"too many instances are refused unsent", tooMany},
	{"a context that has ended sends nothing", ended},
	{"a stale request is not sent", stale},
	{"an unknown instance", unknownInstance},
	{"a gone instance", goneInstance},
	{"an unknown user of the guest", unknownUser},
}

func badInput(t *testing.T, s *scene) {
	good := s.reset(t, model.Linux)
	for name, c := range map[string]struct {
		change func(*cloud.Reset)
		kind   cloud.Kind
	}{
		"no instance":        {func(r *cloud.Reset) { r.InstanceIDs = nil }, cloud.Refused},
		"empty instance":     {func(r *cloud.Reset) { r.InstanceIDs = []string{""} }, cloud.Refused},
		"malformed instance": {func(r *cloud.Reset) { r.InstanceIDs = []string{"../x"} }, cloud.Refused},
		"no user":            {func(r *cloud.Reset) { r.Username = "" }, cloud.Refused},
		"no password":        {func(r *cloud.Reset) { r.Password = "" }, cloud.PasswordRefused},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			c.change(&r)
			mark := s.mark()
			_, err := s.method.StartReset(t.Context(), r)
			s.checkUnsent(t, r, mark, err, c.kind)
			if len(s.world.Log(mark)) != 0 {
				t.Error("something was sent")
			}
		})
	}
	mark := s.mark()
	_, err := s.method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "../x"}})
	s.wantKind(t, err, []cloud.Kind{cloud.Refused})
	if len(s.world.Log(mark)) != 0 {
		t.Error("something was asked about a malformed id")
	}
	s.checkApplied(t, good, false)
}

func tooMany(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	for range s.method.ResetTraits().BatchSize {
		r.InstanceIDs = append(r.InstanceIDs, s.server(t, model.Linux))
	}
	mark := s.mark()
	_, err := s.method.StartReset(t.Context(), r)
	s.checkUnsent(t, r, mark, err, cloud.Refused)
	s.checkApplied(t, r, false)
}

func ended(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.checkNotBegun(ctx, t, r)
}

func stale(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	ctx := cloud.WithSendDeadline(t.Context(), time.Now().Add(-time.Second))
	if s.subject.Direct {
		s.checkNotRun(ctx, t, r)
		return
	}
	s.checkNotBegun(ctx, t, r)
}

func (s *scene) checkNotBegun(ctx context.Context, t *testing.T, r cloud.Reset) {
	t.Helper()
	mark := s.mark()
	_, err := s.method.StartReset(ctx, r)
	s.checkUnsent(t, r, mark, err, cloud.Unavailable)
	s.checkApplied(t, r, false)
}

// unknownInstance asks for an instance that no record and no listing has, alone and in a batch.
func unknownInstance(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	known := r.InstanceIDs[0]
	unknown := s.server(t, model.Linux)
	if err := s.world.Remove(unknown); err != nil {
		t.Fatal(err)
	}
	r.InstanceIDs = []string{unknown}
	_, err := s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, certain, r.Password)
	if _, ok := s.look(t, unknown, ""); ok {
		t.Error("an unknown instance has a record")
	}
	records, err := s.method.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: unknown}, {InstanceID: known}})
	if _, ok := records[known]; err != nil || !ok || len(records) != 1 {
		t.Errorf("records %+v, %v; want that of the instance that exists", records, err)
	}
	r.InstanceIDs = []string{known}
	if s.method.ResetTraits().BatchSize > 1 {
		r.InstanceIDs = []string{known, unknown}
		_, err := s.method.StartReset(t.Context(), r)
		s.wantKind(t, err, certain, r.Password)
	}
	s.checkApplied(t, r, false)
}

// goneInstance terminates an instance, before and during a reset.
func goneInstance(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	id := r.InstanceIDs[0]
	if err := s.world.Terminate(id); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.look(t, id, ""); ok && !got.Gone {
		t.Errorf("record of a gone instance: %+v", got)
	}
	_, err := s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, certain, r.Password)
	if s.subject.Synchronous {
		return
	}
	for name, end := range map[string]func(string) error{"terminated": s.world.Terminate, "removed": s.world.Remove} {
		r := s.reset(t, model.Linux)
		started := s.start(t, r)
		if err := end(r.InstanceIDs[0]); err != nil {
			t.Fatal(err)
		}
		s.settle()
		if got, _ := s.look(t, r.InstanceIDs[0], started.RequestID, r.Password); got.State == cloud.OperationSuccess &&
			got.OperationID == started.RequestID {
			t.Errorf("%s during its reset: %+v", name, got)
		}
		if got, ok := s.look(t, r.InstanceIDs[0], ""); ok && !got.Gone {
			t.Errorf("%s during its reset: %+v, want it gone or left out", name, got)
		}
	}
}

// unknownUser resets a user that the guest does not have. Wherever that comes out, it is no success.
func unknownUser(t *testing.T, s *scene) {
	good := s.reset(t, model.Linux)
	r := good
	r.Username = "nobody-here"
	if err := s.prepare(t, &r); err != nil {
		s.wantKind(t, err, certain, r.Password)
		return
	}
	started, err := s.method.StartReset(t.Context(), r)
	s.settle()
	if err != nil {
		s.wantKind(t, err, append(certain, cloud.Unknown), r.Password)
	} else if got, _ := s.look(t, r.InstanceIDs[0], started.RequestID, r.Password); got.State != cloud.OperationFailed ||
		got.OperationID != started.RequestID {
		t.Errorf("%+v, want a failure", got)
	}
	s.checkApplied(t, good, false)
}
