package alibabacloud

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// ownID is an own id as the rotation core makes them.
const ownID = "0123456789abcdef0123456789abcdef"

// linuxReset is a reset of a Linux server.
func linuxReset() cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{testInstance}, Username: "root", Password: testPassword, Platform: cloud.Linux, Name: ownID,
		Order: 1_700_000_000, NotAfter: time.Now().Add(time.Hour)}
}

// RunCommand is told all that decides how a script runs, and our own id twice: the cloud takes a token once, and shows a name.
func TestRunCommandParameters(t *testing.T) {
	p, f := answering(t, func(request) (int, any) { return 200, object{"InvokeId": "t-hz0jdfwd9f", "CommandId": "c-1"} })
	started, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), linuxReset())
	if err != nil || started != (cloud.ResetStarted{RequestID: "t-hz0jdfwd9f"}) {
		t.Fatalf("%+v, %v", started, err)
	}
	r := f.seen()[0]
	for name, want := range map[string]string{
		"RegionId": testRegion, "Type": "RunShellScript", "Username": "root", "ContentEncoding": "Base64", "RepeatMode": "Once",
		"KeepCommand": "false", "EnableParameter": "false", "Timeout": "120", "InstanceId.1": testInstance, "ClientToken": ownID, "Name": ownID,
		"Description": "cloudpw: set the password of an account",
	} {
		if got := r.params.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	script, err := base64.StdEncoding.DecodeString(r.params.Get("CommandContent"))
	if err != nil || len(r.params.Get("CommandContent")) > maxContent || !strings.HasPrefix(string(script), "#!/bin/sh") ||
		strings.Contains(string(script), testPassword) {
		t.Errorf("%v: %s", err, script)
	}
	if f.actions() != "RunCommand" || p.limiter.(*contract.CountLimiter).Count("RunCommand") != 0 {
		t.Errorf("%s, waited for %d times", f.actions(), p.limiter.(*contract.CountLimiter).Count("RunCommand"))
	}
}

// Commands for other purposes have a name that says whose they are, and no token; those of Windows have its interpreter.
func TestOtherCommands(t *testing.T) {
	p, f := answering(t, func(request) (int, any) { return 200, object{"InvokeId": "t-1"} })
	_, err := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{testInstance}, Script: guest.WindowsPrepare(),
		Purpose: guest.ShowKey})
	if err != nil {
		t.Fatal(err)
	}
	r := f.seen()[0]
	if r.params.Get("Type") != "RunPowerShellScript" || r.params.Get("Username") != "System" || r.params.Get("Name") != "cloudpw" ||
		r.params.Has("ClientToken") || len(r.params.Get("CommandContent")) > maxContent {
		t.Errorf("%+v", r.params)
	}
	if n := p.limiter.(*contract.CountLimiter).Count("RunCommand"); n != 1 {
		t.Errorf("waited for %d times", n)
	}
	_, err = command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{testInstance},
		Script: guest.Script{Interpreter: guest.Shell, Text: strings.Repeat("x", maxContent)}})
	_ = errorOfKind(t, err, cloud.Refused)
	if len(f.seen()) != 1 {
		t.Error(f.actions())
	}
}

// shownResult is an answer of DescribeInvocationResults.
func shownResult(fields object) object {
	one := object{"InvokeId": "t-1", "InstanceId": testInstance, "Username": "root", "ExitCode": 0}
	for name, value := range fields {
		one[name] = value
	}
	return object{"Invocation": object{"InvocationResults": object{"InvocationResult": []object{one}}}}
}

const exitNoUser = 82 // package guest

