package contract

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// lostChecks are about methods with OwnIDs: what is found of a request by our own id of it, when its answer was lost.
var lostChecks = []check{
	{"a lost answer is found by its name", lostAnswer},
	{"a lost answer is found by its name on Windows", lostOnWindows},
	{"a lost refusal of the guest is found by its name", lostFailure},
	{"a name that the cloud does not show proves nothing", absent},
	{"a lost answer that is not visible yet", lostAndHidden},
	{"a look by name that fails is an error", failedLookByName},
	{"a permission that only finds lost answers may be missing", mayNotFind},
}

// lose sends a reset whose answer is lost on its way back. The references are what is left of it, from a machine whose
// clock is as far ahead as the cloud still takes requests from, but for a minute.
func (s *scene) lose(t *testing.T, r cloud.Reset) []cloud.ResetRef {
	t.Helper()
	lost, err := s.world.AddFault(model.Fault{Cloud: s.cloud, Action: s.logged, Kind: model.FaultDropAfter})
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Now().Add(s.method.ResetTraits().SignatureLifetime/2 - time.Minute)
	_, err = s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
	s.world.RemoveFault(lost)
	refs := make([]cloud.ResetRef, len(r.InstanceIDs))
	for i, id := range r.InstanceIDs {
		refs[i] = cloud.ResetRef{InstanceID: id, Name: r.Name, Sent: sent}
	}
	return refs
}

// find asks for the records of requests by their names.
func (s *scene) find(t *testing.T, refs []cloud.ResetRef, secrets ...string) []cloud.ResetRecord {
	t.Helper()
	mark, waits := s.mark(), s.limiter.total()
	records, err := s.method.ResetRecords(t.Context(), refs)
	if err != nil {
		t.Fatalf("records by name: %v", err)
	}
	if asked := len(s.world.Log(mark)); asked == 0 || s.limiter.total()-waits != asked {
		t.Errorf("looking by name took %d requests; the limiter was waited for %d times", asked, s.limiter.total()-waits)
	}
	if len(records) > len(refs) {
		t.Errorf("records of others: %+v", records)
	}
	out := make([]cloud.ResetRecord, len(refs))
	for i, ref := range refs {
		out[i] = records[ref.InstanceID]
		s.checkRecord(t, out[i], secrets...)
	}
	return out
}

// wantFound checks that a lost request is shown with its name, in a state, and as the latest look knew it.
func wantFound(t *testing.T, got cloud.ResetRecord, ref cloud.ResetRef, state cloud.OperationState) {
	t.Helper()
	if got.Name != ref.Name || got.State != state || got.OperationID == "" || ref.RequestID != "" && got.OperationID != ref.RequestID {
		t.Errorf("%+v, want %s under the name %s (%q)", got, state, ref.Name, ref.RequestID)
	}
}

// lostAnswer looks for a request with others before and after it, for as many instances as the method takes together.
func lostAnswer(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	for range min(s.method.ResetTraits().BatchSize, 7) - 1 {
		r.InstanceIDs = append(r.InstanceIDs, s.server(t, model.Linux))
	}
	before := s.resetOf(t, r.InstanceIDs[0])
	s.start(t, before)
	s.settle()
	r.Order = s.nextOrder()
	refs := s.lose(t, r)
	for i, got := range s.find(t, refs, r.Password) {
		wantFound(t, got, refs[i], cloud.OperationRunning)
		refs[i].RequestID = got.OperationID // from now on both are known
	}
	s.settle()
	for i, got := range s.find(t, refs, r.Password) {
		wantFound(t, got, refs[i], cloud.OperationSuccess)
		refs[i].RequestID = ""
	}
	after := s.start(t, r)
	for i, got := range s.find(t, refs, r.Password) {
		wantFound(t, got, refs[i], cloud.OperationSuccess)
		if got.OperationID == after.RequestID {
			t.Error("another request is shown under the name")
		}
	}
	s.checkSucceeded(t, r, after)
}

func lostOnWindows(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Windows)
	refs := s.lose(t, r)
	s.checkApplied(t, r, true)
	wantFound(t, s.find(t, refs, r.Password)[0], refs[0], cloud.OperationSuccess)
}

