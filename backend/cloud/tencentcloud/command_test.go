package tencentcloud

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

const testInvocation = "inv-hrsi4bnr"

// method is the reset method over a provider's commands, with what tests look at of that.
type method struct {
	*provider
	guest.Resetter
}

func methodOf(p *provider) method { return method{p, guest.Resetter{Service: command{p}}} }

func testCommand(t *testing.T, f *fakeCloud) method {
	t.Helper()
	cfg := testConfig(t, f.URL)
	cfg.Endpoints["tat"] = f.URL
	return methodOf(newTestProvider(t, cfg))
}

func linuxReset(ids ...string) cloud.Reset {
	return cloud.Reset{InstanceIDs: ids, Username: "root", Password: testPassword, Platform: cloud.Linux,
		Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

func TestCommandIsOneRequest(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		reply(w, map[string]any{"CommandId": "cmd-7pzdh2if", "InvocationId": testInvocation})
	})
	c := testCommand(t, f)
	if prepared, err := c.PrepareReset(t.Context(), linuxReset("ins-r8hr2upy")); prepared != "" || err != nil || len(f.seen()) != 0 {
		t.Errorf("Linux was prepared: %q, %v", prepared, err)
	}
	started, err := c.Resetter.StartReset(t.Context(), linuxReset("ins-r8hr2upy", "ins-5d8a23rs"))
	if err != nil || started != (cloud.ResetStarted{RequestID: testInvocation}) {
		t.Fatalf("%+v, %v", started, err)
	}
	seen := f.seen()
	if len(seen) != 1 {
		t.Fatalf("%d requests", len(seen))
	}
	body := seen[0].body
	content, err := base64.StdEncoding.DecodeString(body["Content"].(string))
	if err != nil || !strings.Contains(string(content), "\nuser='root'\n") {
		t.Errorf("content %q, %v", content, err)
	}
	delete(body, "Content")
	want := map[string]any{
		"InstanceIds": []any{"ins-r8hr2upy", "ins-5d8a23rs"}, "CommandName": "cloudpw", "CommandType": "SHELL", "Username": "root",
		"Timeout": 120.0, "SaveCommand": false,
	}
	if !reflect.DeepEqual(body, want) || seen[0].header.Get("X-TC-Version") != "2020-10-28" {
		t.Errorf("sent %v, want %v", body, want)
	}
	if strings.Contains(text.Line(string(content), 8000, testPassword), "[redacted]") {
		t.Error("the script holds the password")
	}
	if n := c.limiter.(*contract.CountLimiter).Count("RunCommand"); n != 0 {
		t.Errorf("the limiter was waited for %d times; the caller has done that", n)
	}
}

func TestCommandRefusesBadInputUnsent(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, map[string]any{}) })
	c := testCommand(t, f)
	for name, tc := range map[string]struct {
		change func(*cloud.Reset)
		kind   cloud.Kind
	}{
		"username":         {func(r *cloud.Reset) { r.Username = "x;reboot" }, cloud.Refused},
		"unknown platform": {func(r *cloud.Reset) { r.Platform = "" }, cloud.Refused},
		"unprepared":       {func(r *cloud.Reset) { r.Platform = cloud.Windows }, cloud.Refused},
		"prepared oddly":   {func(r *cloud.Reset) { r.Platform, r.Prepared = cloud.Windows, "AQAB AQ==" }, cloud.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			reset := linuxReset("ins-r8hr2upy")
			tc.change(&reset)
			_, err := c.Resetter.StartReset(t.Context(), reset)
			wantKind(t, err, tc.kind)
		})
	}
	bare := methodOf(newTestProvider(t, testConfig(t, f.URL))) // endpoints.cvm alone
	_, err := bare.Resetter.StartReset(t.Context(), linuxReset("ins-r8hr2upy"))
	if e := errorOfKind(t, err, cloud.Refused); !strings.Contains(e.Error(), "endpoints.tat") {
		t.Errorf("%v", e)
	}
	for name, i := range map[string]cloud.Instance{"unknown platform": {}, "user of digits": {Platform: cloud.Linux}} {
		if err := c.CheckReset(i, "1000"); err == nil {
			t.Errorf("%s: a role may be written", name)
		}
	}
	if err := c.CheckReset(cloud.Instance{Platform: cloud.Windows}, "Administrator"); err != nil {
		t.Error(err)
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("%d requests sent", n)
	}
}

