package alibabacloud

import (
	"encoding/base64"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxOutput is what is decoded of an output, in bytes of base64. The cloud keeps 24 KB of it.
const maxOutput = 64 << 10

// result is a command on one instance, as DescribeInvocationResults shows it (ecs-20140526 v7.7.0,
// describe_invocation_results_response_body_model.go).
type result struct {
	InstanceID           string `json:"InstanceId"`
	InvokeID             string `json:"InvokeId"`
	InvocationStatus     string
	ExitCode             *int
	Output               string
	ErrorCode, ErrorInfo string
	// StartTime is empty while the script has not begun.
	StartTime string
	// Username is whom the script ran as, and so tells what ran it.
	Username string
}

// interpreter is what ran the script. Where that is not told, nothing of its output is repeated in messages.
func (r result) interpreter() guest.Interpreter {
	if r.Username == shellUser {
		return guest.Shell
	}
	return guest.PowerShell
}

// output is what the script printed.
func (r result) output() string {
	// Four characters of base64 are three bytes, so a cut at a multiple of four can be decoded.
	decoded, err := base64.StdEncoding.DecodeString(r.Output[:min(len(r.Output), maxOutput)])
	if err != nil {
		return ""
	}
	return string(decoded)
}

// ends are the states in which a command has ended without its own exit code, by whether it was certainly not run
// (help.aliyun.com/document_detail/452179.htm). Success and Failed are no such states, all others are not final.
var ends = map[string]verdict{
	"Invalid":   {cloud.Refused, "the cloud does not accept the command for this instance"},
	"Cancelled": {cloud.Refused, "the command was cancelled before it started"},
	"Aborted": {cloud.Unknown,
		"the cloud could not send the command within a minute; see that the instance runs and that its agent is online"},
	"Error":      {cloud.Unknown, "the command could not go on"},
	"Timeout":    {cloud.Unknown, "the command did not end in time and was ended by the agent; see what holds the server up"},
	"Terminated": {cloud.Unknown, "the command was ended while it ran"},
	"Stopped":    {cloud.Unknown, "the command was stopped"},
}

// causes are why a command did not run to its end, by ErrorCode (ecs-20140526 v7.7.0, and older versions of it, on
// DescribeInvocations). Those that are Refused were never handed to an agent. Some names are concluded from the texts of
// ErrorInfo.
var causes = map[string]verdict{
	"InstanceNotExists":       {cloud.Refused, "the instance does not exist any more"},
	"InstanceReleased":        {cloud.Refused, "the instance was released"},                   // concluded
	"InstanceNotRunning":      {cloud.Refused, "the instance was not running; start it"},      // concluded
	"AccountNotExists":        {cloud.Refused, "the server lacks the agent's user"},           // concluded
	"CommandNotApplicable":    {cloud.Unknown, "the command does not fit the server"},         // concluded
	"DirectoryNotExists":      {cloud.Unknown, "the agent's folder is missing on the server"}, // the name is cut off in the source
	"SecurityGroupRuleDenied": {cloud.Refused, "a rule of the instance's security group keeps the agent from the cloud"},
	"TaskConcurrencyLimit":    {cloud.Refused, "too many commands run at the same time; the next attempt comes later"},
	"BadCronExpression":       {cloud.Unknown, "the cloud took the command for a scheduled one"},
	"ClientNotRunning":        {cloud.Unknown, adviceAgent},
	"ClientNotResponse":       {cloud.Unknown, adviceAgent},
	"ClientIsUpgrading":       {cloud.Unknown, "the instance's Cloud Assistant Agent is being upgraded"},
	"ClientNeedUpgrade":       {cloud.Unknown, "the instance's Cloud Assistant Agent is too old; upgrade it"},
	"DeliveryTimeout":         {cloud.Unknown, "the cloud could not send the command in time; see that the agent is online"},
	"ExecutionTimeout":        {cloud.Unknown, "the command did not end in time and was ended by the agent; see what holds the server up"},
	"ExecutionException":      {cloud.Unknown, "the agent could not run the command to its end"},
	"ExecutionInterrupted":    {cloud.Unknown, "the command was interrupted"},
}

// codeExit is the ErrorCode of a script that ended by itself, with an exit code other than 0.
const codeExit = "ExitCodeNonzero"

// run is the result as package guest judges it. A state that is not known is not final.
func (r result) run() guest.Run {
	end, ended := ends[r.InvocationStatus]
	switch {
	case r.InvocationStatus == "Success", r.InvocationStatus == "Failed" && r.exited():
		return guest.Run{ID: r.InvokeID, State: guest.Exited, Interpreter: r.interpreter(), ExitCode: r.exitCode(), Output: r.output()}
	case r.InvocationStatus == "Failed":
		end = verdict{cloud.Unknown, "the command failed"}
	case !ended:
		return guest.Run{ID: r.InvokeID, State: guest.Running}
	}
	return guest.Run{ID: r.InvokeID, State: guest.CutOff, Interpreter: r.interpreter(), Failure: r.failure(end)}
}

// exited reports whether a command that Failed ended by itself.
func (r result) exited() bool {
	return r.ExitCode != nil && *r.ExitCode != 0 && (r.ErrorCode == "" || r.ErrorCode == codeExit)
}

// exitCode is that of the script; -1, which is none of a script's, where the cloud tells none.
func (r result) exitCode() int {
	if r.ExitCode == nil {
		return -1
	}
	return *r.ExitCode
}

// failure is why a command has no exit code of its own. Whether it was certainly not run is for its state to say, but for
// causes that keep it from every agent, unless it had begun by then.
func (r result) failure(end verdict) *cloud.Error {
	kind, reason := end.kind, end.advice
	if cause, known := causes[r.ErrorCode]; known {
		reason += ": " + cause.advice
		if cause.kind == cloud.Refused && r.StartTime == "" {
			kind = cloud.Refused
		}
	}
	e := cloud.Errorf(kind, "%s", reason)
	said := text.Line(strings.TrimSpace(r.ErrorCode+" "+r.ErrorInfo), cloud.MaxText)
	if said != "" && r.interpreter() == guest.Shell { // a Windows guest's words are kept out, see package guest
		e.Message += "; the cloud says: " + said
	}
	return e
}
