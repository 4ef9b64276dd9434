package azureapi

import (
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// commandNames is what the simulator takes for a name. Which characters the cloud takes is unconfirmed.
var commandNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// putCommand makes a run command, or changes it. One whose content has not changed is not run again.
func putCommand(r *request) (reply, *failure) {
	var body commandBody
	if f := r.decode(&body); f != nil {
		return reply{}, f
	}
	if f := body.check(r); f != nil {
		return reply{}, f
	}
	return r.write(body)
}

// patchCommand changes what it names of a run command.
func patchCommand(r *request) (reply, *failure) {
	r.api.mu.Lock()
	old := r.api.record(r.vm.ID, r.place.command)
	if old == nil {
		r.api.mu.Unlock()
		return reply{}, r.noCommand()
	}
	text := encoded(old.body)
	r.api.mu.Unlock()
	var body commandBody
	if err := json.Unmarshal(text, &body); err != nil { // a copy that shares nothing
		return reply{}, fail(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	if f := r.decode(&body); f != nil {
		return reply{}, f
	}
	if f := body.check(r); f != nil {
		return reply{}, f
	}
	return r.write(body)
}

// write makes or changes the run command.
func (r *request) write(body commandBody) (reply, *failure) {
	if f := r.throttle(limitUpdate, r.vm.ID); f != nil {
		return reply{}, f
	}
	if !commandNames.MatchString(r.place.command) {
		return reply{}, invalid("name", "The name of the run command is invalid.")
	}
	if f := r.modifiable(); f != nil {
		return reply{}, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	body.ID, body.Name, body.Type = "", "", ""
	body.Properties.ProvisioningState, body.Properties.InstanceView = "", nil
	old := r.api.record(r.vm.ID, r.place.command)
	switch {
	case old == nil && len(r.api.listed(r.vm.ID)) >= maxRecords:
		// The words are documented, code and status are unconfirmed.
		return reply{}, fail(http.StatusBadRequest, "BadRequest", "The maximum number of managed Run commands (max=25, current=25) has been "+
			"exceeded. Use fewer Run commands and retry the request.")
	case old != nil && !old.gone.IsZero():
		return reply{}, fail(http.StatusConflict, "Conflict", "The request failed due to conflict with a concurrent request.")
	case old != nil && old.body.Properties.content() == body.Properties.content():
		old.body = body
		old.latest = r.begin(old, "Updating")
		old.latest.until = old.latest.started.Add(r.api.world.OperationTime())
		return r.accepted(http.StatusOK, old), nil
	}
	status, word := http.StatusCreated, "Creating"
	made := old
	if old == nil {
		made = &record{server: r.vm.ID, name: r.place.command}
	} else {
		// The running one is killed, and what is recorded is the new one.
		status, word = http.StatusOK, "Updating"
		r.world.DeleteCommand(old.command, old.server)
	}
	made.body, made.made = body, r.world.OperationNow()
	if err := r.api.start(r, made); err != nil {
		return reply{}, fail(http.StatusConflict, "OperationNotAllowed", err.Error())
	}
	if old == nil {
		r.api.records[r.vm.ID] = append(r.api.records[r.vm.ID], made)
	}
	made.latest = r.begin(made, word)
	made.latest.command = made.command
	return r.accepted(status, made), nil
}

// modifiable refuses a VM whose run commands cannot change now.
func (r *request) modifiable() *failure {
	switch {
	case r.vm.NoExtensions:
		return fail(http.StatusConflict, "OperationNotAllowed", "This operation cannot be performed when extension operations are disallowed. "+
			"To allow, please ensure VM Agent is installed on the VM and the osProfile.allowExtensionOperations property is true.")
	case r.vm.State != model.StateRunning:
		f := fail(http.StatusConflict, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
		f.inner = "CannotModifyExtensionsWhenVMNotRunning"
		return f
	}
	return nil
}

// accepted is the answer to a change, in the form of Azure CLI's recording (test_run_command_v2.yaml).
func (r *request) accepted(status int, made *record) reply {
	return reply{status, r.show(made, false), r.follow(made.latest, false)}
}

// show is a run command as the API shows it: never with what is protected, and with the instance view only where it is asked for.
// The caller holds the lock.
func (r *request) show(one *record, view bool) any {
	out := struct {
		Name       string            `json:"name"`
		ID         string            `json:"id"`
		Type       string            `json:"type"`
		Location   string            `json:"location"`
		Tags       map[string]string `json:"tags,omitempty"`
		Properties properties        `json:"properties"`
	}{one.name, machineID(r.vm) + "/runCommands/" + one.name, runCommands, r.vm.Region, one.body.Tags, one.body.Properties}
	out.Properties.ProtectedParameters, out.Properties.RunAsPassword = nil, ""
	out.Properties.ProvisioningState = one.latest.provisioning(r.api)
	if view {
		out.Properties.InstanceView = r.api.view(one)
	}
	return json.RawMessage(encoded(out))
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(`null`)
	}
	return text
}

func (r *request) noCommand() *failure {
	return notFound(machines+"/"+r.vm.Name+"/runCommands/"+r.place.command, r.vm.ResourceGroup)
}
