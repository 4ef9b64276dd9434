package tencentcloud

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// ownID is an own id as the rotation core makes them.
const ownID = "0123456789abcdef0123456789abcdef"

// lost sends a reset whose answer is lost on its way back, and returns the references that are left of it.
func (s *simulated) lost(t *testing.T, c method, reset cloud.Reset) []cloud.ResetRef {
	t.Helper()
	fault, err := s.world.AddFault(model.Fault{Cloud: model.TencentCloud, Action: "RunCommand", Kind: model.FaultDropAfter})
	if err != nil {
		t.Fatal(err)
	}
	var refs []cloud.ResetRef
	for _, id := range reset.InstanceIDs {
		refs = append(refs, cloud.ResetRef{InstanceID: id, Name: reset.Name, Sent: time.Now()})
	}
	_, err = c.Resetter.StartReset(t.Context(), reset)
	wantKind(t, err, cloud.Unknown)
	s.world.RemoveFault(fault)
	return refs
}

// A command whose answer was lost is found by our own id on each of its instances, among others, while it runs and when it has
// ended.
func TestSimLostCommandIsFoundByItsName(t *testing.T) {
	s := newSimulated(t, model.Options{})
	c := methodOf(s.provider)
	var ids []string
	for range 7 {
		ids = append(ids, s.add(t, model.Server{}))
	}
	reset := linuxReset(ids...)
	for _, name := range []string{strings.Repeat("f", 32), ""} {
		reset.Name = name
		if _, err := c.Resetter.StartReset(t.Context(), reset); err != nil {
			t.Fatal(err)
		}
	}
	reset.Name = ownID
	refs := s.lost(t, c, reset)
	runs := s.world.Invocations(nil)
	want := runs[len(runs)-1].CommandID
	for _, state := range []cloud.OperationState{cloud.OperationRunning, cloud.OperationSuccess} {
		before := len(s.world.Log(0))
		records, err := c.Resetter.ResetRecords(t.Context(), refs)
		if err != nil || len(records) != len(ids) {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for id, got := range records {
			if got != (cloud.ResetRecord{OperationID: want, Name: ownID, State: state}) {
				t.Errorf("%s: %+v, want %s %s", id, got, want, state)
			}
		}
		if n := len(s.world.Log(0)) - before; n != 3 { // two batches of instances, one invocation
			t.Errorf("%d requests", n)
		}
		s.world.Advance(time.Hour)
	}
	// A name belongs to a reset however it was found.
	refs[0].RequestID = want
	records, err := c.Resetter.ResetRecords(t.Context(), refs[:1])
	if got := records[ids[0]]; err != nil || got.Name != ownID || got.OperationID != want || got.State != cloud.OperationSuccess {
		t.Errorf("by both ids: %+v, %v", got, err)
	}
}

// A script for Windows bears its name as well.
func TestSimLostCommandOnWindows(t *testing.T) {
	s := newSimulated(t, model.Options{OperationTime: time.Millisecond})
	id := s.add(t, model.Server{Platform: model.Windows})
	user, secret := s.fresh(t, id)
	c := methodOf(s.provider)
	reset := cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret, Platform: cloud.Windows, Name: ownID,
		Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
	var err error
	if reset.Prepared, err = c.PrepareReset(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	refs := s.lost(t, c, reset)
	s.world.Advance(time.Hour)
	records, err := c.Resetter.ResetRecords(t.Context(), refs)
	if got := records[id]; err != nil || got.State != cloud.OperationSuccess || got.Name != ownID || !s.accepts(id, user, secret) {
		t.Errorf("%+v, %v", got, err)
	}
}

// What cannot be found proves nothing: it is no record, and no error either.
func TestSimLostCommandThatIsNotFound(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *simulated, method, cloud.Reset, *cloud.ResetRef){
		"another name": func(_ *testing.T, _ *simulated, _ method, _ cloud.Reset, ref *cloud.ResetRef) { ref.Name = ownID[1:] },
		"another instance": func(t *testing.T, s *simulated, _ method, _ cloud.Reset, ref *cloud.ResetRef) {
			ref.InstanceID = s.add(t, model.Server{})
		},
		"a script that somebody copied": func(t *testing.T, _ *simulated, c method, reset cloud.Reset, _ *cloud.ResetRef) {
			if _, err := c.Resetter.StartReset(t.Context(), reset); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{})
			c := methodOf(s.provider)
			reset := linuxReset(s.add(t, model.Server{}))
			reset.Name = ownID
			refs := s.lost(t, c, reset)
			change(t, s, c, reset, &refs[0])
			records, err := c.Resetter.ResetRecords(t.Context(), refs)
			if got, ok := records[refs[0].InstanceID]; err != nil || !ok || got != (cloud.ResetRecord{}) {
				t.Errorf("%+v, %t, %v; want no record", got, ok, err)
			}
		})
	}
}

