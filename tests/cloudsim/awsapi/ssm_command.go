package awsapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type sendCommandInput struct {
	InstanceIds     []string
	Targets         []commandTarget
	DocumentName    string
	DocumentVersion string
	TimeoutSeconds  *int
	Comment         string
	Parameters      map[string][]string
	MaxConcurrency  string
	MaxErrors       string
}

// Limits of SendCommand.
const (
	maxCommandInstances          = 50
	leastDelivery, mostDelivery  = 30, 2592000 // TimeoutSeconds
	defaultDelivery              = 3600
	defaultExecution             = 3600 // executionTimeout, as the two documents have it
	maxComment                   = 100
	maxDocument                  = 64 << 10
	commandsParameter            = "commands"
	directoryParameter           = "workingDirectory"
	executionTimeoutParameter    = "executionTimeout"
	shellDocument, powerDocument = "AWS-RunShellScript", "AWS-RunPowerShellScript"
)

// executionTimeoutForm is the allowedPattern of the documents' parameter: 1 to 172800.
var executionTimeoutForm = regexp.MustCompile(`^(?:[1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|172[0-7][0-9]{2}|172800)$`)

// interpreters are those of the documents that the simulator has.
var interpreters = map[string]string{shellDocument: "shell", powerDocument: "powershell"}

// Labels of a command, for what its answers repeat.
const (
	labelDocument   = "document"
	labelComment    = "comment"
	labelParameters = "parameters"
	labelTimeout    = "timeout"
	labelExecution  = "execution"
	labelPlace      = "place"
	// As they were given, "" for not at all.
	labelTargets     = "targets"
	labelVersion     = "version"
	labelConcurrency = "concurrency"
	labelErrors      = "errors"
)

// place tells the commands of accounts and regions apart.
func (r *request) place() string { return r.caller.key.AccountID + "/" + r.caller.region }

// sendCommand accepts a command for all its instances or refuses it for all.
func sendCommand(r *request, in *sendCommandInput) (any, *failure) {
	if f := in.check(); f != nil {
		return nil, f
	}
	execution := defaultExecution
	if given := in.Parameters[executionTimeoutParameter]; len(given) > 0 {
		_, _ = fmt.Sscan(given[0], &execution) // its form was checked
	}
	delivery := defaultDelivery
	if in.TimeoutSeconds != nil {
		delivery = *in.TimeoutSeconds
	}
	ids, f := r.targets(in)
	if f != nil {
		return nil, f
	}
	parameters, err := json.Marshal(in.Parameters)
	if err != nil {
		return nil, fail("SerializationException", err.Error())
	}
	targets, err := json.Marshal(in.Targets)
	if err != nil {
		return nil, fail("SerializationException", err.Error())
	}
	c := model.Command{
		ID: r.world.NewUUID(), ServerIDs: ids, Interpreter: interpreters[in.DocumentName],
		Text: strings.Join(in.Parameters[commandsParameter], "\n") + "\n",
		// The cloud says "Delivery Timed Out" when delivery and execution time have both passed, but an
		// agent that comes late does not run it any more: the simulator knows only the one time.
		DeliveryTimeout: time.Duration(delivery) * time.Second, ExecutionTimeout: time.Duration(execution) * time.Second,
		Labels: map[string]string{
			labelDocument: in.DocumentName, labelComment: in.Comment, labelParameters: string(parameters),
			labelTimeout: fmt.Sprint(delivery), labelExecution: fmt.Sprint(execution), labelPlace: r.place(),
			labelTargets: string(targets), labelVersion: in.DocumentVersion, labelConcurrency: in.MaxConcurrency, labelErrors: in.MaxErrors,
		},
	}
	err = r.world.StartCommand(r.exchange, c)
	if refused := new(model.RefusedError); errors.As(err, &refused) {
		return nil, r.unfit([]string{refused.ServerID})
	} else if err != nil {
		return nil, fail("InternalServerError", err.Error())
	}
	started := r.world.Invocations(func(i model.Invocation) bool { return i.CommandID == c.ID })
	return struct{ Command commandView }{r.viewCommand(started)}, nil
}

// What the model says of SendCommand's texts.
var (
	documentName    = text(0, 0, `^[a-zA-Z0-9_\-.:/]{3,128}$`)
	documentVersion = text(0, 0, `([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)`)
	comment         = text(0, maxComment, "")
	maxConcurrency  = text(1, 7, `^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$`)
	maxErrors       = text(1, 7, `^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$`)
)

