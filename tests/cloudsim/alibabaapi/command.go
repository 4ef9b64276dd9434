package alibabaapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Limits of RunCommand (the SDK's text of each parameter).
const (
	maxContent      = 24 << 10 // of base64
	maxKeptContent  = 18 << 10 // with KeepCommand
	maxCommandName  = 128      // characters
	maxDescription  = 512      // characters
	maxDirectory    = 200      // characters
	maxUserName     = 255      // characters
	maxClientToken  = 64       // ASCII characters
	defaultTimeout  = 60       // seconds
	maxTimeout      = 86400    // seconds; that there is a limit is documented, which one is not
	deliveryTimeout = time.Minute
)

type commandParams struct {
	Type, CommandContent, ContentEncoding   *string
	InstanceId                              []string
	Timeout                                 *int
	ClientToken                             *string
	RepeatMode                              *string
	KeepCommand                             *bool
	Name, Description, WorkingDir, Username *string
	TerminationMode                         *string
	Tag                                     []tag
	EnableParameter                         *bool
	Parameters                              *string
	Timed                                   *bool // has no effect any more
	Frequency, Launcher, ContainerId        *string
	ContainerName, OssOutputDelivery        *string
	ResourceGroupId, WindowsPasswordName    *string
	ResourceTag                             []tag
}

type commandResult struct {
	RequestID string `json:"RequestId"`
	CommandID string `json:"CommandId"`
	InvokeID  string `json:"InvokeId"`
}

// tokenID is a ClientToken where it counts.
type tokenID struct{ account, region, token string }

// remembered is the answer to the first request with a ClientToken. How long the cloud remembers is unconfirmed; the
// simulator does for ever.
type remembered struct {
	params string
	result commandResult
}

// Types of commands, and the model's words for their interpreters.
const (
	shellType, powerShellType, batType = "RunShellScript", "RunPowerShellScript", "RunBatScript"
	modeOnce, modeDryRun               = "Once", "DryRun"
)

var interpreters = map[string]string{shellType: "shell", powerShellType: "powershell", batType: "bat"}

// Labels of a command, for what the answers repeat.
const (
	labelAccount, labelRegion           = "account", "region"
	labelCommand, labelName             = "command", "name"
	labelDescription, labelType         = "description", "type"
	labelTimeout, labelDirectory        = "timeout", "directory"
	labelUser, labelTags, labelStopMode = "user", "tags", "termination"
)

// runCommand accepts or refuses a command for all the instances.
func runCommand(r *request, params any) (any, *failure) {
	p := params.(*commandParams)
	script, f := p.check()
	if f != nil {
		return nil, f
	}
	if p.ClientToken == nil {
		return r.startCommand(p, script)
	}
	// No map is in it, so that equal parameters have one text.
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "InternalError", err.Error())
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	id := tokenID{r.key.AccountID, r.region, *p.ClientToken}
	first, used := r.api.commands[id]
	if used && first.params != string(text) {
		// The page of InvokeCommand has 403; the list of common errors 400.
		return nil, fail(http.StatusForbidden, "IdempotentParameterMismatch",
			"The specified parameter has changed while using an already used clientToken.")
	}
	if !used {
		started, f := r.startCommand(p, script)
		if f != nil {
			return nil, f
		}
		first = remembered{string(text), started}
		r.api.commands[id] = first
	}
	return commandResult{r.id, first.result.CommandID, first.result.InvokeID}, nil
}