func TestCommandWithUnusableAnswers(t *testing.T) {
	for name, answer := range map[string]map[string]any{
		"no invocation": {}, "of no type": {"InvocationId": 7}, "of no form": {"InvocationId": "../" + testPassword},
	} {
		f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, answer) })
		_, err := testCommand(t, f).Resetter.StartReset(t.Context(), linuxReset("ins-r8hr2upy"))
		t.Log(name)
		wantKind(t, err, cloud.Unknown)
	}
	// A cloud that repeats what it was sent.
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, body map[string]any) {
		fail(w, "InvalidParameterValue.InvalidContent", "You sent "+body["Content"].(string))
	})
	_, err := testCommand(t, f).Resetter.StartReset(t.Context(), linuxReset("ins-r8hr2upy"))
	if e := errorOfKind(t, err, cloud.Refused); !strings.HasSuffix(e.Message, "You sent [redacted]") {
		t.Errorf("%v", e)
	}
}

// TestTaskRecords has TAT show a task in every state.
func TestTaskRecords(t *testing.T) {
	const done = "cloudpw: exit 0 password set\n"
	for _, tc := range []struct {
		status, kind string
		code         int
		output       string
		reason       string
		want         cloud.ResetRecord
	}{
		{status: "PENDING", want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "DELIVERING", want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "DELIVER_DELAYED", want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "RUNNING", output: done, want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "CANCELLING", want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "SOMETHING_NEW", output: done, want: cloud.ResetRecord{State: cloud.OperationRunning}},
		{status: "SUCCESS", output: done, want: cloud.ResetRecord{State: cloud.OperationSuccess}},
		{status: "SUCCESS", output: "", want: cloud.ResetRecord{State: cloud.OperationFailed, Message: "without confirming"}},
		{status: "FAILED", code: 82, want: cloud.ResetRecord{State: cloud.OperationFailed, Kind: cloud.Refused, Message: "no such user"}},
		{status: "FAILED", code: 84, output: "chpasswd: full\n", want: cloud.ResetRecord{State: cloud.OperationFailed,
			Message: "chpasswd: full"}},
		{status: "FAILED", code: 95, kind: "POWERSHELL", want: cloud.ResetRecord{State: cloud.OperationFailed, Kind: cloud.PasswordRefused,
			Message: "password_policy"}},
		{status: "FAILED", code: 94, kind: "POWERSHELL", want: cloud.ResetRecord{State: cloud.OperationFailed, Kind: cloud.Refused,
			Message: "key pair"}},
		{status: "START_FAILED", reason: "DirectoryNotExists", want: cloud.ResetRecord{State: cloud.OperationFailed, Kind: cloud.Refused,
			Message: "DirectoryNotExists"}},
		{status: "START_FAILED", kind: "POWERSHELL", reason: testPassword, want: cloud.ResetRecord{State: cloud.OperationFailed,
			Kind: cloud.Refused, Message: "could not start"}},
		{status: "CANCELLED", output: done, want: cloud.ResetRecord{State: cloud.OperationFailed, Kind: cloud.Refused,
			Message: "cancelled before"}},
		{status: "DELIVER_FAILED", output: done, want: cloud.ResetRecord{State: cloud.OperationFailed, Message: "could not deliver"}},
		{status: "TIMEOUT", output: done, want: cloud.ResetRecord{State: cloud.OperationFailed, Message: "in time"}},
		{status: "TASK_TIMEOUT", output: done, want: cloud.ResetRecord{State: cloud.OperationFailed, Message: "did not report"}},
		{status: "TERMINATED", output: done, want: cloud.ResetRecord{State: cloud.OperationFailed, Message: "cancelled while"}},
	} {
		t.Run(fmt.Sprintf("%s %d", tc.status, tc.code), func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
				kind := tc.kind
				if kind == "" {
					kind = "SHELL"
				}
				shown := map[string]any{
					"InvocationId": testInvocation, "InstanceId": "ins-00000001", "TaskStatus": tc.status, "ErrorInfo": tc.reason,
					"CommandDocument": map[string]any{"CommandType": kind},
					"TaskResult":      map[string]any{"ExitCode": tc.code, "Output": base64.StdEncoding.EncodeToString([]byte(tc.output))},
				}
				reply(w, map[string]any{"TotalCount": 1,
					"InvocationTaskSet": []any{shown, map[string]any{"InvocationId": "inv-others00", "InstanceId": "ins-00000001",
						"TaskStatus": "SUCCESS"}, nil}})
			})
			got, err := testCommand(t, f).Resetter.ResetRecords(t.Context(),
				[]cloud.ResetRef{{InstanceID: "ins-00000001", RequestID: testInvocation}, {InstanceID: "ins-00000002", RequestID: testInvocation}})
			if err != nil {
				t.Fatal(err)
			}
			if hidden := got["ins-00000002"]; len(got) != 2 || hidden != (cloud.ResetRecord{}) {
				t.Errorf("an instance that is not shown: %+v", got)
			}
			r := got["ins-00000001"]
			if r.OperationID != testInvocation || r.State != tc.want.State || r.Kind != tc.want.Kind || r.Gone ||
				!strings.Contains(r.Message, tc.want.Message) || (r.Message == "") != (tc.want.Message == "") {
				t.Errorf("got %+v, want %+v", r, tc.want)
			}
			if strings.Contains(r.Message, testPassword) || r.Message != "" && !strings.Contains(r.Message, testInvocation) {
				t.Errorf("message %q", r.Message)
			}
		})
	}
}

