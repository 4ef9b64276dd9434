package awsapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Limits of what is kept of a command's output, in characters.
const (
	maxStandardOutput = 24_000
	maxPluginOutput   = 2_500 // ListCommandInvocations
)

// invocations lists the commands of the caller's account and region, oldest first.
func (r *request) invocations(match func(model.Invocation) bool) []model.Invocation {
	place := r.place()
	return r.world.Invocations(func(i model.Invocation) bool { return i.Labels[labelPlace] == place && match(i) })
}

type getInvocationInput struct {
	CommandId  string
	InstanceId string
	PluginName string
}

type invocationOutput struct {
	CommandId              string
	InstanceId             string
	Comment                string
	DocumentName           string
	DocumentVersion        string
	PluginName             string
	ResponseCode           int
	ExecutionStartDateTime string
	ExecutionElapsedTime   string
	ExecutionEndDateTime   string
	Status                 string
	StatusDetails          string
	StandardOutputContent  string
	StandardOutputUrl      string
	StandardErrorContent   string
	StandardErrorUrl       string
}

// getCommandInvocation shows a command on one instance. A command that was sent just now may not be
// there yet (model.FaultLagRecord).
func getCommandInvocation(r *request, in *getInvocationInput) (any, *failure) {
	if f := checkCommandID(in.CommandId); f != nil {
		return nil, f
	}
	if in.InstanceId == "" {
		return nil, missing("instanceId")
	}
	if f := checkInstanceID(in.InstanceId); f != nil {
		return nil, f
	}
	i, ok := r.world.Invocation(in.CommandId, in.InstanceId)
	switch {
	case !ok || i.Labels[labelPlace] != r.place():
		return nil, fail("InvocationDoesNotExist", "")
	case in.PluginName != "" && in.PluginName != plugin(i):
		return nil, fail("InvalidPluginName", "")
	}
	status, details := r.status(i)
	out := invocationOutput{
		CommandId: i.CommandID, InstanceId: i.ServerID, Comment: i.Labels[labelComment], DocumentName: i.Labels[labelDocument],
		DocumentVersion: "$DEFAULT", PluginName: plugin(i), ResponseCode: i.ExitCode, Status: status, StatusDetails: details,
		ExecutionStartDateTime: stamp(i.Started),
	}
	if i.State == model.CommandSucceeded || i.State == model.CommandFailed {
		out.ExecutionEndDateTime, out.ExecutionElapsedTime = stamp(i.Ended), fmt.Sprintf("PT%.3fS", i.Ended.Sub(i.Started).Seconds())
		out.StandardOutputContent = first(i.Output, maxStandardOutput)
	}
	return out, nil
}

// plugin is the name of the documents' one step.
func plugin(i model.Invocation) string {
	if i.Labels[labelDocument] == powerDocument {
		return "aws:runPowerShellScript"
	}
	return "aws:runShellScript"
}

// status says how an invocation stands in the cloud's two words.
func (r *request) status(i model.Invocation) (status, details string) {
	both := func(s string) (string, string) { return s, s }
	switch i.State {
	case model.CommandPending:
		if s, ok := r.world.Server(i.ServerID); ok && s.AgentState() != model.AgentOnline {
			return both("Delayed")
		}
		return both("Pending")
	case model.CommandRunning:
		return both("InProgress")
	case model.CommandSucceeded:
		return both("Success")
	case model.CommandFailed:
		return both("Failed")
	case model.CommandCancelled:
		return both("Cancelled")
	case model.CommandDeliveryTimedOut:
		return "TimedOut", "DeliveryTimedOut"
	case model.CommandTimedOut:
		return "TimedOut", "ExecutionTimedOut"
	}
	// Its server was terminated.
	if i.Started.IsZero() {
		return "Failed", "Undeliverable"
	}
	return "TimedOut", "ExecutionTimedOut"
}

type commandFilter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type listCommandsInput struct {
	CommandId  string
	InstanceId string
	MaxResults *int
	NextToken  string
	Filters    []commandFilter
	Details    bool // ListCommandInvocations only
}

// mostCommands is the largest and default size of a page.
const mostCommands = 50

// find lists what both list calls choose from, newest first.
func (in *listCommandsInput) find(r *request) ([]model.Invocation, int, *failure) {
	size := mostCommands
	if in.MaxResults != nil {
		if size = *in.MaxResults; size < 1 || size > mostCommands {
			return nil, 0, invalid(fmt.Sprint(size), "maxResults", fmt.Sprintf("Member must have value between 1 and %d", mostCommands))
		}
	}
	if in.CommandId != "" {
		if f := checkCommandID(in.CommandId); f != nil {
			return nil, 0, f
		}
	}
	if in.InstanceId != "" {
		if f := checkInstanceID(in.InstanceId); f != nil {
			return nil, 0, f
		}
	}
	for _, f := range in.Filters {
		if !slices.Contains([]string{"InvokedAfter", "InvokedBefore", "Status", "DocumentName"}, f.Key) {
			return nil, 0, fail("InvalidFilterKey", "")
		}
		if _, err := time.Parse(time.RFC3339, f.Value); err != nil && (f.Key == "InvokedAfter" || f.Key == "InvokedBefore") {
			return nil, 0, invalid(f.Value, "filters.1.member.value", "Member must be a time in ISO 8601 form")
		}
	}
	found := r.invocations(func(i model.Invocation) bool {
		return !i.Hidden && (in.CommandId == "" || in.CommandId == i.CommandID) && (in.InstanceId == "" || in.InstanceId == i.ServerID)
	})
	found = slices.DeleteFunc(found, func(i model.Invocation) bool {
		status, _ := r.status(i)
		return slices.ContainsFunc(in.Filters, func(f commandFilter) bool { return !f.matches(i, status) })
	})
	slices.Reverse(found)
	return found, size, nil
}

