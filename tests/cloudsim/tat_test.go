package cloudsim_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func (e *tencentEnv) tat(t *testing.T) *tat.Client {
	t.Helper()
	c, err := tat.NewClient(common.NewCredential(e.creds.AccessKey, e.creds.SecretKey), e.creds.Region, e.profile(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runRequest asks for cloudpw's own script on a server; change spoils it.
func runRequest(t *testing.T, id string, change func(*tat.RunCommandRequest)) *tat.RunCommandRequest {
	t.Helper()
	script, err := guest.Linux(guest.Change{Username: "ubuntu", Secret: newPassword, Order: 1, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r := tat.NewRunCommandRequest()
	r.Content = common.StringPtr(base64.StdEncoding.EncodeToString([]byte(script.Text)))
	r.InstanceIds = common.StringPtrs([]string{id})
	if change != nil {
		change(r)
	}
	return r
}

func (e *tencentEnv) tasks(t *testing.T, change func(*tat.DescribeInvocationTasksRequest)) ([]*tat.InvocationTask, error) {
	t.Helper()
	r := tat.NewDescribeInvocationTasksRequest()
	change(r)
	resp, err := e.tat(t).DescribeInvocationTasks(r)
	if err != nil {
		return nil, err
	}
	return resp.Response.InvocationTaskSet, nil
}

func byInvocation(id string) func(*tat.DescribeInvocationTasksRequest) {
	return func(r *tat.DescribeInvocationTasksRequest) {
		r.Filters = []*tat.Filter{{Name: common.StringPtr("invocation-id"), Values: common.StringPtrs([]string{id})}}
	}
}

func TestTATThroughTheSDK(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["ubuntu-1"]
	request := runRequest(t, id, nil)
	resp, err := e.tat(t).RunCommand(request)
	if err != nil {
		t.Fatal(err)
	}
	invocation := *resp.Response.InvocationId
	if !strings.HasPrefix(invocation, "inv-") || !strings.HasPrefix(*resp.Response.CommandId, "cmd-") {
		t.Errorf("%+v", resp.Response)
	}
	status := func() *tat.InvocationTask {
		t.Helper()
		all, err := e.tasks(t, byInvocation(invocation))
		if err != nil || len(all) != 1 || *all[0].InstanceId != id {
			t.Fatalf("%d tasks, %v", len(all), err)
		}
		return all[0]
	}
	for _, want := range []string{"PENDING", "RUNNING", "RUNNING", "SUCCESS"} {
		if got := status(); *got.TaskStatus != want || *got.TaskResult.ExitCode != 0 || *got.TaskResult.Output != "" {
			t.Errorf("%s, want %s, and no output unless it is asked for", *got.TaskStatus, want)
		}
		e.sim.World().Advance(20 * time.Minute)
	}
	all, err := e.tasks(t, func(r *tat.DescribeInvocationTasksRequest) {
		byInvocation(invocation)(r)
		r.HideOutput = common.BoolPtr(false)
	})
	if err != nil {
		t.Fatal(err)
	}
	output, err := base64.StdEncoding.DecodeString(*all[0].TaskResult.Output)
	if err != nil || string(output) != "cloudpw: exit 0 password set\n" || *all[0].CommandDocument.CommandType != "SHELL" {
		t.Errorf("output %q, %v", output, err)
	}
	if *all[0].CommandDocument.Content != *request.Content {
		t.Errorf("the script is shown as %s", *all[0].CommandDocument.Content)
	}
	if err := e.sim.Login(t.Context(), id, "ubuntu", newPassword); err != nil {
		t.Errorf("log in: %v", err)
	}
	if s, _ := e.sim.World().Server(id); s.State != model.StateRunning {
		t.Errorf("the server is %s", s.State)
	}
}

func TestTATRefusals(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	id, windows := e.creds.Servers["ubuntu-1"], e.creds.Servers["windows-1"]
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("ins-%08d", i)
	}
	for name, c := range map[string]struct {
		change func(*tat.RunCommandRequest)
		want   string
	}{
		"no content":  {func(r *tat.RunCommandRequest) { r.Content = nil }, "MissingParameter"},
		"no instance": {func(r *tat.RunCommandRequest) { r.InstanceIds = nil }, "MissingParameter"},
		"nothing":     {func(r *tat.RunCommandRequest) { r.Content = common.StringPtr("") }, "MissingParameter"},
		"not base64":  {func(r *tat.RunCommandRequest) { r.Content = common.StringPtr("%") }, "InvalidParameterValue.InvalidContent"},
		"too much": {func(r *tat.RunCommandRequest) { r.Content = common.StringPtr(strings.Repeat("A", 1<<16+4)) },
			"InvalidParameterValue.TooLong"},
		"too many": {func(r *tat.RunCommandRequest) { r.InstanceIds = common.StringPtrs(many) }, "InvalidParameterValue.LimitExceeded"},
		"malformed id": {func(r *tat.RunCommandRequest) { r.InstanceIds = common.StringPtrs([]string{"i-1"}) },
			"InvalidParameterValue.InvalidInstanceId"},
		"twice": {func(r *tat.RunCommandRequest) { r.InstanceIds = common.StringPtrs([]string{id, id}) }, "InvalidParameterValue"},
		"unknown id": {func(r *tat.RunCommandRequest) { r.InstanceIds = common.StringPtrs([]string{"ins-zzzzzzzz"}) },
			"ResourceNotFound.InstanceNotFound"},
		"type": {func(r *tat.RunCommandRequest) { r.CommandType = common.StringPtr("BAT") }, "InvalidParameterValue"},
		"another system": {func(r *tat.RunCommandRequest) { r.CommandType = common.StringPtr("POWERSHELL") },
			"InvalidParameterValue.AgentUnsupportedCommandType"},
		"shell on it": {func(r *tat.RunCommandRequest) { r.InstanceIds = common.StringPtrs([]string{windows}) },
			"InvalidParameterValue.AgentUnsupportedCommandType"},
		"no time":       {func(r *tat.RunCommandRequest) { r.Timeout = common.Uint64Ptr(0) }, "InvalidParameterValue.Range"},
		"too much time": {func(r *tat.RunCommandRequest) { r.Timeout = common.Uint64Ptr(86401) }, "InvalidParameterValue.Range"},
		"name": {func(r *tat.RunCommandRequest) { r.CommandName = common.StringPtr("a b") },
			"InvalidParameterValue.InvalidCommandName"},
		"long name": {func(r *tat.RunCommandRequest) { r.CommandName = common.StringPtr(strings.Repeat("a", 61)) },
			"InvalidParameterValue.InvalidCommandName"},
		"description": {func(r *tat.RunCommandRequest) { r.Description = common.StringPtr(strings.Repeat("a", 121)) },
			"InvalidParameterValue.TooLong"},
		"user": {func(r *tat.RunCommandRequest) { r.Username = common.StringPtr("ubuntu") }, "InvalidParameter.InvalidUsername"},
		"parameters": {func(r *tat.RunCommandRequest) { r.Parameters = common.StringPtr("{}") },
			"InvalidParameterValue.SupportParametersOnlyIfEnableParameter"},
		"with parameters": {func(r *tat.RunCommandRequest) { r.EnableParameter = common.BoolPtr(true) }, "UnsupportedOperation"},
	} {
		if _, err := e.tat(t).RunCommand(runRequest(t, id, c.change)); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	filter := func(name string, values ...string) func(*tat.DescribeInvocationTasksRequest) {
		return func(r *tat.DescribeInvocationTasksRequest) {
			r.Filters = []*tat.Filter{{Name: &name, Values: common.StringPtrs(values)}}
		}
	}
	for name, c := range map[string]struct {
		change func(*tat.DescribeInvocationTasksRequest)
		want   string
	}{
		"filter":     {filter("name", "x"), "InvalidParameterValue.InvalidFilter"},
		"no value":   {filter("instance-id"), "InvalidParameterValue.InvalidFilter"},
		"six values": {filter("instance-id", "1", "2", "3", "4", "5", "6"), "InvalidParameterValue.InvalidFilter"},
		"invocation": {filter("invocation-id", "inv-1"), "InvalidParameterValue.InvalidInvocationId"},
		"task":       {filter("invocation-task-id", "x"), "InvalidParameterValue.InvalidInvocationTaskId"},
		"instance":   {filter("instance-id", "i-1"), "InvalidParameterValue.InvalidInstanceId"},
		"command":    {filter("command-id", "x"), "InvalidParameterValue.InvalidCommandId"},
		"task by id": {func(r *tat.DescribeInvocationTasksRequest) {
			r.InvocationTaskIds = common.StringPtrs([]string{"invt-1"})
		}, "InvalidParameterValue.InvalidInvocationTaskId"},
		"limit": {func(r *tat.DescribeInvocationTasksRequest) { r.Limit = common.Uint64Ptr(101) }, "InvalidParameterValue"},
		"ids and filter": {func(r *tat.DescribeInvocationTasksRequest) {
			filter("instance-id", id)(r)
			r.InvocationTaskIds = common.StringPtrs([]string{"invt-00000001"})
		}, "InvalidParameter.ConflictParameter"},
	} {
		if _, err := e.tasks(t, c.change); code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	// Another account sees nothing of it.
	if _, err := e.tat(t).RunCommand(runRequest(t, id, nil)); err != nil {
		t.Fatal(err)
	}
	w := e.sim.World()
	other := w.AddAccount(model.Account{Cloud: model.TencentCloud, Name: "other", Regions: []string{e.creds.Region}})
	user := w.AddUser(model.User{Cloud: model.TencentCloud, Name: "other", AccountID: other.ID})
	key := w.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: other.ID, UserID: user.ID})
	stranger := &tencentEnv{e.sim, cloudsim.Credentials{AccessKey: key.ID, SecretKey: key.Secret, Region: e.creds.Region}}
	if all, err := stranger.tasks(t, func(*tat.DescribeInvocationTasksRequest) {}); err != nil || len(all) != 0 {
		t.Errorf("another account sees %d tasks, %v", len(all), err)
	}
	if _, err := stranger.tat(t).RunCommand(runRequest(t, id, nil)); code(err) != "ResourceNotFound.InstanceNotFound" {
		t.Errorf("another account: %v", err)
	}
	if all, err := e.tasks(t, func(*tat.DescribeInvocationTasksRequest) {}); err != nil || len(all) != 1 {
		t.Errorf("%d tasks, %v", len(all), err)
	}
}

// A task tells its times in the form of the API page's examples, its defaults, and why it did not end well.
func TestTATTaskLife(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour, RateLimits: map[string]int{}}})
	w := e.sim.World()
	look := func(invocation string) *tat.InvocationTask {
		t.Helper()
		all, err := e.tasks(t, byInvocation(invocation))
		if err != nil || len(all) != 1 {
			t.Fatalf("%d tasks, %v", len(all), err)
		}
		return all[0]
	}
	moment := func(text *string) time.Time {
		t.Helper()
		if text == nil {
			return time.Time{}
		}
		at, err := time.Parse("2006-01-02T15:04:05-07:00", *text)
		if err != nil || strings.HasSuffix(*text, "Z") {
			t.Errorf("time %q", *text)
		}
		return at
	}
	run := func(name string) string {
		t.Helper()
		resp, err := e.tat(t).RunCommand(runRequest(t, e.creds.Servers[name], nil))
		if err != nil {
			t.Fatal(err)
		}
		return *resp.Response.InvocationId
	}

	ends := run("ubuntu-1")
	task := look(ends)
	if d := task.CommandDocument; *d.Username != "root" || *d.WorkingDirectory != "/root" || *d.Timeout != 60 || *d.CommandType != "SHELL" {
		t.Errorf("command %+v", d)
	}
	if made := moment(task.CreatedTime); made.IsZero() || !moment(task.UpdatedTime).Equal(made) || task.StartTime != nil ||
		task.EndTime != nil || *task.ErrorInfo != "" {
		t.Errorf("before it begins: %+v", task)
	}
	w.Advance(30 * time.Minute)
	if task := look(ends); !moment(task.UpdatedTime).Equal(moment(task.StartTime)) ||
		!moment(task.StartTime).After(moment(task.CreatedTime)) || task.EndTime != nil {
		t.Errorf("while it runs: %+v", task)
	}
	w.Advance(time.Hour)
	if task := look(ends); !moment(task.UpdatedTime).Equal(moment(task.EndTime)) || !moment(task.EndTime).After(moment(task.StartTime)) ||
		*task.ErrorInfo != "" {
		t.Errorf("after its end: %+v", task)
	}

	// The agent goes while the command is on its way to it.
	lost := run("linux-1")
	if err := w.SetGuest(e.creds.Servers["linux-1"], model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.tat(t).RunCommand(runRequest(t, e.creds.Servers["linux-1"], nil)); code(err) != "ResourceUnavailable.AgentStatusNotOnline" {
		t.Errorf("a command for an agent that is offline: %v", err)
	}
	w.Advance(2 * time.Hour)
	if task := look(lost); *task.TaskStatus != "DELIVER_FAILED" || *task.ErrorInfo == "" || task.StartTime != nil || task.EndTime == nil {
		t.Errorf("a command that was not fetched: %+v", task)
	}
}
