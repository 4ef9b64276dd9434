package aws

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// ownID is an own id as the rotation core makes them.
const ownID = "0123456789abcdef0123456789abcdef"

// lost sends a reset whose answer is lost on its way back, and returns the reference that is left of it.
func (s *commanded) lost(t *testing.T, r cloud.Reset, name string) cloud.ResetRef {
	t.Helper()
	fault, err := s.world.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultDropAfter})
	if err != nil {
		t.Fatal(err)
	}
	r.Name = name
	ref := cloud.ResetRef{InstanceID: r.InstanceIDs[0], Name: name, Sent: time.Now()}
	if _, err := s.StartReset(t.Context(), r); cloud.KindOf(err) != cloud.Unknown {
		t.Fatalf("a lost answer: %v", err)
	}
	s.world.RemoveFault(fault)
	return ref
}

func (s *commanded) find(t *testing.T, ref cloud.ResetRef) cloud.ResetRecord {
	t.Helper()
	records, err := s.ResetRecords(t.Context(), []cloud.ResetRef{ref})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := records[ref.InstanceID]
	if !ok {
		t.Fatalf("no record of %s", ref.InstanceID)
	}
	return r
}

// A command whose answer was lost is found by our own id, among others of its instance, while it runs and when it has ended.
func TestLostCommandIsFoundByItsName(t *testing.T) {
	s := startCommanded(t)
	id := s.creds.Servers["linux-1"]
	before := s.reset(t, id)
	before.Name = strings.Repeat("f", 32)
	s.start(t, before)
	r := s.reset(t, id)
	ref := s.lost(t, r, ownID)
	s.start(t, s.reset(t, id))
	runs := s.world.Invocations(nil)
	want := runs[1].CommandID
	if got := s.find(t, ref); got != (cloud.ResetRecord{OperationID: want, Name: ownID, State: cloud.OperationRunning}) {
		t.Errorf("%+v, want %s running", got, want)
	}
	s.world.Advance(time.Hour)
	if got := s.find(t, ref); got != (cloud.ResetRecord{OperationID: want, Name: ownID, State: cloud.OperationSuccess}) {
		t.Errorf("%+v, want the success of %s", got, want)
	}
	// Once the id is known nothing is listed any more.
	listed := s.sent("ListCommandInvocations")
	ref.RequestID = want
	if got := s.find(t, ref); got.Name != ownID || got.OperationID != want || s.sent("ListCommandInvocations") != listed {
		t.Errorf("%+v after %d listings, %d before", got, s.sent("ListCommandInvocations"), listed)
	}
	last := ""
	for _, e := range s.world.Log(0) {
		if e.Action == "ListCommandInvocations" {
			last = e.Params["Filters"]
		}
	}
	if after := ref.Sent.Add(-requestLifetime).UTC().Format(time.RFC3339); !strings.Contains(last, after) {
		t.Errorf("listed with %s, want what was invoked after %s", last, after)
	}
}

// What cannot be found proves nothing: it is no record, and no error either.
func TestLostCommandThatIsNotFound(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *commanded, *cloud.ResetRef){
		"another name": func(_ *testing.T, _ *commanded, ref *cloud.ResetRef) { ref.Name = ownID[1:] },
		"no permission": func(t *testing.T, s *commanded, _ *cloud.ResetRef) {
			if _, err := s.world.Deny(model.AWS, s.creds.AccessKey, []string{"ssm:ListCommandInvocations"}); err != nil {
				t.Fatal(err)
			}
		},
		"too old":          func(_ *testing.T, _ *commanded, ref *cloud.ResetRef) { ref.Sent = ref.Sent.Add(2 * requestLifetime) },
		"another instance": func(_ *testing.T, s *commanded, ref *cloud.ResetRef) { ref.InstanceID = s.creds.Servers["windows-1"] },
		"an instance that Systems Manager does not take": func(t *testing.T, s *commanded, _ *cloud.ResetRef) {
			if _, err := s.world.AddFault(model.Fault{Action: "ListCommandInvocations", Kind: model.FaultRefuse, Code: codeUnreachable,
				Status: 400}); err != nil {
				t.Fatal(err)
			}
		},
		"a comment that somebody copied": func(t *testing.T, s *commanded, ref *cloud.ResetRef) {
			if _, err := s.ssm.sendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: sdk.String(shellDocument),
				InstanceIds: []string{ref.InstanceID}, Comment: sdk.String(comment(guest.SetPassword, ref.Name)),
				Parameters: map[string][]string{"commands": {"exit 0"}}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCommanded(t)
			ref := s.lost(t, s.reset(t, s.creds.Servers["linux-1"]), ownID)
			change(t, s, &ref)
			if got := s.find(t, ref); got != (cloud.ResetRecord{}) {
				t.Errorf("%+v, want no record", got)
			}
		})
	}
}

