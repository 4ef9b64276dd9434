package tencentapi

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxTaskOutput is how much of an output TAT keeps, in bytes.
const maxTaskOutput = 24 << 10

type tasksParams struct {
	InvocationTaskIds []string
	Filters           []filter
	Limit             *uint64
	Offset            *uint64
	HideOutput        *bool
}

type tasksResult struct {
	TotalCount        int
	InvocationTaskSet []task
	RequestID         string `json:"RequestId"`
}

// task is a command on a server as TAT shows it.
type task struct {
	InvocationID     string `json:"InvocationId"`
	InvocationTaskID string `json:"InvocationTaskId"`
	CommandID        string `json:"CommandId"`
	TaskStatus       string
	InstanceID       string `json:"InstanceId"`
	TaskResult       taskResult
	StartTime        *string
	EndTime          *string
	CreatedTime      string
	UpdatedTime      string
	CommandDocument  document
	ErrorInfo        string
	InvocationSource string
}

type taskResult struct {
	ExitCode      int64
	Output        string
	ExecStartTime *string
	ExecEndTime   *string
	Dropped       uint64
	OutputURL     string `json:"OutputUrl"`
	UploadError   string `json:"OutputUploadCOSErrorInfo"`
}

type document struct {
	Content          string
	CommandType      string
	Timeout          uint64
	WorkingDirectory string
	Username         string
}

// describeInvocationTasks lists tasks, the newest first.
func describeInvocationTasks(r *request, params any) (any, *failure) {
	p := params.(*tasksParams)
	limit, offset := or(p.Limit, defaultLimit), or(p.Offset, 0)
	switch {
	case len(p.InvocationTaskIds) > 0 && len(p.Filters) > 0:
		return nil, fail("InvalidParameter.ConflictParameter", "InvocationTaskIds and Filters cannot be given together.")
	case len(p.InvocationTaskIds) > maxInstanceIDs:
		return nil, fail("InvalidParameterValue", "There are too many InvocationTaskIds.")
	case limit < 1 || limit > maxLimit:
		return nil, fail("InvalidParameterValue", fmt.Sprintf("Limit must be between 1 and %d.", maxLimit))
	}
	match, f := taskFilter(p)
	if f != nil {
		return nil, f
	}
	var all []task
	for _, i := range r.world.Invocations(func(i model.Invocation) bool { return !i.Hidden }) {
		if s, ok := r.world.Server(i.ServerID); ok && r.owns(s) && match(i) {
			all = append(all, viewTask(i, or(p.HideOutput, true)))
		}
	}
	slices.Reverse(all)
	out := tasksResult{TotalCount: len(all), InvocationTaskSet: []task{}, RequestID: r.id}
	if offset < uint64(len(all)) {
		out.InvocationTaskSet = all[offset:min(offset+limit, uint64(len(all)))]
	}
	return out, nil
}

// taskField is what tasks are filtered by: how it is read, its form, and the code for another form.
type taskField struct {
	read    func(model.Invocation) string
	valid   *regexp.Regexp
	refusal string
}

var taskFields = map[string]taskField{
	"invocation-id": {func(i model.Invocation) string { return i.CommandID }, regexp.MustCompile(`^inv-[0-9a-z]{8}$`),
		"InvalidParameterValue.InvalidInvocationId"},
	"invocation-task-id": {func(i model.Invocation) string { return i.Labels["task/"+i.ServerID] }, taskID,
		"InvalidParameterValue.InvalidInvocationTaskId"},
	"instance-id": {func(i model.Invocation) string { return i.ServerID }, instanceID, "InvalidParameterValue.InvalidInstanceId"},
	"command-id": {func(i model.Invocation) string { return i.Labels["command"] }, regexp.MustCompile(`^cmd-[0-9a-z]{8}$`),
		"InvalidParameterValue.InvalidCommandId"},
}

var taskID = regexp.MustCompile(`^invt-[0-9a-z]{8}$`)

