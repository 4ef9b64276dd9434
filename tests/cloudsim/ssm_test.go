package cloudsim_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const freshPassword = "Fresh-1-Horse-Battery"

func (e *awsEnv) ssm() *ssm.Client {
	return ssm.NewFromConfig(e.config(e.creds.AccessKey, e.creds.SecretKey, "", e.creds.Region))
}

// startSSM is a simulator whose commands take an hour, so that a test says when they go on.
func startSSM(t *testing.T) *awsEnv {
	t.Helper()
	return startAWS(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}}, cloudsim.SeedOptions{})
}

// command is cloudpw's own for root on a Linux server.
func command(t *testing.T, ids ...string) *ssm.SendCommandInput {
	t.Helper()
	script, err := guest.Linux(guest.Change{Username: "root", Secret: freshPassword, Order: 1, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return &ssm.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: ids, Comment: aws.String("cloudpw"), TimeoutSeconds: aws.Int32(7200),
		Parameters: map[string][]string{"commands": script.Lines(), "executionTimeout": {"7200"}},
	}
}

func TestSSMCommandThroughTheSDK(t *testing.T) {
	e := startSSM(t)
	ctx, client, linux := context.Background(), e.ssm(), e.creds.Servers["linux-1"]
	sent, err := client.SendCommand(ctx, command(t, linux))
	if err != nil {
		t.Fatal(err)
	}
	if c := sent.Command; len(*c.CommandId) != 36 || c.Status != types.CommandStatusPending || *c.Comment != "cloudpw" ||
		c.ExpiresAfter.IsZero() {
		t.Errorf("command %+v", c)
	}
	get := func() *ssm.GetCommandInvocationOutput {
		t.Helper()
		out, err := client.GetCommandInvocation(ctx, &ssm.GetCommandInvocationInput{CommandId: sent.Command.CommandId, InstanceId: &linux})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := get(); out.Status != types.CommandInvocationStatusPending || out.ResponseCode != -1 || *out.ExecutionStartDateTime != "" {
		t.Errorf("not fetched yet: %+v", out)
	}
	e.sim.World().Advance(20 * time.Minute)
	if out := get(); out.Status != types.CommandInvocationStatusInProgress || *out.StandardOutputContent != "" {
		t.Errorf("running: %+v", out)
	}
	if err := e.sim.Login(ctx, linux, "root", freshPassword); err == nil {
		t.Error("the password works before the script ran")
	}
	e.sim.World().Advance(40 * time.Minute)
	if out := get(); out.Status != types.CommandInvocationStatusSuccess || out.ResponseCode != 0 ||
		!strings.Contains(*out.StandardOutputContent, "password set") || *out.ExecutionEndDateTime == "" {
		t.Errorf("ended: %+v", out)
	}
	if err := e.sim.Login(ctx, linux, "root", freshPassword); err != nil {
		t.Errorf("log in with the password that the command set: %v", err)
	}
}

func TestSSMHistory(t *testing.T) {
	e := startSSM(t)
	ctx, client, linux := context.Background(), e.ssm(), e.creds.Servers["linux-1"]
	var last string
	for range 3 {
		sent, err := client.SendCommand(ctx, command(t, linux))
		if err != nil {
			t.Fatal(err)
		}
		last = *sent.Command.CommandId
	}
	e.sim.World().Advance(time.Hour)
	p := ssm.NewListCommandsPaginator(client, &ssm.ListCommandsInput{MaxResults: aws.Int32(2)})
	var commands []types.Command
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, out.Commands...)
	}
	if len(commands) != 3 || *commands[0].CommandId != last || commands[0].Status != types.CommandStatusSuccess ||
		!strings.Contains(strings.Join(commands[0].Parameters["commands"], "\n"), "chpasswd -e") {
		t.Errorf("commands %+v", commands)
	}
	runs, err := client.ListCommandInvocations(ctx, &ssm.ListCommandInvocationsInput{CommandId: &last, Details: true})
	if err != nil || len(runs.CommandInvocations) != 1 ||
		!strings.Contains(*runs.CommandInvocations[0].CommandPlugins[0].Output, "password set") {
		t.Errorf("invocations %+v, %v", runs, err)
	}
	history, err := json.Marshal(e.sim.World().Invocations(nil))
	if err != nil || bytes.Contains(history, []byte(freshPassword)) {
		t.Errorf("the history holds a clear password: %s, %v", history, err)
	}
}

