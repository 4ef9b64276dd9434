package awsapi

import (
	"cmp"
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
	case optional(in.PluginName, "pluginName", pluginName) != nil:
		return nil, optional(in.PluginName, "pluginName", pluginName)
	case in.PluginName != "" && in.PluginName != plugin(i):
		return nil, fail("InvalidPluginName", "")
	}
	status, details := r.status(i)
	out := invocationOutput{
		CommandId: i.CommandID, InstanceId: i.ServerID, Comment: i.Labels[labelComment], DocumentName: i.Labels[labelDocument],
		DocumentVersion: version(i.Labels), PluginName: plugin(i), ResponseCode: i.ExitCode, Status: status, StatusDetails: details,
		ExecutionStartDateTime: stamp(i.Started),
	}
	if i.State == model.CommandSucceeded || i.State == model.CommandFailed {
		out.ExecutionEndDateTime, out.ExecutionElapsedTime = stamp(i.Ended), fmt.Sprintf("PT%.3fS", i.Ended.Sub(i.Started).Seconds())
		out.StandardOutputContent = first(i.Output, maxStandardOutput)
	}
	return out, nil
}

// pluginName is what the model says of PluginName.
var pluginName = text(4, 0, "")

// version is the version of the document that a command names.
func version(labels map[string]string) string { return cmp.Or(labels[labelVersion], "$DEFAULT") }

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

// What a filter of the two list calls may ask for.
const (
	invokedAfter   = "InvokedAfter"
	invokedBefore  = "InvokedBefore"
	byStatus       = "Status"
	byStage        = "ExecutionStage" // ListCommands only
	byDocument     = "DocumentName"
	stageExecuting = "Executing"
	stageComplete  = "Complete"
	maxFilters     = 5
)

var filterValue = text(1, 128, "")

// check checks what both list calls share, and returns the size of a page. stages says whether
// ExecutionStage may be a filter.
func (in *listCommandsInput) check(stages bool) (int, *failure) {
	if f := cmp.Or(number(in.MaxResults, "maxResults", 1, mostCommands), optional(in.InstanceId, "instanceId", managedID)); f != nil {
		return 0, f
	}
	if in.CommandId != "" {
		if f := checkCommandID(in.CommandId); f != nil {
			return 0, f
		}
	}
	switch n := len(in.Filters); {
	case in.Filters != nil && n == 0:
		return 0, invalid("[]", "filters", tooShort(1))
	case n > maxFilters:
		return 0, invalid(fmt.Sprint(in.Filters), "filters", tooLong(maxFilters))
	}
	for i, f := range in.Filters {
		member := fmt.Sprintf("filters.%d.member.", i+1)
		if bad := cmp.Or(
			invalid(f.Key, member+"key", oneOf(f.Key, invokedAfter, invokedBefore, byStatus, byStage, byDocument)),
			invalid(f.Value, member+"value", filterValue.broken(f.Value)),
		); bad != nil {
			return 0, bad
		}
		switch f.Key {
		case invokedAfter, invokedBefore:
			if _, err := time.Parse(time.RFC3339, f.Value); err != nil {
				return 0, invalid(f.Value, member+"value", "Member must be a time in ISO 8601 form")
			}
		case byStage:
			if !stages {
				return 0, fail("InvalidFilterKey", "")
			}
			if bad := invalid(f.Value, member+"value", oneOf(f.Value, stageExecuting, stageComplete)); bad != nil {
				return 0, bad
			}
		}
	}
	if in.MaxResults != nil {
		return *in.MaxResults, nil
	}
	return mostCommands, nil
}

// find lists what both list calls choose from, newest first.
func (in *listCommandsInput) find(r *request) []model.Invocation {
	found := r.invocations(func(i model.Invocation) bool {
		return !i.Hidden && (in.CommandId == "" || in.CommandId == i.CommandID)
	})
	slices.Reverse(found)
	return found
}

// matches says whether all filters let a command, or one on an instance, through.
func (in *listCommandsInput) matches(queued time.Time, document, status, details string) bool {
	return !slices.ContainsFunc(in.Filters, func(f commandFilter) bool {
		at, _ := time.Parse(time.RFC3339, f.Value) // checked
		switch f.Key {
		case invokedAfter:
			return queued.Before(at)
		case invokedBefore:
			return !queued.Before(at)
		case byStatus:
			return f.Value != status && f.Value != details
		case byStage:
			complete := !slices.Contains([]string{"Pending", "InProgress"}, status)
			return complete != (f.Value == stageComplete)
		default: // DocumentName
			return f.Value != document
		}
	})
}

type commandView struct {
	CommandId             string
	DocumentName          string
	DocumentVersion       string
	Comment               string
	ExpiresAfter          float64
	Parameters            map[string][]string
	InstanceIds           []string
	Targets               []commandTarget
	RequestedDateTime     float64
	Status                string
	StatusDetails         string
	MaxConcurrency        string
	MaxErrors             string
	TargetCount           int
	CompletedCount        int
	ErrorCount            int
	DeliveryTimedOutCount int
	TimeoutSeconds        int
}

