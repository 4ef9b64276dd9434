package cloudsim_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// runParams are those of cloudpw's own script on a server.
func (e *alibabaEnv) runParams(t *testing.T, id string, more ...string) []string {
	t.Helper()
	script, err := guest.Linux(guest.Change{Username: "root", Secret: newPassword, Order: 1, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{
		"Type", "RunShellScript", "CommandContent", base64.StdEncoding.EncodeToString([]byte(script.Text)), "ContentEncoding", "Base64",
		"InstanceId.1", id, "Timeout", "120", "RepeatMode", "Once", "KeepCommand", "false",
	}, more...)
}

type runAnswer struct{ RequestId, CommandId, InvokeId string }

type resultsAnswer struct {
	Invocation struct {
		NextToken         string
		TotalCount        int
		InvocationResults struct{ InvocationResult []resultAnswer }
	}
}

type resultAnswer struct {
	InvokeId, CommandId, InstanceId, InvocationStatus, InvokeRecordStatus, Output, ErrorCode, ErrorInfo, StartTime, FinishedTime string
	ExitCode, Dropped, Repeats                                                                                                   int
}

func (e *alibabaEnv) results(t *testing.T, params ...string) []resultAnswer {
	t.Helper()
	var out resultsAnswer
	e.ecs(t, "DescribeInvocationResults", params...).into(t, &out)
	return out.Invocation.InvocationResults.InvocationResult
}

func TestAlibabaCommand(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	before, _ := e.sim.World().Server(id)
	var run runAnswer
	e.ecs(t, "RunCommand", e.runParams(t, id, "Name", "set", "Tag.1.Key", "by", "Tag.1.Value", "cloudpw")...).into(t, &run)
	if !strings.HasPrefix(run.InvokeId, "t-") || !strings.HasPrefix(run.CommandId, "c-") {
		t.Errorf("%+v", run)
	}
	for _, want := range []string{"Pending", "Running", "Running", "Success"} {
		list := e.results(t, "InvokeId", run.InvokeId)
		if len(list) != 1 || list[0].InvocationStatus != want || list[0].InstanceId != id || list[0].CommandId != run.CommandId {
			t.Errorf("%+v, want %s", list, want)
		}
		if want != "Success" && (list[0].Output != "" || list[0].ExitCode != 0 || list[0].FinishedTime != "") {
			t.Errorf("%s: %+v", want, list[0])
		}
		e.sim.World().Advance(20 * time.Minute)
	}
	last := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")[0]
	if last.Output != "cloudpw: exit 0 password set\n" || last.InvokeRecordStatus != "Finished" || last.ErrorCode != "" || last.Repeats != 1 {
		t.Errorf("the result: %+v", last)
	}
	if text := e.results(t)[0].Output; text != base64.StdEncoding.EncodeToString([]byte(last.Output)) {
		t.Errorf("output %q by default", text)
	}
	if err := e.sim.Login(t.Context(), id, "root", newPassword); err != nil {
		t.Errorf("log in: %v", err)
	}
	if err := e.sim.Login(t.Context(), id, "root", before.Logins["root"]); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("the old password: %v, want ErrRefused", err)
	}
	var all struct {
		Invocations struct {
			Invocation []struct {
				InvokeId, CommandName, CommandContent, InvocationStatus, InvokeStatus string
				InvokeInstances                                                       struct{ InvokeInstance []resultAnswer }
			}
		}
	}
	e.ecs(t, "DescribeInvocations", "InstanceId", id, "IncludeOutput", "true", "ContentEncoding", "PlainText").into(t, &all)
	if list := all.Invocations.Invocation; len(list) != 1 || list[0].InvokeId != run.InvokeId || list[0].CommandName != "set" ||
		!strings.Contains(list[0].CommandContent, "chpasswd") || list[0].InvocationStatus != "Success" || list[0].InvokeStatus != "Finished" ||
		list[0].InvokeInstances.InvokeInstance[0].Output != last.Output {
		t.Errorf("%+v", list)
	}
	for name, c := range map[string]struct {
		params []string
		want   int
	}{
		"by name":        {[]string{"CommandName", "set"}, 1},
		"by another":     {[]string{"CommandName", "unset"}, 0},
		"by tag":         {[]string{"Tag.1.Key", "by", "Tag.1.Value", "cloudpw"}, 1},
		"by another tag": {[]string{"Tag.1.Key", "by", "Tag.1.Value", "me"}, 0},
		"by status":      {[]string{"InvokeStatus", "Finished"}, 1},
		"running ones":   {[]string{"InvokeStatus", "Running"}, 0},
		"by command":     {[]string{"CommandId", run.CommandId}, 1},
		"by invocation":  {[]string{"InvokeId", "t-none"}, 0},
		"by type":        {[]string{"CommandType", "RunPowerShellScript"}, 0},
	} {
		all.Invocations.Invocation = nil
		if e.ecs(t, "DescribeInvocations", c.params...).into(t, &all); len(all.Invocations.Invocation) != c.want {
			t.Errorf("%s: %d commands, want %d", name, len(all.Invocations.Invocation), c.want)
		}
	}
}