// The history of an instance tells a command by its comment, page by page, from a moment on.
func TestSSMInvocationsOfAnInstance(t *testing.T) {
	e := startSSM(t)
	ctx, client, linux := context.Background(), e.ssm(), e.creds.Servers["linux-1"]
	ids := map[string]string{}
	var middle time.Time
	for n, comment := range []string{"first", "second", "third"} {
		in := command(t, linux)
		in.Comment = &comment
		sent, err := client.SendCommand(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		ids[comment] = *sent.Command.CommandId
		if n == 0 {
			e.sim.World().Advance(time.Hour)
			middle = e.sim.World().Now().Add(time.Hour / 2)
		}
	}
	windows := command(t, e.creds.Servers["windows-1"])
	windows.DocumentName = aws.String("AWS-RunPowerShellScript")
	if _, err := client.SendCommand(ctx, windows); err != nil {
		t.Fatal(err)
	}
	p := ssm.NewListCommandInvocationsPaginator(client, &ssm.ListCommandInvocationsInput{InstanceId: &linux, MaxResults: aws.Int32(1),
		Filters: []types.CommandFilter{{Key: types.CommandFilterKeyInvokedAfter, Value: aws.String(middle.UTC().Format(time.RFC3339))}}})
	var got []string
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.CommandInvocations {
			got = append(got, *i.Comment)
			if *i.CommandId != ids[*i.Comment] || *i.InstanceId != linux || len(i.CommandPlugins) != 0 {
				t.Errorf("%+v", i)
			}
		}
	}
	if !slices.Equal(got, []string{"third", "second"}) {
		t.Errorf("listed %q", got)
	}
}

