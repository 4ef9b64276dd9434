package contract

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// cleanChecks are about methods that clean up behind themselves.
var cleanChecks = []check{
	{"a record is not removed while its operation runs", cleanedEarly},
	{"a removed record is no outcome", cleaned},
}

// clean asks for the removal of the record of a reset, which is to have that outcome. Each request waits for the limiter.
func (s *scene) clean(t *testing.T, c cloud.ResetCleaner, ref cloud.ResetRef, want cloud.Kind) {
	t.Helper()
	mark, waits := s.mark(), s.limiter.total()
	if err := c.CleanReset(t.Context(), ref); cloud.KindOf(err) != want {
		t.Errorf("remove the record of %s: %v, want kind %q", ref.RequestID, err, want)
	}
	if asked := len(s.world.Log(mark)); s.limiter.total()-waits != asked {
		t.Errorf("removing a record took %d requests; the limiter was waited for %d times", asked, s.limiter.total()-waits)
	}
}

// cleanedEarly asks for the removal of a record whose operation goes on: that would end it, or hide its outcome.
func cleanedEarly(t *testing.T, s *scene) {
	c, ok := s.method.(cloud.ResetCleaner)
	if !ok {
		return
	}
	r := s.reset(t, model.Linux)
	started := s.start(t, r)
	ref := cloud.ResetRef{InstanceID: r.InstanceIDs[0], RequestID: started.RequestID}
	s.clean(t, c, ref, cloud.NotReady)
	if got, _ := s.look(t, ref.InstanceID, ref.RequestID); got.State != cloud.OperationRunning || got.OperationID != ref.RequestID {
		t.Errorf("%+v, want running", got)
	}
	s.checkSucceeded(t, r, started)
}

// cleaned removes the record of a reset that has ended. What is gone says nothing, and removing it again is no error.
func cleaned(t *testing.T, s *scene) {
	c, ok := s.method.(cloud.ResetCleaner)
	if !ok {
		return
	}
	r := s.reset(t, model.Linux)
	started := s.start(t, r)
	s.checkSucceeded(t, r, started)
	other := s.resetOf(t, r.InstanceIDs[0])
	kept := s.start(t, other)
	s.settle()
	ref := cloud.ResetRef{InstanceID: r.InstanceIDs[0], RequestID: started.RequestID}
	for range 2 {
		s.clean(t, c, ref, "")
		if got, _ := s.look(t, ref.InstanceID, ref.RequestID, r.Password); got.State == cloud.OperationFailed ||
			got.State == cloud.OperationRunning {
			t.Errorf("a record that was removed is shown as %+v", got)
		}
	}
	s.checkSucceeded(t, other, kept)
}
