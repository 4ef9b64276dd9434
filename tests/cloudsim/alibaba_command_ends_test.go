package cloudsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// What becomes of a command that does not come to its own end.
func TestAlibabaCommandEnds(t *testing.T) {
	for name, c := range map[string]struct {
		params []string
		// before and during spoil the server before the command, and when it was accepted.
		before func(*testing.T, *alibabaEnv, string)
		during func(*testing.T, *alibabaEnv, string, string)
		fault  *model.Fault
		want   resultAnswer
	}{
		"agent silent": {
			before: func(t *testing.T, e *alibabaEnv, id string) {
				if err := e.sim.World().SetGuest(id, model.Guest{Agent: model.AgentOffline}); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Aborted", InvokeRecordStatus: "Failed", ErrorCode: "DeliveryTimeout",
				ErrorInfo: "the command delivery has been timeout"},
		},
		"too slow": {
			fault: &model.Fault{Kind: model.FaultStuck, Action: "RunCommand"},
			want: resultAnswer{InvocationStatus: "Timeout", InvokeRecordStatus: "Failed", ErrorCode: "ExecutionTimeout",
				ErrorInfo: "the command execution has been timeout", Repeats: 1},
		},
		"stopped before it began": {
			during: func(t *testing.T, e *alibabaEnv, id, invoke string) {
				if got := e.ecs(t, "StopInvocation", "InvokeId", invoke, "InstanceId.1", id); got.status != 200 {
					t.Fatalf("%s", got.body)
				}
			},
			want: resultAnswer{InvocationStatus: "Cancelled", InvokeRecordStatus: "Stopped"},
		},
		"released before it began": {
			during: func(t *testing.T, e *alibabaEnv, id, _ string) {
				if err := e.sim.World().Terminate(id); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Aborted", InvokeRecordStatus: "Failed", ErrorCode: "InstanceReleased",
				ErrorInfo: "the specified instance was released during task execution"},
		},
		"released while it ran": {
			during: func(t *testing.T, e *alibabaEnv, id, _ string) {
				e.sim.World().Advance(30 * time.Minute)
				if err := e.sim.World().Terminate(id); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Error", InvokeRecordStatus: "Failed", ErrorCode: "InstanceReleased",
				ErrorInfo: "the specified instance was released during task execution", Repeats: 1},
		},
		"no such user": {
			before: func(t *testing.T, e *alibabaEnv, id string) {
				if err := e.sim.World().RemoveLogin(id, "root"); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Failed", InvokeRecordStatus: "Finished", ErrorCode: "ExitCodeNonzero",
				ErrorInfo: "the command execution exit code is not zero", ExitCode: 82, Repeats: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			id := e.creds.Servers["linux-1"]
			if c.fault != nil {
				if _, err := e.sim.World().AddFault(*c.fault); err != nil {
					t.Fatal(err)
				}
			}
			if c.before != nil {
				c.before(t, e, id)
			}
			var run runAnswer
			e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
			if c.during != nil {
				c.during(t, e, id, run.InvokeId)
			}
			e.sim.World().Advance(3 * time.Hour)
			got := e.results(t, "InvokeId", run.InvokeId)[0]
			if got.FinishedTime == "" {
				t.Error("no FinishedTime")
			}
			got.InvokeId, got.CommandId, got.InstanceId, got.Output, got.StartTime, got.FinishedTime = "", "", "", "", "", ""
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAlibabaCommandOnWindows(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["windows-1"]
	script := guest.WindowsPrepare()
	var run runAnswer
	e.ecs(t, "RunCommand", "Type", "RunPowerShellScript", "CommandContent", script.Text, "InstanceId.1", id).into(t, &run)
	e.sim.World().Advance(time.Hour)
	got := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")[0]
	if got.InvocationStatus != "Success" || !strings.Contains(got.Output, "key") {
		t.Errorf("%+v", got)
	}
}

// Results come in pages, and an output is cut at 24 KB.
func TestAlibabaResultsInPages(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	var runs []string
	for range 23 {
		var run runAnswer
		e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
		runs = append(runs, run.InvokeId)
	}
	slices.Reverse(runs)
	seen, token := []string{}, ""
	for {
		var out resultsAnswer
		e.ecs(t, "DescribeInvocationResults", "MaxResults", "10", "NextToken", token).into(t, &out)
		for _, r := range out.Invocation.InvocationResults.InvocationResult {
			seen = append(seen, r.InvokeId)
		}
		if token = out.Invocation.NextToken; token == "" {
			break
		}
	}
	if !slices.Equal(seen, runs) {
		t.Errorf("%d results, want %d, the newest first", len(seen), len(runs))
	}
	if list := e.results(t, "InvokeId", "t-none"); len(list) != 0 {
		t.Errorf("%d results of an unknown id", len(list))
	}
	e.sim.World().Advance(29 * 24 * time.Hour)
	if list := e.results(t); len(list) != 0 {
		t.Errorf("%d results after four weeks", len(list))
	}
}

func TestAlibabaFaults(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{
		OperationTime: time.Hour, RateLimits: map[string]int{"alibabacloud:ecs:DescribeInvocations": 1},
	}})
	w, id := e.sim.World(), e.creds.Servers["linux-1"]
	fault := func(f model.Fault) {
		t.Helper()
		w.ClearFaults()
		f.Cloud, f.Service, f.Action, f.Instance, f.Count = model.AlibabaCloud, "ecs", "RunCommand", id, 1
		if _, err := w.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		fault  model.Fault
		status int
		code   string
	}{
		{model.Fault{Kind: model.FaultThrottle}, 400, "Throttling.User"},
		{model.Fault{Kind: model.FaultServerError}, 500, "InternalError"},
		{model.Fault{Kind: model.FaultRefuse, Code: "Forbidden.RiskControl", Status: 403}, 403, "Forbidden.RiskControl"},
	} {
		fault(c.fault)
		if got := e.ecs(t, "RunCommand", e.runParams(t, id)...); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q", c.fault.Kind, got.status, got.Code)
		}
	}
	fault(model.Fault{Kind: model.FaultLagRecord, Delay: time.Minute})
	var run runAnswer
	e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
	if list := e.results(t, "InvokeId", run.InvokeId); len(list) != 0 {
		t.Errorf("a record that lags is shown: %+v", list)
	}
	w.Advance(time.Hour)
	if list := e.results(t, "InvokeId", run.InvokeId); len(list) != 1 || list[0].InvocationStatus != "Success" {
		t.Errorf("%+v", list)
	}
	e.ecs(t, "DescribeInvocations")
	if got := e.ecs(t, "DescribeInvocations"); got.Code != "Throttling.User" {
		t.Errorf("faster than the limit: %q", got.Code)
	}
	// Another account sees nothing of it.
	other := w.AddAccount(model.Account{Cloud: model.AlibabaCloud, Name: "other", Regions: []string{e.creds.Region}})
	user := w.AddUser(model.User{Cloud: model.AlibabaCloud, Name: "other", AccountID: other.ID})
	stranger := e.as(w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: other.ID, UserID: user.ID}))
	if list := stranger.results(t); len(list) != 0 {
		t.Errorf("another account sees %d results", len(list))
	}
	if got := stranger.ecs(t, "RunCommand", e.runParams(t, id)...); got.Code != "InvalidInstance.NotFound" {
		t.Errorf("another account: %q", got.Code)
	}
}