// TestTasksAreReadInPages asks for six commands, one of them on 230 instances.
func TestTasksAreReadInPages(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, body map[string]any) {
		values := body["Filters"].([]any)[0].(map[string]any)["Values"].([]any)
		if len(values) > 5 || body["HideOutput"] != false || body["Limit"] != 100.0 {
			fail(w, "InvalidParameterValue.InvalidFilter", "too many")
			return
		}
		var all []any
		for _, v := range values {
			n := 1
			if v == "inv-00000000" {
				n = 230
			}
			for i := range n {
				all = append(all, map[string]any{"InvocationId": v, "InstanceId": fmt.Sprintf("ins-%08d", i), "TaskStatus": "RUNNING"})
			}
		}
		from := int(body["Offset"].(float64))
		reply(w, map[string]any{"TotalCount": len(all), "InvocationTaskSet": all[min(from, len(all)):min(from+100, len(all))]})
	})
	c := testCommand(t, f)
	var ids []string
	for i := range 6 {
		ids = append(ids, fmt.Sprintf("inv-%08d", i))
	}
	tasks, err := command{c.provider}.tasks(t.Context(), ids)
	if err != nil || len(tasks) != 235 || len(f.seen()) != 4 {
		t.Errorf("%d tasks by %d requests, %v", len(tasks), len(f.seen()), err)
	}
}

func TestCommandTraits(t *testing.T) {
	traits := methodOf(newTestProvider(t, testConfig(t, ""))).Resetter.ResetTraits()
	if traits.Action != "RunCommand" || traits.BatchSize != 100 || traits.PollBatch != 5 || traits.Serial ||
		traits.LongestOperation > 10*time.Minute || !traits.KeepsOrder || !traits.OwnIDs {
		t.Errorf("%+v", traits)
	}
	if traits.SignatureLifetime < 2*timestampWindow || traits.VisibilityGrace <= traits.PollInterval {
		t.Errorf("%+v", traits)
	}
}