// startCommand judges the instances and hands the command to the world.
func (r *request) startCommand(p *commandParams, script string) (commandResult, *failure) {
	kind := *p.Type
	for _, id := range p.InstanceId {
		s, ok := r.world.Server(id)
		if f := r.checkTarget(s, ok, kind); f != nil {
			return commandResult{}, f
		}
		if or(p.RepeatMode, modeOnce) == modeDryRun && s.AgentState() != model.AgentOnline {
			return commandResult{}, noClient()
		}
	}
	users := map[bool]string{false: "root", true: "System"}
	if windows := kind != shellType; or(p.Username, users[windows]) != users[windows] {
		return commandResult{}, unsupported("The simulated agent runs commands as " + users[windows] + " only.")
	}
	out := commandResult{r.id, "c-" + r.world.NewBase36(14), "t-" + r.world.NewBase36(14)}
	if or(p.RepeatMode, modeOnce) == modeDryRun {
		// What the answer to a dry run looks like is unconfirmed: ids of nothing, here.
		return out, nil
	}
	timeout := or(p.Timeout, defaultTimeout)
	c := model.Command{
		ID: out.InvokeID, ServerIDs: p.InstanceId, Interpreter: interpreters[kind], Text: script, DeliveryTimeout: deliveryTimeout,
		ExecutionTimeout: time.Duration(timeout) * time.Second,
		Labels: map[string]string{
			labelAccount: r.key.AccountID, labelRegion: r.region, labelCommand: out.CommandID, labelName: or(p.Name, ""),
			labelDescription: or(p.Description, ""), labelType: kind, labelTimeout: strconv.Itoa(timeout),
			labelDirectory: or(p.WorkingDir, directories[kind]), labelUser: users[kind != shellType], labelTags: tagText(p.Tag),
			labelStopMode: or(p.TerminationMode, ""),
		},
	}
	err := r.world.StartCommand(r.exchange, c)
	if refused := new(model.RefusedError); errors.As(err, &refused) {
		if errors.Is(refused.Err, model.ErrNoAgent) {
			return commandResult{}, noClient()
		}
		return commandResult{}, noInstance() // it went away meanwhile
	}
	if err != nil {
		return commandResult{}, fail(http.StatusInternalServerError, "InternalError", err.Error())
	}
	return out, nil
}

// directories are where commands run by default.
var directories = map[string]string{shellType: "/root", powerShellType: `C:\Windows\System32`, batType: `C:\Windows\System32`}

func tagText(list []tag) string {
	m := map[string]string{}
	for _, t := range list {
		m[t.Key] = t.Value
	}
	text, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(text)
}

func noInstance() *failure {
	return fail(http.StatusNotFound, "InvalidInstance.NotFound", "The specified instance does not exist.")
}

// noClient refuses an instance that has no agent. The code is that of InstallCloudAssistant's page; the cloud may as
// well accept such a command and abort it.
func noClient() *failure {
	return fail(http.StatusForbidden, "InvalidInstance.NoClient", "The specified instances have no cloud assistant client installed.")
}

// unsupported refuses what the cloud knows and the simulator does not.
func unsupported(why string) *failure {
	return fail(http.StatusForbidden, "Operation.Forbidden", "The operation is not permitted. "+why)
}

// checkTarget refuses servers that cannot run a command now. That one code is for another system and for a state,
// too, is what its description on the pages says.
func (r *request) checkTarget(s model.Server, known bool, kind string) *failure {
	switch {
	case !known || !r.owns(s):
		return noInstance()
	case slices.Contains(s.LockReasons, "security"):
		return fail(http.StatusForbidden, "InstanceLockedForSecurity",
			"The specified operation is denied as your instance is locked for security reasons.")
	case s.State != model.StateRunning, s.IsWindows() == (kind == shellType):
		return fail(http.StatusBadRequest, "InvalidInstance.NotMatch", "The specified instance type does not match the command.")
	}
	return nil
}