func TestAlibabaClientToken(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	params := e.runParams(t, id, "ClientToken", "attempt-1")
	var first, second, third runAnswer
	e.ecs(t, "RunCommand", params...).into(t, &first)
	e.ecs(t, "RunCommand", params...).into(t, &second)
	if second.InvokeId != first.InvokeId || second.CommandId != first.CommandId || second.RequestId == first.RequestId {
		t.Errorf("the same token: %+v, then %+v", first, second)
	}
	if got := e.ecs(t, "RunCommand", append(params, "Timeout", "60")...); got.Code != "IdempotentParameterMismatch" {
		t.Errorf("the same token, another request: %q", got.Code)
	}
	e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-2")...).into(t, &third)
	if third.InvokeId == first.InvokeId {
		t.Error("two tokens, one invocation")
	}
	// The first answer comes also when the server could not run it any more, and after a lost answer.
	if err := e.sim.World().SetState(id, model.StateStopped); err != nil {
		t.Fatal(err)
	}
	e.ecs(t, "RunCommand", params...).into(t, &second)
	if second.InvokeId != first.InvokeId || len(e.results(t)) != 2 {
		t.Errorf("%+v, %d commands", second, len(e.results(t)))
	}
	// A refused request leaves nothing behind.
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-3")...); got.Code != "InvalidInstance.NotMatch" {
		t.Errorf("stopped: %q", got.Code)
	}
	if err := e.sim.World().SetState(id, model.StateRunning); err != nil {
		t.Fatal(err)
	}
	e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-3")...).into(t, &third)
}

// A command whose answer was lost is found by its token, also when the request itself arrives after its repetition.
func TestAlibabaLostAnswer(t *testing.T) {
	for _, kind := range []model.FaultKind{model.FaultDropAfter, model.FaultLateArrival, model.FaultDropBefore} {
		t.Run(string(kind), func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			w, id := e.sim.World(), e.creds.Servers["linux-1"]
			fault := model.Fault{Kind: kind, Action: "RunCommand", Count: 1, Delay: 100 * time.Millisecond}
			if _, err := w.AddFault(fault); err != nil {
				t.Fatal(err)
			}
			call := alibabaCall{version: ecsVersion, action: "RunCommand", params: e.params(e.runParams(t, id, "ClientToken", "one")...)}
			if got, err := e.try(t, call); err == nil {
				t.Fatalf("the answer was not lost: %+v", got)
			}
			var run runAnswer
			e.send(t, call).into(t, &run)
			if !eventually(func() bool {
				return !slices.ContainsFunc(w.Log(0), func(l model.Entry) bool { return l.Finished.IsZero() })
			}) {
				t.Fatal("a request is still on its way")
			}
			w.Advance(2 * time.Hour)
			all := w.Invocations(nil)
			if len(all) != 1 || all[0].CommandID != run.InvokeId || all[0].State != model.CommandSucceeded {
				t.Errorf("%+v, want one command, %s", all, run.InvokeId)
			}
		})
	}
}

