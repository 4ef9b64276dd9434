package tencentapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Limits of RunCommand (models.go of tat v20201028).
const (
	maxContent     = 64 << 10 // of base64
	maxCommandName = 60       // bytes
	maxDescription = 120      // characters
	maxTimeout     = 86400    // seconds
	defaultTimeout = 60
)

// deliveryTimeout is the simulator's own: no page says how long TAT waits for
// an agent that goes offline just then.
const deliveryTimeout = 10 * time.Minute

var commandName = regexp.MustCompile(`^[\p{Han}A-Za-z0-9_.-]+$`)

func tatService() *service {
	return &service{name: "tat", version: "2020-10-28", regional: true, actions: map[string]action{
		"RunCommand": {
			params: func() any { return new(runCommandParams) }, run: runCommand,
		},
		"DescribeInvocationTasks": {
			params: func() any { return new(tasksParams) }, run: describeInvocationTasks,
		},
	}}
}

type runCommandParams struct {
	Content            *string
	InstanceIds        []string
	CommandName        *string
	Description        *string
	CommandType        *string
	WorkingDirectory   *string
	Timeout            *uint64
	SaveCommand        *bool
	EnableParameter    *bool
	DefaultParameters  *string
	Parameters         *string
	Tags               []tag
	Username           *string
	OutputCOSBucketUrl *string
	OutputCOSKeyPrefix *string
}

type runCommandResult struct {
	CommandID    string `json:"CommandId"`
	InvocationID string `json:"InvocationId"`
	RequestID    string `json:"RequestId"`
}

// runCommand accepts or refuses a command for all the instances.
func runCommand(r *request, params any) (any, *failure) {
	p := params.(*runCommandParams)
	script, f := checkCommand(p)
	if f != nil {
		return nil, f
	}
	kind := or(p.CommandType, "SHELL")
	for _, id := range p.InstanceIds {
		s, ok := r.world.Server(id)
		if f := checkTarget(r, s, ok, id, kind); f != nil {
			return nil, f
		}
	}
	if or(p.Username, users[kind]) != users[kind] {
		return nil, fail("InvalidParameter.InvalidUsername", "The simulated agent runs commands as `"+users[kind]+"` only.")
	}
	c := model.Command{
		ID: "inv-" + r.world.NewBase36(8), ServerIDs: p.InstanceIds, Interpreter: interpreters[kind], Text: script,
		DeliveryTimeout: deliveryTimeout, ExecutionTimeout: time.Duration(or(p.Timeout, defaultTimeout)) * time.Second,
		Labels: map[string]string{
			"command": "cmd-" + r.world.NewBase36(8), "type": kind, "timeout": fmt.Sprint(or(p.Timeout, defaultTimeout)),
			"directory": or(p.WorkingDirectory, directories[kind]), "user": or(p.Username, users[kind]),
		},
	}
	for _, id := range p.InstanceIds {
		c.Labels["task/"+id] = "invt-" + r.world.NewBase36(8)
	}
	err := r.world.StartCommand(r.exchange, c)
	if refused := new(model.RefusedError); errors.As(err, &refused) {
		// The server changed since it was looked at.
		s, ok := r.world.Server(refused.ServerID)
		if f := checkTarget(r, s, ok, refused.ServerID, kind); f != nil {
			return nil, f
		}
	}
	if err != nil {
		return nil, fail("InternalError", err.Error())
	}
	return runCommandResult{c.Labels["command"], c.ID, r.id}, nil
}

// interpreters are the model's words for the types of commands.
var interpreters = map[string]string{"SHELL": "shell", "POWERSHELL": "powershell"}

// directories and users are where and as whom commands run by default, by type
// (models.go, RunCommandRequestParams).
var (
	directories = map[string]string{"SHELL": "/root", "POWERSHELL": `C:\Program Files\qcloud\tat_agent\workdir`}
	users       = map[string]string{"SHELL": "root", "POWERSHELL": "System"}
)

// checkCommand checks what needs no look at the instances and decodes the
// script.
func checkCommand(p *runCommandParams) (script string, f *failure) {
	switch {
	case p.Content == nil || *p.Content == "":
		return "", missingParameter("Content")
	case len(p.InstanceIds) == 0:
		return "", missingParameter("InstanceIds")
	case len(*p.Content) > maxContent:
		return "", fail("InvalidParameterValue.TooLong", "Content is longer than 64 KB.")
	case len(p.InstanceIds) > maxInstanceIDs:
		return "", fail("InvalidParameterValue.LimitExceeded", fmt.Sprintf("The number of InstanceIds exceeds %d.", maxInstanceIDs))
	case interpreters[or(p.CommandType, "SHELL")] == "":
		return "", fail("InvalidParameterValue", "CommandType must be SHELL or POWERSHELL.")
	case or(p.Timeout, defaultTimeout) < 1 || or(p.Timeout, defaultTimeout) > maxTimeout:
		return "", fail("InvalidParameterValue.Range", "Timeout must be between 1 and 86400.")
	case p.CommandName != nil && (len(*p.CommandName) > maxCommandName || !commandName.MatchString(*p.CommandName)):
		return "", fail("InvalidParameterValue.InvalidCommandName", "CommandName is invalid.")
	case utf8.RuneCountInString(or(p.Description, "")) > maxDescription:
		return "", fail("InvalidParameterValue.TooLong", "Description is longer than 120 characters.")
	case or(p.EnableParameter, false) || p.DefaultParameters != nil || p.OutputCOSBucketUrl != nil || p.OutputCOSKeyPrefix != nil ||
		len(p.Tags) > 0:
		return "", fail("UnsupportedOperation", "The simulator knows no parameters in commands, no COS and no tags of commands.")
	case p.Parameters != nil:
		return "", fail("InvalidParameterValue.SupportParametersOnlyIfEnableParameter", "Parameters need EnableParameter.")
	}
	text, err := base64.StdEncoding.DecodeString(*p.Content)
	if err != nil || len(text) == 0 {
		return "", fail("InvalidParameterValue.InvalidContent", "Content is not encoded in base64.")
	}
	return string(text), checkIDs(p.InstanceIds)
}

func checkIDs(ids []string) *failure {
	for i, id := range ids {
		switch {
		case !instanceID.MatchString(id):
			return fail("InvalidParameterValue.InvalidInstanceId", "The instance ID `"+id+"` is invalid.")
		case slices.Contains(ids[:i], id):
			return fail("InvalidParameterValue", "The instance ID `"+id+"` is given twice.")
		}
	}
	return nil
}

// checkTarget refuses servers that cannot run a command now.
func checkTarget(r *request, s model.Server, known bool, id, kind string) *failure {
	switch {
	case !known || !r.owns(s):
		return fail("ResourceNotFound.InstanceNotFound", "The instance `"+id+"` does not exist.")
	case s.State != model.StateRunning:
		return fail("ResourceUnavailable.InstanceStateNotRunning", "The instance `"+id+"` is not RUNNING.")
	case s.AgentState() == model.AgentAbsent:
		return fail("ResourceUnavailable.AgentNotInstalled", "The agent of instance `"+id+"` is not installed.")
	case s.AgentState() != model.AgentOnline:
		return fail("ResourceUnavailable.AgentStatusNotOnline", "The agent of instance `"+id+"` is not online.")
	case s.IsWindows() != (kind == "POWERSHELL"):
		return fail("InvalidParameterValue.AgentUnsupportedCommandType", "The agent of instance `"+id+"` does not support commands of type "+kind+
			".")
	}
	return nil
}

// or is an optional parameter or its default.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
