package tencentcloud

import (
	"encoding/base64"
	"regexp"
	"strings"

	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Limits of DescribeInvocationTasks (models.go, DescribeInvocationTasksRequestParams).
const (
	// maxInvocations is how many values a filter takes.
	maxInvocations = 5
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