// check checks what needs no look at the instances and decodes the script. The codes are those of the pages of
// InvokeCommand and CreateCommand, which RunCommand is both of.
func (p *commandParams) check() (script string, f *failure) {
	switch {
	case p.Type == nil:
		return "", missing("Type")
	case or(p.CommandContent, "") == "":
		return "", missing("CommandContent")
	case interpreters[*p.Type] == "":
		return "", fail(http.StatusNotFound, "InvalidCmdType.NotFound", "The specified command type does not exist.")
	case len(p.ResourceTag) > 0 && len(p.InstanceId) > 0:
		return "", fail(http.StatusBadRequest, "InvalidResourceTag.ConflictWithInstanceIds",
			"The specified param ResourceTag conflicts with InstanceId.")
	case len(p.InstanceId) == 0:
		return "", fail(http.StatusBadRequest, "MissingParam.InstanceId", "The parameter instanceId is missing or empty.")
	case len(p.InstanceId) > maxInstanceIDs:
		return "", fail(http.StatusForbidden, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.")
	}
	if f := p.checkTexts(); f != nil {
		return "", f
	}
	if f := p.checkModes(); f != nil {
		return "", f
	}
	if f := checkTags(p.Tag); f != nil {
		return "", f
	}
	for i, id := range p.InstanceId {
		if slices.Contains(p.InstanceId[:i], id) { // what the cloud does with it is unconfirmed
			return "", invalid("InstanceId")
		}
	}
	return p.script()
}

// script decodes the content, whose size counts in base64.
func (p *commandParams) script() (string, *failure) {
	content := *p.CommandContent
	text := []byte(content)
	if strings.EqualFold(or(p.ContentEncoding, ""), "Base64") {
		var err error
		if text, err = base64.StdEncoding.DecodeString(content); err != nil || len(text) == 0 {
			return "", fail(http.StatusBadRequest, "CmdContent.DecodeError", "The CommandContent can not be base64 decoded.")
		}
	}
	most := maxContent
	if or(p.KeepCommand, false) {
		most = maxKeptContent
	}
	if base64.StdEncoding.EncodedLen(len(text)) > most {
		return "", fail(http.StatusForbidden, "CmdContent.ExceedLimit", "The maximum length of a command is exceeded.")
	}
	return string(text), nil
}

// checkTexts refuses texts that are too long.
func (p *commandParams) checkTexts() *failure {
	long := func(text *string, most int) bool { return utf8.RuneCountInString(or(text, "")) > most }
	switch token := or(p.ClientToken, "-"); {
	case long(p.Name, maxCommandName):
		return fail(http.StatusForbidden, "CmdName.ExceedLimit", "The length of the command name exceeds the upper limit.")
	case long(p.Description, maxDescription):
		return fail(http.StatusForbidden, "CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit.")
	case long(p.WorkingDir, maxDirectory):
		return fail(http.StatusBadRequest, "InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid.")
	case long(p.Username, maxUserName):
		return fail(http.StatusForbidden, "Username.ExceedLimit", "The length of the username exceeds the upper limit.")
	case token == "" || len(token) > maxClientToken || strings.ContainsFunc(token, func(c rune) bool { return c > '~' || c < ' ' }):
		return fail(http.StatusBadRequest, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid.")
	}
	return nil
}

// checkModes refuses how a command is to run, where the cloud or the simulator knows no such way.
func (p *commandParams) checkModes() *failure {
	modes := []string{modeOnce, modeDryRun, "Period", "NextRebootOnly", "EveryReboot"}
	mode, timeout := or(p.RepeatMode, modeOnce), or(p.Timeout, defaultTimeout)
	switch {
	case !slices.Contains(modes, mode):
		return fail(http.StatusNotFound, "InvalidRepeatMode.NotFound", "The specified repeat mode does not exist.")
	case timeout < 1:
		return invalid("Timeout")
	case timeout > maxTimeout:
		return fail(http.StatusForbidden, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit.")
	case p.TerminationMode != nil && *p.TerminationMode != "Process" && *p.TerminationMode != "ProcessTree":
		return fail(http.StatusNotFound, "InvalidTerminationMode.NotFound", "The specified parameter TerminationMode does not exist.")
	case mode == "Period" && p.Frequency == nil:
		return fail(http.StatusBadRequest, "MissingParam.Frequency", "The frequency must be specified when you create a timed task.")
	case !or(p.EnableParameter, false) && p.Parameters != nil:
		return fail(http.StatusBadRequest, "Parameter.Disabled",
			"Parameters cannot be passed in when the command customization function is disabled.")
	case mode != modeOnce && mode != modeDryRun, p.Frequency != nil:
		return unsupported("The simulator runs commands at once.")
	case *p.Type == batType, or(p.EnableParameter, false):
		return unsupported("The simulator knows no batch scripts and no parameters in commands.")
	case p.Launcher != nil, p.ContainerId != nil, p.ContainerName != nil, p.OssOutputDelivery != nil, p.ResourceGroupId != nil,
		p.WindowsPasswordName != nil, len(p.ResourceTag) > 0:
		return unsupported("The simulator knows no launchers, containers, OSS, resource groups and password names.")
	}
	return nil
}