// check checks what needs no look at the instances.
func (in *sendCommandInput) check() *failure {
	if in.DocumentName == "" {
		return missing("documentName")
	}
	if f := cmp.Or(
		invalid(in.DocumentName, "documentName", documentName.broken(in.DocumentName)),
		optional(in.DocumentVersion, "documentVersion", documentVersion),
		optional(in.Comment, "comment", comment),
		optional(in.MaxConcurrency, "maxConcurrency", maxConcurrency),
		optional(in.MaxErrors, "maxErrors", maxErrors),
		number(in.TimeoutSeconds, "timeoutSeconds", leastDelivery, mostDelivery),
		checkInstanceIDs(in.InstanceIds),
		in.checkTargetForm(),
	); f != nil {
		return f
	}
	if interpreters[in.DocumentName] == "" {
		return fail("InvalidDocument", "Document with name "+in.DocumentName+" does not exist.")
	}
	if v := in.DocumentVersion; v != "" && v != "$LATEST" && v != "$DEFAULT" && v != "1" {
		return fail("InvalidDocumentVersion", "The document version is not valid or does not exist.")
	}
	return in.checkParameters()
}

// checkParameters checks the parameters by the rules of the two documents.
func (in *sendCommandInput) checkParameters() *failure {
	size := 0
	for name, values := range in.Parameters {
		switch name {
		case commandsParameter:
		case directoryParameter, executionTimeoutParameter:
			if len(values) != 1 {
				return fail("InvalidParameters", "Parameter \""+name+"\" must be a single string.")
			}
		default:
			return fail("InvalidParameters", "Document "+in.DocumentName+" does not define parameter(s): "+name)
		}
		for _, v := range values {
			size += len(v)
			if strings.Contains(v, "{{") {
				// The cloud would look for a parameter of that name, in the document or in its store.
				return fail("InvalidParameters", "Parameter \""+name+"\" refers to a parameter that does not exist.")
			}
		}
	}
	timeout := in.Parameters[executionTimeoutParameter]
	switch {
	case len(in.Parameters[commandsParameter]) == 0:
		return fail("InvalidParameters", "Parameter \""+commandsParameter+"\" requires a value.")
	case len(timeout) == 1 && !executionTimeoutForm.MatchString(timeout[0]):
		return fail("InvalidParameters", "Parameter \""+executionTimeoutParameter+"\" does not match the pattern.")
	case size > maxDocument:
		return fail("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
	}
	return nil
}

// checkInstances refuses instances that Systems Manager cannot reach. The documentation names stopped ones
// among the valid states, but an agent that is known not to run is refused all the same.
func (r *request) checkInstances(in *sendCommandInput) *failure {
	var unfit []string
	for _, id := range in.InstanceIds {
		s, ok := r.world.Server(id)
		switch {
		case !ok || !r.owns(s) || s.State == model.StateTerminated || s.AgentState() != model.AgentOnline:
			unfit = append(unfit, id)
		case s.IsWindows() && in.DocumentName == shellDocument:
			return fail("UnsupportedPlatformType", "The document doesn't support the platform type of the given instance IDs.")
		}
	}
	if len(unfit) > 0 || len(in.InstanceIds) == 0 {
		return r.unfit(unfit)
	}
	return nil
}

// unfit is one answer to many causes: unknown, foreign, not registered, without an agent that runs.
func (r *request) unfit(ids []string) *failure {
	return fail("InvalidInstanceId", "Instances ["+fmt.Sprint(ids)+"] not in a valid state for account "+r.caller.key.AccountID)
}

type cancelCommandInput struct {
	CommandId   string
	InstanceIds []string
}

// cancelCommand ends a command on all its instances, or on those that are named.
func cancelCommand(r *request, in *cancelCommandInput) (any, *failure) {
	if f := cmp.Or(checkCommandID(in.CommandId), checkInstanceIDs(in.InstanceIds)); f != nil {
		return nil, f
	}
	targets := r.invocations(func(i model.Invocation) bool { return i.CommandID == in.CommandId })
	if len(targets) == 0 {
		return nil, fail("InvalidCommandId", "")
	}
	for _, id := range in.InstanceIds {
		if !slices.ContainsFunc(targets, func(i model.Invocation) bool { return i.ServerID == id }) {
			return nil, fail("InvalidInstanceId", "")
		}
	}
	r.world.CancelCommand(in.CommandId, in.InstanceIds...)
	return struct{}{}, nil
}