// start sends a reset by command in the simulator.
func (s *simulated) start(t *testing.T, id, user, secret string) (method, cloud.ResetStarted, error) {
	t.Helper()
	c := methodOf(s.provider)
	found, err := s.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d instances, %v", len(found), err)
	}
	started, err := c.Resetter.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{id}, Username: user, Password: secret,
		Platform: found[0].Platform, Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)})
	return c, started, err
}

// recordOf asks for the record of a command on an instance.
func recordOf(t *testing.T, c method, id, invocation string) (cloud.ResetRecord, bool) {
	t.Helper()
	records, err := c.Resetter.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: invocation}})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := records[id]
	return r, ok
}

func TestSimCommandOnWindows(t *testing.T) {
	s := newSimulated(t, model.Options{OperationTime: time.Millisecond})
	id := s.add(t, model.Server{Platform: model.Windows})
	user, secret := s.fresh(t, id)
	c := methodOf(s.provider)
	reset := cloud.Reset{InstanceIDs: []string{id}, Username: user, Platform: cloud.Windows,
		Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
	set := func() (cloud.ResetRecord, bool) {
		t.Helper()
		reset.Password = secret
		started, err := c.Resetter.StartReset(t.Context(), reset)
		if err != nil {
			t.Fatal(err)
		}
		s.world.Advance(time.Minute)
		r, ok := recordOf(t, c, id, started.RequestID)
		return r, ok
	}
	prepare := func() {
		t.Helper()
		var err error
		if reset.Prepared, err = c.PrepareReset(t.Context(), reset); err != nil || reset.Prepared == "" {
			t.Fatalf("%q, %v", reset.Prepared, err)
		}
	}
	prepare()
	if n := c.limiter.(*contract.CountLimiter).Count("RunCommand"); n != 1 {
		t.Errorf("the limiter was waited for %d times by the preparation", n)
	}
	if r, _ := set(); r.State != cloud.OperationSuccess || !s.accepts(id, user, secret) {
		t.Errorf("%+v", r)
	}
	// The server is restored from an older disk: its key is gone.
	if err := s.world.DeleteGuestKey(id); err != nil {
		t.Fatal(err)
	}
	if r, _ := set(); r.State != cloud.OperationFailed || r.Kind != cloud.Refused {
		t.Errorf("with a key that the server has lost: %+v", r)
	}
	prepare()
	if r, _ := set(); r.State != cloud.OperationSuccess {
		t.Errorf("%+v", r)
	}
	if err := s.world.SetGuest(id, model.Guest{Conditions: guestos.Conditions{NotRoot: true}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PrepareReset(t.Context(), reset)
	if e := errorOfKind(t, err, cloud.Refused); !strings.Contains(e.Error(), "SYSTEM") {
		t.Errorf("%v", e)
	}
	for _, i := range s.world.Invocations(nil) {
		if strings.Contains(i.Text+i.Output, secret) {
			t.Error("the history holds the password")
		}
	}
	for _, e := range s.world.Log(0) {
		if strings.Contains(text.Line(fmt.Sprint(e.Params), 8000, secret), "[redacted]") {
			t.Errorf("%s holds the password", e.Action)
		}
	}
}

func TestSimCommandRefusals(t *testing.T) {
	s := newSimulated(t, model.Options{})
	secret := "New-Password-123"
	for name, tc := range map[string]struct {
		server model.Server
		kind   cloud.Kind
		code   string
	}{
		"stopped":  {model.Server{State: model.StateStopped}, cloud.Refused, "ResourceUnavailable.InstanceStateNotRunning"},
		"no agent": {model.Server{Guest: model.Guest{Agent: model.AgentAbsent}}, cloud.Refused, "ResourceUnavailable.AgentNotInstalled"},
		"offline":  {model.Server{Guest: model.Guest{Agent: model.AgentOffline}}, cloud.Refused, "ResourceUnavailable.AgentStatusNotOnline"},
		"mislabeled": {model.Server{Platform: model.Windows, OSName: "CentOS"}, cloud.Refused,
			"InvalidParameterValue.AgentUnsupportedCommandType"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := s.start(t, s.add(t, tc.server), "root", secret)
			if e := errorOfKind(t, err, tc.kind); e.Code != tc.code || e.RequestID == "" {
				t.Errorf("%v, want %s", e, tc.code)
			}
		})
	}
	_, err := methodOf(s.provider).Resetter.StartReset(t.Context(), linuxReset("ins-zzzzzzzz"))
	wantFailure(t, err, cloud.NotFound, "ResourceNotFound.InstanceNotFound", "region")
	if _, err := s.world.Deny(model.TencentCloud, testAccessKey, []string{"tat:RunCommand"}); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.start(t, s.add(t, model.Server{}), "root", secret)
	wantFailure(t, err, cloud.Denied, "UnauthorizedOperation", "tat:RunCommand")
}

// TestSimCommandFailures plays what can go wrong after a command was accepted.
func TestSimCommandFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   model.Fault
		guest   model.Guest
		user    string
		after   time.Duration
		state   cloud.OperationState
		kind    cloud.Kind
		applied bool
	}{
		"no such user":   {user: "nobody", state: cloud.OperationFailed, kind: cloud.Refused},
		"chpasswd fails": {guest: model.Guest{Conditions: guestos.Conditions{ChpasswdFails: true}}, state: cloud.OperationFailed},
		"stuck":          {fault: model.Fault{Kind: model.FaultStuck}, state: cloud.OperationFailed}, // TIMEOUT
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, model.Options{OperationTime: time.Minute})
			id := s.add(t, model.Server{Guest: tc.guest})
			if tc.fault.Kind != "" {
				tc.fault.Action = "RunCommand"
				s.fault(t, tc.fault)
			}
			user := tc.user
			if user == "" {
				user = "root"
			}
			c, started, err := s.start(t, id, user, "New-Password-123")
			if err != nil {
				t.Fatal(err)
			}
			s.world.Advance(time.Hour)
			if r, ok := recordOf(t, c, id, started.RequestID); !ok || r.State != tc.state || r.Kind != tc.kind {
				t.Errorf("%+v", r)
			}
			if got := s.accepts(id, "root", "New-Password-123"); got != tc.applied {
				t.Errorf("applied: %t, want %t", got, tc.applied)
			}
		})
	}
}

// TestSimCommandForAGroup sets one password on several servers by one request.
func TestSimCommandForAGroup(t *testing.T) {
	s := newSimulated(t, model.Options{})
	var ids []string
	var refs []cloud.ResetRef
	for range 12 {
		ids = append(ids, s.add(t, model.Server{}))
	}
	if err := s.world.SetGuest(ids[3], model.Guest{Conditions: guestos.Conditions{NoChpasswd: true}}); err != nil {
		t.Fatal(err)
	}
	c := methodOf(s.provider)
	started, err := c.Resetter.StartReset(t.Context(), linuxReset(ids...))
	if err != nil {
		t.Fatal(err)
	}
	s.world.Advance(time.Hour)
	for _, id := range ids {
		refs = append(refs, cloud.ResetRef{InstanceID: id, RequestID: started.RequestID})
	}
	records, err := c.Resetter.ResetRecords(t.Context(), refs)
	if err != nil || len(records) != len(ids) {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, id := range ids {
		if r := records[id]; (r.State == cloud.OperationSuccess) != (i != 3) || s.accepts(id, "root", testPassword) != (i != 3) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(s.signers("RunCommand")) != 1 {
		t.Error("it took more than one request")
	}
}