// listing plays TAT with many tasks of one instance, of which one bears a name. The oldest was created at the given time, and
// each other one a minute after the one before it.
func listing(t *testing.T, tasks, ours int, oldestFirst bool, oldest time.Time) *fakeCloud {
	t.Helper()
	return newFakeCloud(t, func(w http.ResponseWriter, _ string, body map[string]any) {
		limit, offset := int(body["Limit"].(float64)), int(body["Offset"].(float64))
		set := []any{}
		for n := offset; n < min(offset+limit, tasks); n++ {
			text, age := "exit 0\n", tasks-1-n
			if oldestFirst {
				age = n
			}
			if n == ours {
				text = guest.Script{Text: text}.Named(ownID).Text
			}
			set = append(set, map[string]any{
				"InvocationId": fmt.Sprintf("inv-%08d", n), "InstanceId": "ins-r8hr2upy", "TaskStatus": "RUNNING",
				"CreatedTime":     oldest.Add(time.Duration(age) * time.Minute).UTC().Format(time.RFC3339),
				"CommandDocument": map[string]any{"Content": base64.StdEncoding.EncodeToString([]byte(text))},
			})
		}
		reply(w, map[string]any{"TotalCount": tasks, "InvocationTaskSet": set})
	})
}

// The search reads page by page, and ends: where nothing older can be ours, or at its bound.
func TestSearchForALostCommandEnds(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		tasks, ours int
		oldestFirst bool
		oldest      time.Time
		want        string
		pages       int
	}{
		"one page":              {tasks: 3, ours: 1, oldest: now, want: "inv-00000001", pages: 1},
		"the third page":        {tasks: 110, ours: 100, oldest: now, want: "inv-00000100", pages: 3},
		"beyond the bound":      {tasks: 500, ours: 499, oldest: now, pages: maxFindPages},
		"newest first, too old": {tasks: 500, ours: 499, oldest: now.Add(-500 * time.Minute), pages: 1},
		"oldest first":          {tasks: 100, ours: 99, oldestFirst: true, oldest: now.Add(-100 * time.Minute), want: "inv-00000099", pages: 3},
		"at the bound of time": {tasks: 41, ours: 40, oldest: now.Add(-timestampWindow - clockSkew + time.Minute), want: "inv-00000040",
			pages: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := listing(t, tc.tasks, tc.ours, tc.oldestFirst, tc.oldest)
			ref := cloud.ResetRef{InstanceID: "ins-r8hr2upy", Name: ownID, Sent: now}
			found, err := command{testCommand(t, f).provider}.find(t.Context(), []cloud.ResetRef{ref})
			if err != nil || found[ref] != tc.want || len(f.seen()) != tc.pages {
				t.Errorf("%v after %d pages, %v; want %q after %d", found, len(f.seen()), err, tc.want, tc.pages)
			}
			for _, r := range f.seen() {
				if r.body["HideOutput"] != true {
					t.Errorf("outputs are asked for: %v", r.body)
				}
			}
		})
	}
}
