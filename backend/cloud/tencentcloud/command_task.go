package tencentcloud

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Limits of DescribeInvocationTasks (models.go, DescribeInvocationTasksRequestParams).
const (
	// maxInvocations is how many values a filter takes.
	maxInvocations = 5
	// tasksPage is the greatest Limit.
	tasksPage = 100
	// maxTaskPages bounds a listing: maxInvocations commands on maxCommandIDs instances each, and one page
	// more that is empty.
	maxTaskPages = maxInvocations*maxCommandIDs/tasksPage + 1
	// maxTaskOutput is what is decoded of an output, in bytes of base64. TAT keeps 24 KB of it.
	maxTaskOutput = 64 << 10
)

// invocationForm is the form of invocation ids, wider than that of the SDK's texts (inv-xxxxxxxx).
var invocationForm = regexp.MustCompile(`^inv-[0-9A-Za-z-]{1,64}$`)

// task is a command on one instance.
type task struct {
	invocation, instance string
	interpreter          guest.Interpreter
	status               string
	exitCode             int
	output               string
	// reason is the cloud's own word about a command that was not run to its end.
	reason string
}

// tasks returns the tasks of commands. Those that the cloud does not show (yet) are missing.
func (c command) tasks(ctx context.Context, invocations []string) ([]task, error) {
	var found []task
	for batch := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(invocations))), maxInvocations) {
		set, err := c.tasksOf(ctx, batch)
		if err != nil {
			return nil, err
		}
		found = append(found, set...)
	}
	return found, nil
}

// tasksOf lists the tasks of at most maxInvocations commands, page by page.
func (c command) tasksOf(ctx context.Context, invocations []string) ([]task, error) {
	var found []task
	for page := range uint64(maxTaskPages) {
		request := tat.NewDescribeInvocationTasksRequest()
		request.Filters = []*tat.Filter{{Name: common.StringPtr("invocation-id"), Values: common.StringPtrs(invocations)}}
		request.HideOutput = common.BoolPtr(false)
		request.Limit = common.Uint64Ptr(tasksPage)
		request.Offset = common.Uint64Ptr(page * tasksPage)
		var answer *tat.DescribeInvocationTasksResponseParams
		err := c.ask(ctx, describeInvocationTasks, func(ctx context.Context, s *session) error {
			response, err := s.describeInvocationTasks(ctx, request)
			if err == nil {
				answer = response.Response
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, t := range answer.InvocationTaskSet {
			if t != nil && slices.Contains(invocations, value(t.InvocationId)) {
				found = append(found, readTask(t))
			}
		}
		if len(answer.InvocationTaskSet) < tasksPage {
			break
		}
	}
	return found, nil
}

// readTask maps what the cloud shows of a task.
func readTask(t *tat.InvocationTask) task {
	out := task{
		invocation: value(t.InvocationId), instance: value(t.InstanceId), status: value(t.TaskStatus),
		reason: text.Line(value(t.ErrorInfo), cloud.MaxText), interpreter: guest.Shell, exitCode: -1,
	}
	if d := t.CommandDocument; d != nil && strings.EqualFold(value(d.CommandType), "POWERSHELL") {
		out.interpreter = guest.PowerShell
	}
	if r := t.TaskResult; r != nil {
		if r.ExitCode != nil {
			out.exitCode = int(*r.ExitCode)
		}
		encoded := value(r.Output)
		// Four characters of base64 are three bytes, so a cut at a multiple of four can be decoded.
		text, err := base64.StdEncoding.DecodeString(encoded[:min(len(encoded), maxTaskOutput)])
		if err == nil {
			out.output = string(text)
		}
	}
	return out
}

// ends are the states in which a command has ended without its own exit code, by whether it was certainly
// not run, in the words of models.go (InvocationTask.TaskStatus).
var ends = map[string]verdict{
	"START_FAILED":   {cloud.Refused, "the agent could not start the command on the server"},
	"CANCELLED":      {cloud.Refused, "the command was cancelled before it started"},
	"DELIVER_FAILED": {cloud.Unknown, "TAT could not deliver the command to the agent; see whether it is online"},
	"TIMEOUT":        {cloud.Unknown, "the command did not end in time and was ended by the agent; see what holds the server up"},
	"TASK_TIMEOUT":   {cloud.Unknown, "the agent did not report in time; see whether it is online"},
	"TERMINATED":     {cloud.Unknown, "the command was cancelled while it ran"},
}

// failure is why a command has no exit code of its own, in the words of the state in which it ended.
func (t task) failure(end verdict) *cloud.Error {
	e := cloud.Errorf(end.kind, "%s", end.advice)
	if t.reason != "" && t.interpreter == guest.Shell { // a Windows guest's words are kept out, see package guest
		e.Message += "; the cloud says: " + t.reason
	}
	return e
}

// run is the task as package guest judges it. A state that is not known is not final.
func (t task) run() guest.Run {
	if t.status == "SUCCESS" || t.status == "FAILED" {
		return guest.Run{State: guest.Exited, Interpreter: t.interpreter, ExitCode: t.exitCode, Output: t.output}
	}
	if end, ended := ends[t.status]; ended {
		return guest.Run{State: guest.CutOff, Interpreter: t.interpreter, Failure: t.failure(end)}
	}
	return guest.Run{State: guest.Running}
}

// Look implements guest.Service. TAT keeps a record of each command.
func (c command) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	invocations := make([]string, len(refs))
	for i, ref := range refs {
		invocations[i] = ref.RequestID
	}
	tasks, err := c.tasks(ctx, invocations)
	if err != nil {
		return nil, err
	}
	runs := make(map[cloud.ResetRef]guest.Run, len(tasks))
	for _, t := range tasks {
		runs[cloud.ResetRef{InstanceID: t.instance, RequestID: t.invocation}] = t.run()
	}
	return runs, nil
}

// Ready implements guest.Service. Of an instance it is told whether it exists; TAT itself looks at its state and its
// agent before it takes a command.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	set, err := c.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(set))
	for _, i := range set {
		s, _ := state(value(i.InstanceState), value(i.RestrictState))
		records[value(i.InstanceId)] = cloud.ResetRecord{Gone: s == cloud.StateGone}
	}
	return records, nil
}