// A command is one thing, on however many instances: a filter does not show a part of it.
func TestSSMCommandOnSeveralInstances(t *testing.T) {
	e := startSSM(t)
	w, ctx, client, linux := e.sim.World(), t.Context(), e.ssm(), e.creds.Servers["linux-1"]
	other, err := w.AddServer(model.Server{
		Cloud: model.AWS, AccountID: e.creds.AccountID, Region: e.creds.Region, Tags: map[string]string{"app": "demo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := command(t)
	in.Targets = []types.Target{{Key: aws.String("tag:app"), Values: []string{"demo", "x"}},
		{Key: aws.String("tag-key"), Values: []string{"Name"}}}
	in.MaxConcurrency, in.MaxErrors, in.DocumentVersion = aws.String("10%"), aws.String("1"), aws.String("$LATEST")
	sent, err := client.SendCommand(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if c := sent.Command; c.TargetCount != 2 || len(c.InstanceIds) != 0 || len(c.Targets) != 2 || *c.MaxConcurrency != "10%" ||
		*c.MaxErrors != "1" || *c.DocumentVersion != "$LATEST" {
		t.Errorf("sent %+v", c)
	}
	list := func(in ssm.ListCommandsInput) *types.Command {
		t.Helper()
		out, err := client.ListCommands(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Commands) == 0 {
			return nil
		}
		return &out.Commands[0]
	}
	filter := func(key types.CommandFilterKey, value string) ssm.ListCommandsInput {
		return ssm.ListCommandsInput{Filters: []types.CommandFilter{{Key: key, Value: &value}}}
	}
	if _, err := client.CancelCommand(ctx, &ssm.CancelCommandInput{CommandId: sent.Command.CommandId,
		InstanceIds: []string{other.ID}}); err != nil {
		t.Fatal(err)
	}
	if c := list(filter("ExecutionStage", "Executing")); c == nil || c.CompletedCount != 1 {
		t.Errorf("cancelled on one: %+v", c)
	}
	w.Advance(time.Hour)
	if c := list(ssm.ListCommandsInput{InstanceId: &linux}); c == nil || c.TargetCount != 2 || c.CompletedCount != 2 || c.ErrorCount != 0 ||
		c.Status != types.CommandStatusFailed {
		t.Errorf("by instance: %+v", c)
	}
	if c := list(filter("Status", "Success")); c != nil {
		t.Errorf("a command that succeeded in part is listed as such: %+v", c)
	}
	if c := list(filter("ExecutionStage", "Complete")); c == nil || c.TargetCount != 2 {
		t.Errorf("by stage: %+v", c)
	}
	if c := list(filter("InvokedBefore", "2020-01-01T00:00:00Z")); c != nil {
		t.Errorf("too old: %+v", c)
	}
	runs, err := client.ListCommandInvocations(ctx, &ssm.ListCommandInvocationsInput{
		CommandId: sent.Command.CommandId, Filters: []types.CommandFilter{{Key: "Status", Value: aws.String("Cancelled")}},
	})
	if err != nil || len(runs.CommandInvocations) != 1 || *runs.CommandInvocations[0].InstanceId != other.ID {
		t.Errorf("invocations %+v, %v", runs, err)
	}
}

// Members of JSON are told apart by case, and nothing may follow the body.
func TestSSMBodies(t *testing.T) {
	e := startSSM(t)
	key := aws.Credentials{AccessKeyID: e.creds.AccessKey, SecretAccessKey: e.creds.SecretKey}
	for body, want := range map[string]string{
		"{}":                "200 ",
		`{"MaxResults": 1}`: "200 ",
		`{"maxresults": 1}`: "400 ValidationException",
		`{"Filters": [{"Key": "Status", "value": "Success"}]}`: "400 ValidationException",
		`{"MaxResults": "1"}`: "400 SerializationException",
		`{} {}`:               "400 SerializationException",
		`{"MaxResults": 1`:    "400 SerializationException",
		`[]`:                  "400 SerializationException",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.sim.URL(model.AWS, "ssm")+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "AmazonSSM.ListCommands")
		if err := v4.NewSigner().SignHTTP(t.Context(), key, r, fmt.Sprintf("%x", sha256.Sum256([]byte(body))), "ssm", e.creds.Region,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		answer, err := e.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Type string `json:"__type"`
		}
		err = json.NewDecoder(answer.Body).Decode(&out)
		answer.Body.Close()
		if got := fmt.Sprint(answer.StatusCode, " ", out.Type); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", body, got, err, want)
		}
	}
}

func TestSSMRefusals(t *testing.T) {
	e := startSSM(t)
	w, ctx := e.sim.World(), context.Background()
	linux, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	add := func(s model.Server) string {
		t.Helper()
		s.Cloud, s.AccountID, s.Region = model.AWS, e.creds.AccountID, e.creds.Region
		added, err := w.AddServer(s)
		if err != nil {
			t.Fatal(err)
		}
		return added.ID
	}
	stopped := add(model.Server{State: model.StateStopped})
	absent := add(model.Server{Guest: model.Guest{Agent: model.AgentAbsent}})
	offline := add(model.Server{Guest: model.Guest{Agent: model.AgentOffline}})
	denied := w.AddAccessKey(model.AccessKey{Cloud: model.AWS, AccountID: e.creds.AccountID, UserID: e.creds.UserID, Deny: []string{"ssm:*"}})
	limited := ssm.NewFromConfig(e.config(denied.ID, denied.Secret, "", e.creds.Region))
	send := func(change func(*ssm.SendCommandInput)) error {
		in := command(t, linux)
		change(in)
		_, err := e.ssm().SendCommand(ctx, in)
		return err
	}
	to := func(ids ...string) error { return send(func(in *ssm.SendCommandInput) { in.InstanceIds = ids }) }
	parameter := func(name string, values ...string) error {
		return send(func(in *ssm.SendCommandInput) { in.Parameters[name] = values })
	}
	get := func(command, id string) error {
		_, err := e.ssm().GetCommandInvocation(ctx, &ssm.GetCommandInvocationInput{CommandId: &command, InstanceId: &id})
		return err
	}
	describe := func(in *ssm.DescribeInstanceInformationInput) error {
		_, err := e.ssm().DescribeInstanceInformation(ctx, in)
		return err
	}
	filter := func(key string, values ...string) []types.InstanceInformationStringFilter {
		return []types.InstanceInformationStringFilter{{Key: &key, Values: values}}
	}
	_, deniedErr := limited.SendCommand(ctx, command(t, linux))
	_, cancelErr := e.ssm().CancelCommand(ctx, &ssm.CancelCommandInput{CommandId: aws.String(w.NewUUID())})
	cancel := func(command string, ids ...string) error {
		_, err := e.ssm().CancelCommand(ctx, &ssm.CancelCommandInput{CommandId: &command, InstanceIds: ids})
		return err
	}
	targets := func(ids ...string) func(...types.Target) error {
		return func(targets ...types.Target) error {
			return send(func(in *ssm.SendCommandInput) { in.InstanceIds, in.Targets = ids, targets })
		}
	}
	commandFilter := func(key types.CommandFilterKey, value string) []types.CommandFilter {
		return []types.CommandFilter{{Key: key, Value: &value}}
	}
	list := func(in *ssm.ListCommandsInput) error {
		_, err := e.ssm().ListCommands(ctx, in)
		return err
	}
	_, stageErr := e.ssm().ListCommandInvocations(ctx, &ssm.ListCommandInvocationsInput{Filters: commandFilter("ExecutionStage", "Complete")})
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("i-%017x", i)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"unknown instance":   {to("i-00000000"), "400 InvalidInstanceId"},
		"one of two unknown": {to(linux, "i-00000000"), "400 InvalidInstanceId"},
		"no instance":        {to(), "400 InvalidInstanceId"},
		"stopped":            {to(stopped), "400 InvalidInstanceId"},
		"no agent":           {to(absent), "400 InvalidInstanceId"},
		"agent offline":      {to(offline), "400 InvalidInstanceId"},
		"twice":              {to(linux, linux), "400 DuplicateInstanceId"},
		"malformed":          {to("i-xyz"), "400 ValidationException"},
		"51 instances":       {to(many...), "400 ValidationException"},
		"shell on Windows":   {to(windows), "400 UnsupportedPlatformType"},
		"no such document":   {send(func(in *ssm.SendCommandInput) { in.DocumentName = aws.String("AWS-Other") }), "400 InvalidDocument"},
		"no such version":    {send(func(in *ssm.SendCommandInput) { in.DocumentVersion = aws.String("7") }), "400 InvalidDocumentVersion"},
		"long comment": {send(func(in *ssm.SendCommandInput) { in.Comment = aws.String(strings.Repeat("x", 101)) }),
			"400 ValidationException"},
		"delivery in 29 s":      {send(func(in *ssm.SendCommandInput) { in.TimeoutSeconds = aws.Int32(29) }), "400 ValidationException"},
		"no commands":           {send(func(in *ssm.SendCommandInput) { delete(in.Parameters, "commands") }), "400 InvalidParameters"},
		"foreign parameter":     {parameter("colour", "red"), "400 InvalidParameters"},
		"execution time 0":      {parameter("executionTimeout", "0"), "400 InvalidParameters"},
		"execution time 172801": {parameter("executionTimeout", "172801"), "400 InvalidParameters"},
		"two directories":       {parameter("workingDirectory", "/", "/tmp"), "400 InvalidParameters"},
		"reference":             {parameter("commands", "echo {{ssm:secret}}"), "400 InvalidParameters"},
		"too long":              {parameter("commands", strings.Repeat("x", 64<<10+1)), "400 MaxDocumentSizeExceeded"},
		"not simulated": {send(func(in *ssm.SendCommandInput) { in.OutputS3BucketName = aws.String("bucket") }),
			"400 ValidationException"},
		"denied":                {deniedErr, "400 AccessDeniedException"},
		"unknown command":       {get(w.NewUUID(), linux), "400 InvocationDoesNotExist"},
		"short command id":      {get("abc", linux), "400 ValidationException"},
		"no UUID":               {get(strings.Repeat("x", 36), linux), "400 InvalidCommandId"},
		"odd document name":     {send(func(in *ssm.SendCommandInput) { in.DocumentName = aws.String("A B") }), "400 ValidationException"},
		"malformed version":     {send(func(in *ssm.SendCommandInput) { in.DocumentVersion = aws.String("0") }), "400 ValidationException"},
		"concurrency 0":         {send(func(in *ssm.SendCommandInput) { in.MaxConcurrency = aws.String("0") }), "400 ValidationException"},
		"errors 101%":           {send(func(in *ssm.SendCommandInput) { in.MaxErrors = aws.String("101%") }), "400 ValidationException"},
		"instances and targets": {targets(linux)(types.Target{Key: aws.String("tag:app"), Values: []string{"demo"}}), "400 ValidationException"},
		"unknown target": {targets()(types.Target{Key: aws.String("InstanceIds"), Values: []string{"i-00000000"}}),
			"400 InvalidInstanceId"},
		"target in lower case": {targets()(types.Target{Key: aws.String("instanceids"), Values: []string{linux}}), "400 ValidationException"},
		"six values of a tag": {targets()(types.Target{Key: aws.String("tag:app"), Values: []string{"1", "2", "3", "4", "5", "6"}}),
			"400 ValidationException"},
		"six targets": {targets()(slices.Repeat([]types.Target{{Key: aws.String("tag:app"), Values: []string{"demo"}}}, 6)...),
			"400 ValidationException"},
		"cancel malformed":     {cancel(w.NewUUID(), "i-xyz"), "400 ValidationException"},
		"51 commands":          {list(&ssm.ListCommandsInput{MaxResults: aws.Int32(51)}), "400 ValidationException"},
		"unknown filter key":   {list(&ssm.ListCommandsInput{Filters: commandFilter("Colour", "red")}), "400 ValidationException"},
		"unknown stage":        {list(&ssm.ListCommandsInput{Filters: commandFilter("ExecutionStage", "red")}), "400 ValidationException"},
		"stage of invocations": {stageErr, "400 InvalidFilterKey"},
		"old filter by tag": {describe(
			&ssm.DescribeInstanceInformationInput{InstanceInformationFilterList: []types.InstanceInformationFilter{{Key: "tag:app",
				ValueSet: []string{"x"}}}}), "400 ValidationException"},
		"no filter values": {describe(&ssm.DescribeInstanceInformationInput{Filters: filter("PingStatus", []string{}...)}),
			"400 ValidationException"},
		"cancel unknown": {cancelErr, "400 InvalidCommandId"},
		"51 on a page":   {describe(&ssm.DescribeInstanceInformationInput{MaxResults: aws.Int32(51)}), "400 ValidationException"},
		"unknown filter": {describe(&ssm.DescribeInstanceInformationInput{Filters: filter("Colour", "red")}), "400 InvalidFilterKey"},
		"malformed filter": {describe(&ssm.DescribeInstanceInformationInput{Filters: filter("InstanceIds", "x")}),
			"400 InvalidInstanceInformationFilterValue"},
		"bad token": {describe(&ssm.DescribeInstanceInformationInput{NextToken: aws.String("x")}), "400 InvalidNextToken"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := awsCode(c.err); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if sent := w.Invocations(nil); len(sent) != 0 {
		t.Errorf("refused commands were queued: %+v", sent)
	}
}

func TestSSMCredentials(t *testing.T) {
	now := time.Now()
	e := startAWS(t, cloudsim.Options{Options: model.Options{Now: func() time.Time { return now }}}, cloudsim.SeedOptions{})
	for name, c := range map[string]struct {
		id, secret, region string
		skew               time.Duration
		want               string
	}{
		"right key":    {e.creds.AccessKey, e.creds.SecretKey, e.creds.Region, 0, ""},
		"wrong secret": {e.creds.AccessKey, "wrong", e.creds.Region, 0, "400 InvalidSignatureException"},
		"unknown key":  {"AKIAUNKNOWN", "x", e.creds.Region, 0, "400 UnrecognizedClientException"},
		"slow clock":   {e.creds.AccessKey, e.creds.SecretKey, e.creds.Region, 6 * time.Minute, "400 InvalidSignatureException"},
		"wrong region": {e.creds.AccessKey, e.creds.SecretKey, "mars-1", 0, "400 InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			now = time.Now().Add(c.skew)
			_, err := ssm.NewFromConfig(e.config(c.id, c.secret, "", c.region)).ListCommands(t.Context(), &ssm.ListCommandsInput{})
			if got := awsCode(err); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.sim.URL(model.AWS, "ssm"), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonSSM.ListCommands")
	answer, err := e.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("unsigned: %s", answer.Status)
	}
}

// What becomes of a command whose server, or whose way to it, is in trouble.
func TestSSMOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		fault           model.Fault
		after           func(w *model.World, id, command string)
		status, details string
		code            int32
		set             bool
	}{
		"agent lost": {model.Fault{}, func(w *model.World, id, _ string) { mustGuest(w, id, model.AgentOffline) }, "TimedOut",
			"DeliveryTimedOut", -1, false},
		"stuck":       {model.Fault{Kind: model.FaultStuck}, nil, "TimedOut", "ExecutionTimedOut", -1, false},
		"late":        {model.Fault{Kind: model.FaultLateApply, Delay: time.Hour / 2}, nil, "Success", "Success", 0, true},
		"too late":    {model.Fault{Kind: model.FaultLateApply, Delay: time.Hour * 3 / 2}, nil, "Failed", "Failed", 85, false},
		"failed":      {model.Fault{Kind: model.FaultFailedNotApplied}, nil, "Failed", "Failed", 1, false},
		"failed, set": {model.Fault{Kind: model.FaultFailedApplied}, nil, "Failed", "Failed", 1, true},
		"terminated":  {model.Fault{}, func(w *model.World, id, _ string) { _ = w.Terminate(id) }, "Failed", "Undeliverable", -1, false},
		"cancelled":   {model.Fault{}, func(w *model.World, _, command string) { w.CancelCommand(command) }, "Cancelled", "Cancelled", -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := startSSM(t)
			w, linux := e.sim.World(), e.creds.Servers["linux-1"]
			if c.fault.Kind != "" {
				c.fault.Action = "SendCommand"
				if _, err := w.AddFault(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			sent, err := e.ssm().SendCommand(t.Context(), command(t, linux))
			if err != nil {
				t.Fatal(err)
			}
			if c.after != nil {
				c.after(w, linux, *sent.Command.CommandId)
			}
			w.Advance(24 * time.Hour)
			out, err := e.ssm().GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: sent.Command.CommandId,
				InstanceId: &linux})
			if err != nil {
				t.Fatal(err)
			}
			if string(out.Status) != c.status || *out.StatusDetails != c.details || out.ResponseCode != c.code {
				t.Errorf("%s, %s, code %d; want %s, %s, %d", out.Status, *out.StatusDetails, out.ResponseCode, c.status, c.details, c.code)
			}
			if server, _ := w.Server(linux); server.HasPassword("root", freshPassword) != c.set {
				t.Errorf("password set: %t, want %t", !c.set, c.set)
			}
		})
	}
}

func mustGuest(w *model.World, id string, agent model.AgentState) {
	if err := w.SetGuest(id, model.Guest{Agent: agent}); err != nil {
		panic(err)
	}
}

func TestSSMManagedInstances(t *testing.T) {
	e := startSSM(t)
	w, linux, windows := e.sim.World(), e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	for range 12 {
		if _, err := w.AddServer(model.Server{Cloud: model.AWS, AccountID: e.creds.AccountID, Region: e.creds.Region,
			Guest: model.Guest{Agent: model.AgentAbsent}}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(filters ...types.InstanceInformationStringFilter) map[string]types.InstanceInformation {
		t.Helper()
		found := map[string]types.InstanceInformation{}
		p := ssm.NewDescribeInstanceInformationPaginator(e.ssm(), &ssm.DescribeInstanceInformationInput{Filters: filters,
			MaxResults: aws.Int32(5)})
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range out.InstanceInformationList {
				found[*i.InstanceId] = i
			}
		}
		return found
	}
	all := list()
	if len(all) != 2 || all[linux].PlatformType != types.PlatformTypeLinux || all[windows].PlatformType != types.PlatformTypeWindows ||
		all[linux].PingStatus != types.PingStatusOnline {
		t.Errorf("managed: %+v", all)
	}
	if err := w.SetState(linux, model.StateStopped); err != nil {
		t.Fatal(err)
	}
	if err := w.Terminate(windows); err != nil {
		t.Fatal(err)
	}
	ids := types.InstanceInformationStringFilter{Key: aws.String("InstanceIds"), Values: []string{linux, windows}}
	if got := list(ids); len(got) != 1 || got[linux].PingStatus != types.PingStatusConnectionLost {
		t.Errorf("one stopped, one terminated: %+v", got)
	}
}

func TestSSMFaults(t *testing.T) {
	e := startSSM(t)
	w, linux := e.sim.World(), e.creds.Servers["linux-1"]
	for kind, want := range map[model.FaultKind]string{
		model.FaultThrottle: "400 ThrottlingException", model.FaultServerError: "500 InternalServerError", model.FaultRefuse: "418 Teapot",
	} {
		if _, err := w.AddFault(model.Fault{Service: "ssm", Instance: linux, Kind: kind, Count: 1, Code: "Teapot", Status: 418}); err != nil {
			t.Fatal(err)
		}
		_, err := e.ssm().SendCommand(t.Context(), command(t, linux))
		if got := awsCode(err); got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	// A command that is not visible yet.
	if _, err := w.AddFault(model.Fault{Action: "SendCommand", Kind: model.FaultLagRecord, Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	sent, err := e.ssm().SendCommand(t.Context(), command(t, linux))
	if err != nil {
		t.Fatal(err)
	}
	in := &ssm.GetCommandInvocationInput{CommandId: sent.Command.CommandId, InstanceId: &linux}
	if _, err := e.ssm().GetCommandInvocation(t.Context(), in); awsCode(err) != "400 InvocationDoesNotExist" {
		t.Errorf("at once: %v", err)
	}
	w.Advance(time.Minute)
	if _, err := e.ssm().GetCommandInvocation(t.Context(), in); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}
