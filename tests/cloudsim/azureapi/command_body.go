package azureapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// commandBody is a run command as a client writes it.
type commandBody struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties properties        `json:"properties"`
	// What only the cloud writes may be there, as a client may send back what it has got.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
}

// properties are what a run command does. The order of the fields is that of the recorded answers.
type properties struct {
	Source                source      `json:"source"`
	Parameters            []parameter `json:"parameters,omitempty"`
	ProtectedParameters   []parameter `json:"protectedParameters,omitempty"`
	RunAsUser             string      `json:"runAsUser,omitempty"`
	RunAsPassword         string      `json:"runAsPassword,omitempty"`
	OutputBlobURI         string      `json:"outputBlobUri,omitempty"`
	ErrorBlobURI          string      `json:"errorBlobUri,omitempty"`
	TimeoutInSeconds      int         `json:"timeoutInSeconds"`
	ProvisioningState     string      `json:"provisioningState,omitempty"`
	AsyncExecution        bool        `json:"asyncExecution"`
	FailureFailsDeploying *bool       `json:"treatFailureAsDeploymentFailure,omitempty"`
	InstanceView          any         `json:"instanceView,omitempty"`
}

type source struct {
	Script    string `json:"script,omitempty"`
	ScriptURI string `json:"scriptUri,omitempty"`
	CommandID string `json:"commandId,omitempty"`
}

type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// firstWithFailure is the first version that has treatFailureAsDeploymentFailure.
const firstWithFailure = "2023-03-01"

// maxScript is how long a script may be, for the handler.
const maxScript = 256 << 10

// decode reads a body strictly: a property that the API does not have is a client's mistake.
func (r *request) decode(into *commandBody) *failure {
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more than one value")
	}
	switch {
	case errors.Is(err, io.EOF):
		return fail(http.StatusBadRequest, "InvalidRequestContent", "The request content was empty.")
	case err != nil && strings.Contains(err.Error(), "unknown field"):
		return fail(http.StatusBadRequest, "BadRequest", "Could not find member "+strings.TrimPrefix(err.Error(), "json: unknown field ")+
			" on object of type 'RunCommand'.")
	case err != nil:
		return fail(http.StatusBadRequest, "InvalidRequestContent",
			"The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	return nil
}

// check refuses what the cloud does, and what the simulator does not play.
func (b *commandBody) check(r *request) *failure {
	p := b.Properties
	switch {
	case b.Location == "":
		return fail(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	case !strings.EqualFold(strings.ReplaceAll(b.Location, " ", ""), r.vm.Region):
		// What the cloud answers is unconfirmed.
		return invalid("location", "The location of a run command must be that of its virtual machine, '"+r.vm.Region+"'.")
	case p.TimeoutInSeconds < 0:
		return invalid("timeoutInSeconds", "The value of parameter timeoutInSeconds is invalid.")
	case len(p.Source.Script) > maxScript:
		return invalid("source.script", "The script is too long.")
	case p.FailureFailsDeploying != nil && r.query.Get("api-version") < firstWithFailure:
		return fail(http.StatusBadRequest, "BadRequest",
			"Could not find member 'treatFailureAsDeploymentFailure' on object of type 'RunCommand'.")
	case p.FailureFailsDeploying != nil && *p.FailureFailsDeploying, p.Source.ScriptURI != "", p.Source.CommandID != "", p.OutputBlobURI != "",
		p.ErrorBlobURI != "":
		return invalid("properties", "The simulator plays scripts in the request whose failure is nobody else's, and no blobs.")
	}
	return nil
}

func invalid(target, message string) *failure {
	f := fail(http.StatusBadRequest, "InvalidParameter", message)
	f.target = target
	return f
}

// content is what makes a run command another one: everything that reaches the VM.
func (p properties) content() string {
	text, err := json.Marshal([]any{p.Source, p.Parameters, p.ProtectedParameters, p.RunAsUser, p.RunAsPassword, p.TimeoutInSeconds,
		p.AsyncExecution})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// words are the parameters as the handler gives them to the script: those with a name as variables (Linux) or as named arguments
// (Windows), the others as arguments. It leaves out those without a value.
func (p properties) words(windows bool) (environment map[string]string, arguments []string) {
	environment = map[string]string{}
	for _, list := range [][]parameter{p.Parameters, p.ProtectedParameters} {
		for _, one := range list {
			switch {
			case one.Value == "":
			case one.Name == "":
				arguments = append(arguments, one.Value)
			case windows:
				arguments = append(arguments, "-"+one.Name, one.Value)
			default:
				environment[one.Name] = one.Value
			}
		}
	}
	return environment, arguments
}