// taskFilter makes the test that a request asks for.
func taskFilter(p *tasksParams) (func(model.Invocation) bool, *failure) {
	if len(p.Filters) > maxFilters {
		return nil, fail("InvalidParameterValue.InvalidFilter", fmt.Sprintf("There are more than %d Filters.", maxFilters))
	}
	for _, f := range p.Filters {
		if _, known := taskFields[f.Name]; !known || len(f.Values) == 0 || len(f.Values) > maxFilterValues {
			return nil, fail("InvalidParameterValue.InvalidFilter", "The filter `"+f.Name+"` is invalid.")
		}
	}
	for _, f := range append(slices.Clone(p.Filters), filter{"invocation-task-id", p.InvocationTaskIds}) {
		field, known := taskFields[f.Name]
		for _, v := range f.Values {
			if known && !field.valid.MatchString(v) {
				return nil, fail(field.refusal, "The value `"+v+"` of `"+f.Name+"` is invalid.")
			}
		}
	}
	return func(i model.Invocation) bool {
		if len(p.InvocationTaskIds) > 0 {
			return slices.Contains(p.InvocationTaskIds, taskFields["invocation-task-id"].read(i))
		}
		for _, f := range p.Filters {
			if !slices.Contains(f.Values, taskFields[f.Name].read(i)) {
				return false
			}
		}
		return true
	}, nil
}

// taskStatus is the state of a command in TAT's words.
func taskStatus(i model.Invocation) string {
	switch i.State {
	case model.CommandPending:
		return "PENDING"
	case model.CommandRunning:
		return "RUNNING"
	case model.CommandSucceeded:
		return "SUCCESS"
	case model.CommandFailed:
		return "FAILED"
	case model.CommandTimedOut:
		return "TIMEOUT"
	case model.CommandDeliveryTimedOut:
		return "DELIVER_FAILED"
	case model.CommandCancelled:
		if i.Started.IsZero() {
			return "CANCELLED"
		}
		return "TERMINATED"
	default:
		return "TASK_TIMEOUT"
	}
}

func viewTask(i model.Invocation, hide bool) task {
	t := task{
		InvocationID: i.CommandID, InvocationTaskID: i.Labels["task/"+i.ServerID], CommandID: i.Labels["command"],
		TaskStatus: taskStatus(i), InstanceID: i.ServerID, StartTime: stamp(i.Started), EndTime: stamp(i.Ended),
		CreatedTime: *stamp(i.Queued), UpdatedTime: *stamp(latest(i.Queued, i.Started, i.Ended)), InvocationSource: "USER",
		ErrorInfo:  errorInfo[taskStatus(i)],
		TaskResult: taskResult{ExecStartTime: stamp(i.Started), ExecEndTime: stamp(i.Ended)},
		CommandDocument: document{
			Content: base64.StdEncoding.EncodeToString([]byte(i.Text)), CommandType: i.Labels["type"],
			WorkingDirectory: i.Labels["directory"], Username: i.Labels["user"],
		},
	}
	_, _ = fmt.Sscan(i.Labels["timeout"], &t.CommandDocument.Timeout)
	// What a client must not look at before the end, and what it has to
	// believe only in the states with an exit code, is an innocent 0.
	if i.State == model.CommandSucceeded || i.State == model.CommandFailed {
		t.TaskResult.ExitCode = int64(i.ExitCode)
	}
	kept := min(len(i.Output), maxTaskOutput)
	t.TaskResult.Dropped = uint64(len(i.Output) - kept)
	if !hide {
		t.TaskResult.Output = base64.StdEncoding.EncodeToString([]byte(i.Output[:kept]))
	}
	return t
}

// errorInfo is why a command did not come to its own end. The cloud's words are not known.
var errorInfo = map[string]string{
	"DELIVER_FAILED": "The agent did not fetch the command in time.",
	"TIMEOUT":        "The command did not end in time.",
	"TASK_TIMEOUT":   "The agent did not report in time.",
	"CANCELLED":      "The command was cancelled.",
	"TERMINATED":     "The command was cancelled.",
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// taskTime is the form of times in the examples of the API page: 2020-11-05T07:49:58+00:00.
const taskTime = "2006-01-02T15:04:05-07:00"

// stamp is a time that may not have come yet.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(taskTime)
	return &text
}