// Every state of a command, and every cause.
func TestRecordsOfCommands(t *testing.T) {
	const running, success, failed = cloud.OperationRunning, cloud.OperationSuccess, cloud.OperationFailed
	printed := base64.StdEncoding.EncodeToString([]byte("cloudpw: exit 0 password set\n"))
	started := "2026-01-02T03:04:05Z"
	for name, c := range map[string]struct {
		shown object
		state cloud.OperationState
		kind  cloud.Kind
		says  string
	}{
		"pending":      {object{"InvocationStatus": "Pending"}, running, "", ""},
		"running":      {object{"InvocationStatus": "Running"}, running, "", ""},
		"scheduled":    {object{"InvocationStatus": "Scheduled"}, running, "", ""},
		"stopping":     {object{"InvocationStatus": "Stopping"}, running, "", ""},
		"a new state":  {object{"InvocationStatus": "Thinking"}, running, "", ""},
		"done":         {object{"InvocationStatus": "Success", "Output": printed}, success, "", ""},
		"cut short":    {object{"InvocationStatus": "Success", "Output": ""}, failed, "", "without confirming"},
		"no base64":    {object{"InvocationStatus": "Success", "Output": "%%%"}, failed, "", "without confirming"},
		"no exit code": {object{"InvocationStatus": "Success", "Output": printed, "ExitCode": nil}, failed, "", "exit code -1"},
		"no such user": {object{"InvocationStatus": "Failed", "ExitCode": exitNoUser, "ErrorCode": "ExitCodeNonzero"}, failed, cloud.Refused,
			"no such user"},
		"another exit code": {object{"InvocationStatus": "Failed", "ExitCode": 7, "ErrorCode": "ExitCodeNonzero"}, failed, "", "exit code 7"},
		"failed, no code":   {object{"InvocationStatus": "Failed", "ErrorCode": "ExitCodeNonzero"}, failed, "", "the command failed"},
		"invalid": {object{"InvocationStatus": "Invalid", "ErrorCode": "CommandNotApplicable"}, failed, cloud.Refused,
			"does not accept"},
		"invalid, agent": {object{"InvocationStatus": "Invalid", "ErrorCode": "ClientNotRunning"}, failed, cloud.Refused,
			"Cloud Assistant Agent"},
		"cancelled": {object{"InvocationStatus": "Cancelled"}, failed, cloud.Refused, "before it started"},
		"aborted":   {object{"InvocationStatus": "Aborted", "ErrorCode": "DeliveryTimeout"}, failed, "", "within a minute"},
		"aborted, not running": {object{"InvocationStatus": "Aborted", "ErrorCode": "InstanceNotRunning",
			"ErrorInfo": "the instance is not running when create task"}, failed, cloud.Refused, "the cloud says: InstanceNotRunning the instance"},
		"gone": {object{"InvocationStatus": "Error", "ErrorCode": "InstanceNotExists"}, failed, cloud.Refused, "does not exist"},
		"gone while it ran": {object{"InvocationStatus": "Error", "ErrorCode": "InstanceReleased", "StartTime": started}, failed, "",
			"released"},
		"error": {object{"InvocationStatus": "Error", "ErrorCode": "ExecutionException", "StartTime": started}, failed, "",
			"could not run"},
		"concurrency": {object{"InvocationStatus": "Failed", "ErrorCode": "TaskConcurrencyLimit"}, failed, cloud.Refused, "same time"},
		"firewall":    {object{"InvocationStatus": "Aborted", "ErrorCode": "SecurityGroupRuleDenied"}, failed, cloud.Refused, "security group"},
		"no account":  {object{"InvocationStatus": "Failed", "ErrorCode": "AccountNotExists"}, failed, cloud.Refused, "user"},
		"silent":      {object{"InvocationStatus": "Error", "ErrorCode": "ClientNotResponse"}, failed, "", "Cloud Assistant Agent"},
		"upgrading":   {object{"InvocationStatus": "Error", "ErrorCode": "ClientIsUpgrading"}, failed, "", "upgraded"},
		"too old":     {object{"InvocationStatus": "Error", "ErrorCode": "ClientNeedUpgrade"}, failed, "", "upgrade it"},
		"no folder":   {object{"InvocationStatus": "Error", "ErrorCode": "DirectoryNotExists"}, failed, "", "folder"},
		"cron":        {object{"InvocationStatus": "Error", "ErrorCode": "BadCronExpression"}, failed, "", "scheduled"},
		"a new cause": {object{"InvocationStatus": "Error", "ErrorCode": "MoonPhase"}, failed, "", "could not go on"},
		"timed out": {object{"InvocationStatus": "Timeout", "ErrorCode": "ExecutionTimeout", "StartTime": started}, failed, "",
			"did not end in time"},
		"terminated": {object{"InvocationStatus": "Terminated", "ErrorCode": "ExecutionInterrupted", "StartTime": started}, failed, "",
			"ended while"},
		"stopped": {object{"InvocationStatus": "Stopped"}, failed, "", "stopped"},
	} {
		p, f := answering(t, func(request) (int, any) { return 200, shownResult(c.shown) })
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: testInstance, RequestID: "t-1"}})
		got := records[testInstance]
		if err != nil || got.State != c.state || got.Kind != c.kind || got.OperationID != "t-1" || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if r := f.seen()[0]; r.action != "DescribeInvocationResults" || r.params.Get("InvokeId") != "t-1" ||
			r.params.Get("InstanceId") != testInstance ||
			r.params.Get("ContentEncoding") != "Base64" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What a Windows server prints, and what is not known to be no Windows server, is repeated in no message.