func TestAlibabaAssistant(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	id, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	if err := e.sim.World().SetGuest(windows, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	var out struct {
		InstanceCloudAssistantStatusSet struct {
			InstanceCloudAssistantStatus []struct{ InstanceId, OSType, CloudAssistantStatus, CloudAssistantVersion string }
		}
	}
	e.ecs(t, "DescribeCloudAssistantStatus", "InstanceId.1", id, "InstanceId.2", windows, "InstanceId.3", "i-x").into(t, &out)
	got := map[string]string{}
	for _, s := range out.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus {
		got[s.InstanceId] = s.OSType + " " + s.CloudAssistantStatus
	}
	if len(got) != 2 || got[id] != "Linux true" || got[windows] != "Windows false" {
		t.Errorf("%v", got)
	}
}

// What an agent does behind the cloud's back does not show in the cloud's answers.
func TestAlibabaAgentFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault model.Fault
		// want is the record of the command, status and output; "" for none.
		status, output string
		unreported     int
	}{
		"runs late": {fault: model.Fault{Kind: model.FaultLate, Delay: 3 * time.Hour}, status: "Aborted", unreported: 1},
		"runs again": {fault: model.Fault{Kind: model.FaultAgain, Delay: time.Hour}, status: "Success", output: "cloudpw: exit 0 password set\n",
			unreported: 1},
		"says nothing":     {fault: model.Fault{Kind: model.FaultAgentSilent}, status: "Timeout"},
		"says little":      {fault: model.Fault{Kind: model.FaultOutputCut, Bytes: 7}, status: "Success", output: "cloudpw"},
		"record is lost":   {fault: model.Fault{Kind: model.FaultRecordLost}},
		"record lost late": {fault: model.Fault{Kind: model.FaultRecordLost, Delay: 2 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			w, id := e.sim.World(), e.creds.Servers["linux-1"]
			c.fault.Action = "RunCommand"
			if _, err := w.AddFault(c.fault); err != nil {
				t.Fatal(err)
			}
			var run runAnswer
			e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
			for range 8 { // in steps, as what an agent does counts from what it did before
				w.Advance(time.Hour)
			}
			list := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")
			switch {
			case c.status == "" && len(list) != 0:
				t.Errorf("%+v, want no record", list)
			case c.status != "" && (len(list) != 1 || list[0].InvocationStatus != c.status || list[0].Output != c.output):
				t.Errorf("%+v, want %s %q", list, c.status, c.output)
			}
			all := w.Invocations(nil)
			if len(all) != 1 || len(all[0].Unreported) != c.unreported {
				t.Errorf("%+v, want %d runs that the cloud knows nothing of", all, c.unreported)
			}
		})
	}
}