// A listing that fails says nothing, and is an error.
func TestListingOfCommandsFails(t *testing.T) {
	s := startCommanded(t)
	ref := s.lost(t, s.reset(t, s.creds.Servers["linux-1"]), ownID)
	for kind, fault := range map[cloud.Kind]model.FaultKind{cloud.Throttled: model.FaultThrottle, cloud.Unknown: model.FaultDropBefore} {
		id, err := s.world.AddFault(model.Fault{Action: "ListCommandInvocations", Kind: fault})
		if err != nil {
			t.Fatal(err)
		}
		if records, err := s.ResetRecords(t.Context(), []cloud.ResetRef{ref}); cloud.KindOf(err) != kind || len(records) > 0 {
			t.Errorf("%s: %+v, %v", fault, records, err)
		}
		s.world.RemoveFault(id)
	}
}

// The search reads page by page, and ends.
func TestLostCommandOnALaterPage(t *testing.T) {
	p := newTestProvider(t, testConfig(t, "https://ec2.example"))
	const id = "i-0123456789abcdef0"
	pages := 0
	fill := func(at, ours int) *ssm.ListCommandInvocationsOutput {
		out := &ssm.ListCommandInvocationsOutput{NextToken: sdk.String(fmt.Sprint(at))}
		for n := range maxListed {
			what := comment(guest.SetPassword, fmt.Sprintf("%032x", n))
			if at == ours && n == maxListed-1 {
				what = comment(guest.SetPassword, ownID)
			}
			out.CommandInvocations = append(out.CommandInvocations, types.CommandInvocation{InstanceId: sdk.String(id), Comment: &what,
				CommandId: sdk.String(fmt.Sprintf("%08x-0000-0000-0000-%012x", at, n))})
		}
		return out
	}
	for ours, want := range map[int]string{3: "00000003-0000-0000-0000-000000000031", maxListPages + 1: ""} {
		pages = 0
		p.ssm.listCommandInvocations = func(_ context.Context, in *ssm.ListCommandInvocationsInput, _ ...func(*ssm.Options)) (
			*ssm.ListCommandInvocationsOutput, error) {
			if got := sdk.ToString(in.NextToken); pages > 0 && got != fmt.Sprint(pages) || pages == 0 && got != "" {
				t.Errorf("page %d by token %q", pages+1, got)
			}
			pages++
			return fill(pages, ours), nil
		}
		got, err := command{p}.find(t.Context(), cloud.ResetRef{InstanceID: id, Name: ownID})
		if err != nil || got != want || pages != maxListPages {
			t.Errorf("%q after %d pages, %v; want %q", got, pages, err, want)
		}
	}
}

// Every comment fits, with any name that the contract allows.
func TestComments(t *testing.T) {
	for _, name := range []string{ownID, strings.Repeat("x", 64)} {
		if got := comment(guest.SetPassword, name); len(got) > maxComment || !strings.HasPrefix(got, commentPrefix) ||
			!strings.HasSuffix(got, " "+name) {
			t.Errorf("%q, of %d characters", got, len(got))
		}
	}
	for _, purpose := range []guest.Purpose{guest.SetPassword, guest.ShowKey, guest.LookAtPassword, guest.TryPassword, guest.TryPermission} {
		if got := comment(purpose, ""); got != commentPrefix+string(purpose) || len(got) > maxComment {
			t.Errorf("%q", got)
		}
	}
}