func TestAlibabaCommandRefusals(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	id, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	locked, err := w.AddServer(model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region,
		LockReasons: []string{"security"}})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := w.AddServer(model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region,
		Guest: model.Guest{Agent: model.AgentAbsent}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change map[string]string // "" takes a parameter away
		status int
		code   string
	}{
		"no type":      {map[string]string{"Type": ""}, 400, "MissingType"},
		"another type": {map[string]string{"Type": "RunPython"}, 404, "InvalidCmdType.NotFound"},
		"no content":   {map[string]string{"CommandContent": ""}, 400, "MissingCommandContent"},
		"not base64":   {map[string]string{"CommandContent": "%"}, 400, "CmdContent.DecodeError"},
		"too much":     {map[string]string{"CommandContent": strings.Repeat("A", 24<<10+4)}, 403, "CmdContent.ExceedLimit"},
		"too much, kept": {map[string]string{"CommandContent": strings.Repeat("A", 18<<10+4), "KeepCommand": "true"}, 403,
			"CmdContent.ExceedLimit"},
		"too much, plain": {map[string]string{"CommandContent": strings.Repeat("A", 18<<10+1), "ContentEncoding": "PlainText"}, 403,
			"CmdContent.ExceedLimit"},
		"no instance":       {map[string]string{"InstanceId.1": ""}, 400, "MissingParam.InstanceId"},
		"unknown instance":  {map[string]string{"InstanceId.1": "i-x"}, 404, "InvalidInstance.NotFound"},
		"one of two":        {map[string]string{"InstanceId.2": "i-x"}, 404, "InvalidInstance.NotFound"},
		"instance twice":    {map[string]string{"InstanceId.2": id}, 400, "InvalidParameter"},
		"another system":    {map[string]string{"InstanceId.1": windows}, 400, "InvalidInstance.NotMatch"},
		"locked":            {map[string]string{"InstanceId.1": locked.ID}, 403, "InstanceLockedForSecurity"},
		"no agent":          {map[string]string{"InstanceId.1": bare.ID}, 403, "InvalidInstance.NoClient"},
		"no time":           {map[string]string{"Timeout": "0"}, 400, "InvalidParameter"},
		"too much time":     {map[string]string{"Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		"mode":              {map[string]string{"RepeatMode": "Never"}, 404, "InvalidRepeatMode.NotFound"},
		"no frequency":      {map[string]string{"RepeatMode": "Period"}, 400, "MissingParam.Frequency"},
		"at the next start": {map[string]string{"RepeatMode": "NextRebootOnly"}, 403, "Operation.Forbidden"},
		"termination":       {map[string]string{"TerminationMode": "Forest"}, 404, "InvalidTerminationMode.NotFound"},
		"name":              {map[string]string{"Name": strings.Repeat("n", 129)}, 403, "CmdName.ExceedLimit"},
		"description":       {map[string]string{"Description": strings.Repeat("n", 513)}, 403, "CmdDesc.ExceedLimit"},
		"folder":            {map[string]string{"WorkingDir": strings.Repeat("n", 201)}, 400, "InvalidParameter.WorkingDir"},
		"user":              {map[string]string{"Username": strings.Repeat("n", 256)}, 403, "Username.ExceedLimit"},
		"another user":      {map[string]string{"Username": "me"}, 403, "Operation.Forbidden"},
		"long token":        {map[string]string{"ClientToken": strings.Repeat("n", 65)}, 400, "InvalidClientToken.Malformed"},
		"token in Chinese":  {map[string]string{"ClientToken": "实"}, 400, "InvalidClientToken.Malformed"},
		"parameters":        {map[string]string{"Parameters": "{}"}, 400, "Parameter.Disabled"},
		"with parameters":   {map[string]string{"EnableParameter": "true"}, 403, "Operation.Forbidden"},
		"by tag, too":       {map[string]string{"ResourceTag.1.Key": "app"}, 400, "InvalidResourceTag.ConflictWithInstanceIds"},
		"bad tag":           {map[string]string{"Tag.1.Key": "aliyun"}, 400, "InvalidTagKey.Malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			v := e.params(e.runParams(t, id)...)
			for param, value := range c.change {
				v.Set(param, value)
				if value == "" {
					v.Del(param)
				}
			}
			got := e.send(t, alibabaCall{version: ecsVersion, action: "RunCommand", params: v})
			if got.status != c.status || got.Code != c.code {
				t.Errorf("%d %q, want %d %s", got.status, got.Code, c.status, c.code)
			}
		})
	}
	many := e.params(e.runParams(t, id)...)
	for n := range 100 {
		many.Set(fmt.Sprintf("InstanceId.%d", n+2), "i-x")
	}
	if got := e.send(t, alibabaCall{version: ecsVersion, action: "RunCommand", params: many}); got.Code != "InstanceIds.ExceedLimit" {
		t.Errorf("101 instances: %q", got.Code)
	}
	if list := e.results(t); len(list) != 0 {
		t.Errorf("%d commands were accepted", len(list))
	}
	// A dry run judges, and starts nothing.
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "RepeatMode", "DryRun")...); got.status != 200 || len(e.results(t)) != 0 {
		t.Errorf("dry run: %d %q, %d commands", got.status, got.Code, len(e.results(t)))
	}
	if err := w.SetGuest(id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "RepeatMode", "DryRun")...); got.Code != "InvalidInstance.NoClient" {
		t.Errorf("dry run without an agent: %q", got.Code)
	}
	for name, c := range map[string]struct {
		action string
		params []string
		want   string
	}{
		"results, too many":   {"DescribeInvocationResults", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"results, none":       {"DescribeInvocationResults", []string{"MaxResults", "0"}, "InvalidParameter.MaxResults"},
		"results, token":      {"DescribeInvocationResults", []string{"NextToken", "x"}, "InvalidParameter.NextToken"},
		"results, encoding":   {"DescribeInvocationResults", []string{"ContentEncoding", "Hex"}, "InvalidParameter"},
		"results, status":     {"DescribeInvocationResults", []string{"InvokeRecordStatus", "Lost"}, "InvalidParameter"},
		"commands, output":    {"DescribeInvocations", []string{"IncludeOutput", "true"}, "InvalidParameter"},
		"commands, too many":  {"DescribeInvocations", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"stop, which":         {"StopInvocation", nil, "MissingInvokeId"},
		"stop, unknown":       {"StopInvocation", []string{"InvokeId", "t-x"}, "InvalidInvokeId.NotFound"},
		"assistant, too many": {"DescribeCloudAssistantStatus", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"assistant, system":   {"DescribeCloudAssistantStatus", []string{"OSType", "Plan9"}, "InvalidParameter"},
	} {
		if got := e.ecs(t, c.action, c.params...); got.Code != c.want {
			t.Errorf("%s: %q, want %s", name, got.Code, c.want)
		}
	}
}