func (f commandFilter) matches(i model.Invocation, status string) bool {
	at, _ := time.Parse(time.RFC3339, f.Value)
	switch f.Key {
	case "InvokedAfter":
		return i.Queued.After(at)
	case "InvokedBefore":
		return i.Queued.Before(at)
	case "Status":
		return f.Value == status
	default: // DocumentName
		return f.Value == i.Labels[labelDocument]
	}
}

type commandView struct {
	CommandId         string
	DocumentName      string
	DocumentVersion   string
	Comment           string
	ExpiresAfter      float64
	Parameters        map[string][]string
	InstanceIds       []string
	Targets           []string
	RequestedDateTime float64
	Status            string
	StatusDetails     string
	MaxConcurrency    string
	MaxErrors         string
	TargetCount       int
	CompletedCount    int
	ErrorCount        int
	TimeoutSeconds    int
}

// viewCommand makes one command of its invocations.
func viewCommand(all []model.Invocation) commandView {
	labels := all[0].Labels
	delivery, _ := strconv.Atoi(labels[labelTimeout]) // they are ours
	execution, _ := strconv.Atoi(labels[labelExecution])
	v := commandView{
		CommandId: all[0].CommandID, DocumentName: labels[labelDocument], DocumentVersion: "$DEFAULT", Comment: labels[labelComment],
		ExpiresAfter:      epoch(all[0].Queued.Add(time.Duration(delivery+execution) * time.Second)),
		RequestedDateTime: epoch(all[0].Queued), Targets: []string{}, MaxConcurrency: "50", MaxErrors: "0", TimeoutSeconds: delivery,
		TargetCount: len(all), Status: "Pending", StatusDetails: "Pending",
	}
	_ = json.Unmarshal([]byte(labels[labelParameters]), &v.Parameters) // as above
	begun := false
	for _, i := range all {
		v.InstanceIds = append(v.InstanceIds, i.ServerID)
		begun = begun || i.State != model.CommandPending
		if i.State.Final() {
			v.CompletedCount++
		}
		if i.State.Final() && i.State != model.CommandSucceeded {
			v.ErrorCount++
		}
	}
	switch {
	case v.CompletedCount == len(all) && v.ErrorCount == 0:
		v.Status, v.StatusDetails = "Success", "Success"
	case v.CompletedCount == len(all):
		v.Status, v.StatusDetails = "Failed", "Failed"
	case begun:
		v.Status, v.StatusDetails = "InProgress", "InProgress"
	}
	return v
}

type listCommandsOutput struct {
	Commands  []commandView
	NextToken string `json:",omitempty"`
}

// listCommands is the history: who may read it sees the commands' parameters.
func listCommands(r *request, in *listCommandsInput) (any, *failure) {
	found, size, f := in.find(r)
	if f != nil {
		return nil, f
	}
	var ids []string
	byID := map[string][]model.Invocation{}
	for _, i := range found {
		if byID[i.CommandID] == nil {
			ids = append(ids, i.CommandID)
		}
		byID[i.CommandID] = append(byID[i.CommandID], i)
	}
	part, next, ok := cut(ids, in.NextToken, size)
	if !ok {
		return nil, fail("InvalidNextToken", "")
	}
	out := listCommandsOutput{Commands: []commandView{}, NextToken: next}
	for _, id := range part {
		out.Commands = append(out.Commands, viewCommand(byID[id]))
	}
	return out, nil
}

type pluginView struct {
	Name, Status, StatusDetails string
	ResponseCode                int
	ResponseStartDateTime       float64
	ResponseFinishDateTime      float64
	Output                      string
}

type invocationView struct {
	CommandId         string
	InstanceId        string
	InstanceName      string
	Comment           string
	DocumentName      string
	DocumentVersion   string
	RequestedDateTime float64
	Status            string
	StatusDetails     string
	CommandPlugins    []pluginView
}

type listInvocationsOutput struct {
	CommandInvocations []invocationView
	NextToken          string `json:",omitempty"`
}

// listCommandInvocations is the history by instance, with the output if Details is set.
func listCommandInvocations(r *request, in *listCommandsInput) (any, *failure) {
	found, size, f := in.find(r)
	if f != nil {
		return nil, f
	}
	part, next, ok := cut(found, in.NextToken, size)
	if !ok {
		return nil, fail("InvalidNextToken", "")
	}
	out := listInvocationsOutput{CommandInvocations: []invocationView{}, NextToken: next}
	for _, i := range part {
		status, details := r.status(i)
		v := invocationView{
			CommandId: i.CommandID, InstanceId: i.ServerID, Comment: i.Labels[labelComment], DocumentName: i.Labels[labelDocument],
			DocumentVersion: "$DEFAULT", RequestedDateTime: epoch(i.Queued), Status: status, StatusDetails: details, CommandPlugins: []pluginView{},
		}
		if in.Details {
			v.CommandPlugins = append(v.CommandPlugins, pluginView{
				Name: plugin(i), Status: status, StatusDetails: details, ResponseCode: i.ExitCode,
				ResponseStartDateTime: epoch(i.Started), ResponseFinishDateTime: epoch(i.Ended), Output: first(i.Output, maxPluginOutput),
			})
		}
		out.CommandInvocations = append(out.CommandInvocations, v)
	}
	return out, nil
}

// first cuts a text to its first characters.
func first(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n])
	}
	return text
}

// epoch is how JSON 1.1 writes times; 0 for none.
func epoch(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// stamp is how GetCommandInvocation writes times; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}