func TestWordsOfWindowsAreKeptOut(t *testing.T) {
	for _, user := range []string{"System", ""} {
		p, _ := answering(t, func(request) (int, any) {
			return 200, shownResult(object{"InvocationStatus": "Failed", "ExitCode": 7, "Username": user,
				"Output": base64.StdEncoding.EncodeToString([]byte("secret words"))})
		})
		ref := cloud.ResetRef{InstanceID: testInstance, RequestID: "t-1"}
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		if err != nil || records[testInstance].State != cloud.OperationFailed || strings.Contains(records[testInstance].Message, "secret words") {
			t.Errorf("%q: %+v, %v", user, records, err)
		}
	}
}

// A command that the cloud does not show (yet) is none that failed.
func TestCommandsThatAreNotShown(t *testing.T) {
	ref := cloud.ResetRef{InstanceID: testInstance, RequestID: "t-1"}
	for name, answer := range map[string]func() (int, any){
		"an empty list":   func() (int, any) { return 200, object{"Invocation": object{}} },
		"no such command": func() (int, any) { return failure(404, "InvalidInvokeId.NotFound") },
		"another command": func() (int, any) { return 200, shownResult(object{"InvokeId": "t-2", "InvocationStatus": "Failed"}) },
		"another instance": func() (int, any) {
			return 200, shownResult(object{"InstanceId": "i-12345678", "InvocationStatus": "Failed"})
		},
	} {
		p, _ := answering(t, func(request) (int, any) { return answer() })
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		if got := records[testInstance]; err != nil || got != (cloud.ResetRecord{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// named is a command as DescribeInvocations shows it.
func named(id, name, instance string) object {
	return object{"InvokeId": id, "CommandName": name, "InvokeInstances": object{"InvokeInstance": []object{{"InstanceId": instance}}}}
}

// A command whose answer was lost is found by its name, on any page, and only if nobody copied that.
func TestLostCommandIsFoundByItsName(t *testing.T) {
	ref := cloud.ResetRef{InstanceID: testInstance, Name: ownID, Sent: time.Now()}
	for name, c := range map[string]struct {
		pages [][]object
		want  string
	}{
		"the only one":      {[][]object{{named("t-1", ownID, testInstance)}}, "t-1"},
		"on the third page": {[][]object{{named("t-9", "cloudpw", testInstance)}, {}, {named("t-1", ownID, testInstance)}}, "t-1"},
		"shown twice":       {[][]object{{named("t-1", ownID, testInstance)}, {named("t-1", ownID, testInstance)}}, "t-1"},
		"none":              {[][]object{{}}, ""},
		"another name":      {[][]object{{named("t-1", ownID[1:], testInstance)}}, ""},
		"another instance":  {[][]object{{named("t-1", ownID, "i-12345678")}}, ""},
		"copied":            {[][]object{{named("t-1", ownID, testInstance), named("t-2", ownID, testInstance)}}, ""},
		"no id":             {[][]object{{named("", ownID, testInstance)}}, ""},
	} {
		p, f := answering(t, func(r request) (int, any) {
			if r.action == "DescribeInvocationResults" {
				return 200, shownResult(object{"InvocationStatus": "Success",
					"Output": base64.StdEncoding.EncodeToString([]byte("cloudpw: exit 0 password set\n"))})
			}
			if r.params.Get("CommandName") != ownID || r.params.Has("InstanceId") {
				return failure(400, "InvalidParameter")
			}
			at, _ := strconv.Atoi(r.params.Get("NextToken"))
			next := ""
			if at+1 < len(c.pages) {
				next = fmt.Sprint(at + 1)
			}
			return 200, object{"Invocations": object{"Invocation": c.pages[at]}, "NextToken": next}
		})
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		want := cloud.ResetRecord{}
		if c.want != "" {
			want = cloud.ResetRecord{OperationID: c.want, Name: ownID, State: cloud.OperationSuccess}
		}
		if got := records[testInstance]; err != nil || got != want {
			t.Errorf("%s: %+v, %v after %s", name, got, err, f.actions())
		}
		if strings.Contains(f.actions(), "RunCommand") {
			t.Errorf("%s: a command was sent to look for one", name)
		}
	}
}

// Found, and not shown yet, is running; without the permission nothing is found; a failed search is an error.
func TestSearchForALostCommand(t *testing.T) {
	ref := cloud.ResetRef{InstanceID: testInstance, Name: ownID}
	list := func() (int, any) {
		return 200, object{"Invocations": object{"Invocation": []object{named("t-1", ownID, testInstance)}}}
	}
	for name, c := range map[string]struct {
		search func() (int, any)
		want   cloud.ResetRecord
		kind   cloud.Kind
	}{
		"not shown yet": {list, cloud.ResetRecord{OperationID: "t-1", Name: ownID, State: cloud.OperationRunning}, ""},
		"no permission": {func() (int, any) { return failure(403, "Forbidden.RAM") }, cloud.ResetRecord{}, ""},
		"throttled":     {func() (int, any) { return failure(400, "Throttling") }, cloud.ResetRecord{}, cloud.Throttled},
		"broken":        {func() (int, any) { return failure(500, "InternalError") }, cloud.ResetRecord{}, cloud.Unknown},
	} {
		p, _ := answering(t, func(r request) (int, any) {
			if r.action == "DescribeInvocations" {
				return c.search()
			}
			return 200, object{"Invocation": object{}}
		})
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref})
		if got := records[testInstance]; cloud.KindOf(err) != c.kind || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// The pages of a cloud that shows everything end.
	page := 0
	p, f := answering(t, func(request) (int, any) {
		page++
		return 200, object{"Invocations": object{"Invocation": []object{}}, "NextToken": fmt.Sprint(page)}
	})
	if records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{ref}); err != nil ||
		records[testInstance] != (cloud.ResetRecord{}) || len(f.seen()) != maxNamePages {
		t.Errorf("%+v, %v after %d pages", records, err, len(f.seen()))
	}
}

func agentAnswer(status string) object {
	return object{"InstanceCloudAssistantStatusSet": object{"InstanceCloudAssistantStatus": []object{
		{"InstanceId": testInstance, "CloudAssistantStatus": status}}}}
}

// A server that cannot be sent a command is told before an attempt is recorded.
func TestServersThatAreNotReady(t *testing.T) {
	online := func() (int, any) { return 200, agentAnswer("true") }
	for name, c := range map[string]struct {
		agent  func() (int, any)
		fields object
		says   string
	}{
		"running":       {online, object{"Status": "Running"}, ""},
		"not allowed":   {func() (int, any) { return failure(403, "Forbidden.RAM") }, object{"Status": "Running"}, ""},
		"agent unknown": {func() (int, any) { return 200, object{} }, object{"Status": "Running"}, ""},
		"agent offline": {func() (int, any) { return 200, agentAnswer("false") }, object{"Status": "Running"}, "is not online"},
		"stopped":       {online, object{"Status": "Stopped"}, "is Stopped, and commands run on running instances only"},
		"starting":      {online, object{"Status": "Starting"}, "is Starting"},
		"locked": {online, object{"Status": "Running",
			"OperationLocks": object{"LockReason": []object{{"LockReason": "security"}, {"LockReason": "Recycling"}}}},
			"locked by the cloud (security, Recycling)"},
	} {
		p, _ := answering(t, func(r request) (int, any) {
			if r.action == "DescribeCloudAssistantStatus" {
				return c.agent()
			}
			c.fields["InstanceId"] = testInstance
			return 200, object{"Instances": object{"Instance": []object{c.fields}}}
		})
		records, err := p.Resetter(cloud.MethodCommand).ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: testInstance}})
		record, there := records[testInstance]
		switch {
		case c.says == "" && (err != nil || !there || record != (cloud.ResetRecord{})):
			t.Errorf("%s: %+v, %v", name, records, err)
		case c.says != "" && !strings.Contains(errorOfKind(t, err, cloud.Refused).Message, c.says):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Methods that there are not, and equality of those that there are.
func TestMethods(t *testing.T) {
	p := newTestProvider(t, testConfig(t, ""))
	if p.Resetter(cloud.MethodAPI) != nil || p.Checker("ssh") != nil {
		t.Error("there is a method that is none")
	}
	if p.Resetter(cloud.MethodCommand) != p.Resetter(cloud.MethodCommand) || p.Checker(cloud.CheckCommand) != p.Checker(cloud.CheckCommand) {
		t.Error("equal names have unequal methods")
	}
}

// A check sends one command and follows it.
func TestCheckFollowsItsCommand(t *testing.T) {
	p, f := answering(t, func(r request) (int, any) {
		if r.action == "RunCommand" {
			return 200, object{"InvokeId": "t-1"}
		}
		return 200, shownResult(object{"InvocationStatus": "Failed", "ExitCode": exitNoUser, "ErrorCode": "ExitCodeNonzero"})
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := p.Checker(cloud.CheckCommand).CheckPassword(ctx, cloud.PasswordCheck{InstanceID: testInstance, Username: "root",
		Platform: cloud.Linux, Values: []string{testPassword}})
	if f.actions() != "RunCommand DescribeInvocationResults" || !strings.Contains(fmt.Sprint(err), "ecs RunCommand (t-1)") {
		t.Errorf("%v after %s", err, f.actions())
	}
}