// lostFailure has the reset fail that nobody has heard of.
func lostFailure(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultFailedNotApplied, Message: "guest unwilling"})
	refs := s.lose(t, r)
	s.checkApplied(t, r, false)
	got := s.find(t, refs, r.Password)[0]
	wantFound(t, got, refs[0], cloud.OperationFailed)
	if got.Kind != "" {
		t.Errorf("%+v claims that nothing was changed", got)
	}
}

// absent asks for names that were never sent, to instances with other requests and without any.
func absent(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	untouched := s.server(t, model.Linux)
	if _, err := s.method.StartReset(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	s.settle()
	for name, ref := range map[string]cloud.ResetRef{
		"another name":      {InstanceID: r.InstanceIDs[0], Name: s.name()},
		"a part of a name":  {InstanceID: r.InstanceIDs[0], Name: r.Name[1:]},
		"another instance":  {InstanceID: untouched, Name: r.Name},
		"before any sent":   {InstanceID: untouched, Name: s.name()},
		"sent long ago":     {InstanceID: untouched, Name: s.name(), Sent: time.Now().Add(-24 * time.Hour)},
		"sent by no clock":  {InstanceID: untouched, Name: s.name(), Sent: time.Now().Add(24 * time.Hour)},
		"names with hyphen": {InstanceID: r.InstanceIDs[0], Name: "a-" + strings.Repeat("0", 10)},
	} {
		if got := s.find(t, []cloud.ResetRef{ref}, r.Password)[0]; got != (cloud.ResetRecord{}) {
			t.Errorf("%s: %+v, want no record", name, got)
		}
	}
}

// lostAndHidden loses the answer of a request that the cloud does not show for a day.
func lostAndHidden(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultLagRecord, Delay: 24 * operationTime})
	refs := s.lose(t, r)
	for range 2 {
		if got := s.find(t, refs, r.Password)[0]; got != (cloud.ResetRecord{}) {
			t.Errorf("%+v of what is not shown, want no record", got)
		}
		s.settle()
	}
	s.checkApplied(t, r, true)
	s.world.Advance(24 * operationTime)
	wantFound(t, s.find(t, refs, r.Password)[0], refs[0], cloud.OperationSuccess)
}

// failedLookByName is failedLook for a request of which only the name is known.
func failedLookByName(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	refs := s.lose(t, r)
	s.settle()
	for kind, fault := range map[cloud.Kind]model.FaultKind{cloud.Throttled: model.FaultThrottle, cloud.Unknown: model.FaultDropBefore} {
		id, err := s.world.AddFault(model.Fault{Cloud: s.cloud, Kind: fault})
		if err != nil {
			t.Fatal(err)
		}
		records, err := s.method.ResetRecords(t.Context(), refs)
		s.wantKind(t, err, []cloud.Kind{kind}, r.Password)
		if len(records) != 0 {
			t.Errorf("an error and %+v", records)
		}
		s.world.RemoveFault(id)
	}
	wantFound(t, s.find(t, refs, r.Password)[0], refs[0], cloud.OperationSuccess)
}

// mayNotFind takes away what a look by name needs and a look by the request's id does not: the answer stays lost, and that is all.
func mayNotFind(t *testing.T, s *scene) {
	if !s.method.ResetTraits().OwnIDs {
		return
	}
	r := s.reset(t, model.Linux)
	refs := s.lose(t, r)
	s.settle()
	mark := s.mark()
	found := s.find(t, refs, r.Password)[0]
	byName := s.world.Log(mark)
	mark = s.mark()
	s.look(t, refs[0].InstanceID, found.OperationID, r.Password)
	byID := s.world.Log(mark)
	user, ok := s.world.User(s.cloud, s.creds.UserID)
	if !ok {
		t.Fatalf("no user %q", s.creds.UserID)
	}
	for _, e := range byName {
		if !slices.ContainsFunc(byID, func(other model.Entry) bool { return other.Action == e.Action }) {
			user.Deny = append(user.Deny, "*:"+e.Action)
		}
	}
	if len(user.Deny) == 0 {
		return
	}
	s.world.AddUser(user)
	if got := s.find(t, refs, r.Password)[0]; got != (cloud.ResetRecord{}) {
		t.Errorf("without %q: %+v, want no record", user.Deny, got)
	}
}