// viewCommand makes one command of all its invocations.
func (r *request) viewCommand(all []model.Invocation) commandView {
	labels := all[0].Labels
	delivery, _ := strconv.Atoi(labels[labelTimeout]) // they are ours
	execution, _ := strconv.Atoi(labels[labelExecution])
	v := commandView{
		CommandId: all[0].CommandID, DocumentName: labels[labelDocument], DocumentVersion: version(labels), Comment: labels[labelComment],
		ExpiresAfter:      epoch(all[0].Queued.Add(time.Duration(delivery+execution) * time.Second)),
		RequestedDateTime: epoch(all[0].Queued), InstanceIds: []string{}, TimeoutSeconds: delivery, TargetCount: len(all),
		MaxConcurrency: cmp.Or(labels[labelConcurrency], "50"), MaxErrors: cmp.Or(labels[labelErrors], "0"),
	}
	_ = json.Unmarshal([]byte(labels[labelParameters]), &v.Parameters) // as above
	_ = json.Unmarshal([]byte(labels[labelTargets]), &v.Targets)
	begun, ends := false, map[[2]string]bool{}
	for _, i := range all {
		if len(v.Targets) == 0 {
			v.InstanceIds = append(v.InstanceIds, i.ServerID)
		}
		begun = begun || i.State != model.CommandPending
		if !i.State.Final() {
			continue
		}
		v.CompletedCount++
		status, details := r.status(i)
		ends[[2]string{status, details}] = true
		switch details {
		case "Failed", "ExecutionTimedOut", "Undeliverable":
			v.ErrorCount++
		case "DeliveryTimedOut":
			v.DeliveryTimedOutCount++
		}
	}
	v.Status, v.StatusDetails = "Pending", "Pending"
	switch {
	case v.CompletedCount == len(all) && len(ends) == 1:
		for end := range ends {
			v.Status, v.StatusDetails = end[0], end[1]
		}
		if v.StatusDetails == "Undeliverable" { // of an invocation only
			v.StatusDetails = v.Status
		}
	case v.CompletedCount == len(all):
		// With MaxErrors 0 the first that is none of Success decides; a larger one is not looked at.
		v.Status, v.StatusDetails = "Failed", "Failed"
	case begun:
		v.Status, v.StatusDetails = "InProgress", "InProgress"
	}
	if v.Targets == nil {
		v.Targets = []commandTarget{}
	}
	return v
}

type listCommandsOutput struct {
	Commands  []commandView
	NextToken string `json:",omitempty"`
}

// listCommands is the history: who may read it sees the commands' parameters.
func listCommands(r *request, in *listCommandsInput) (any, *failure) {
	if in.Details {
		return nil, fail("ValidationException", "the simulator: json: unknown field \"Details\"")
	}
	size, f := in.check(true)
	if f != nil {
		return nil, f
	}
	var ids []string
	byID := map[string][]model.Invocation{}
	for _, i := range in.find(r) {
		if byID[i.CommandID] == nil {
			ids = append(ids, i.CommandID)
		}
		byID[i.CommandID] = append(byID[i.CommandID], i)
	}
	views := []commandView{}
	for _, id := range ids {
		slices.Reverse(byID[id]) // in the order in which they were named
		v := r.viewCommand(byID[id])
		sent := in.InstanceId == "" || slices.ContainsFunc(byID[id], func(i model.Invocation) bool { return i.ServerID == in.InstanceId })
		if sent && in.matches(byID[id][0].Queued, v.DocumentName, v.Status, v.StatusDetails) {
			views = append(views, v)
		}
	}
	part, next, ok := cut(views, in.NextToken, size)
	if !ok {
		return nil, fail("InvalidNextToken", "")
	}
	return listCommandsOutput{part, next}, nil
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
	size, f := in.check(false)
	if f != nil {
		return nil, f
	}
	found := slices.DeleteFunc(in.find(r), func(i model.Invocation) bool {
		status, details := r.status(i)
		return in.InstanceId != "" && in.InstanceId != i.ServerID || !in.matches(i.Queued, i.Labels[labelDocument], status, details)
	})
	part, next, ok := cut(found, in.NextToken, size)
	if !ok {
		return nil, fail("InvalidNextToken", "")
	}
	out := listInvocationsOutput{CommandInvocations: []invocationView{}, NextToken: next}
	for _, i := range part {
		status, details := r.status(i)
		v := invocationView{
			CommandId: i.CommandID, InstanceId: i.ServerID, Comment: i.Labels[labelComment], DocumentName: i.Labels[labelDocument],
			DocumentVersion: version(i.Labels), RequestedDateTime: epoch(i.Queued), Status: status, StatusDetails: details,
			CommandPlugins: []pluginView{},
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
