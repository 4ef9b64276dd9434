package novaapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// actionChange is the one action of servers that there is.
const actionChange = "ChangePassword"

// taskUpdatingPassword is the task of a server whose password is being set.
const taskUpdatingPassword = "updating_password"

// changeBody reads the body of the action as Nova's schemas do
// (nova/api/openstack/compute/schemas/admin_password.py).
func (r *request) changeBody() (password string, refused *answer) {
	bad := func(format string, args ...any) (string, *answer) {
		return "", novaFault(http.StatusBadRequest, fmt.Sprintf(format, args...))
	}
	var actions map[string]json.RawMessage
	if json.Unmarshal(r.body, &actions) != nil || len(actions) != 1 {
		return bad("Malformed request body")
	}
	for name, body := range actions {
		var fields map[string]any
		switch {
		case name != "changePassword":
			return bad("There is no such action: %s", name)
		case json.Unmarshal(body, &fields) != nil || fields == nil:
			return bad("Invalid input for field/attribute changePassword. Value: %s. It is not of type 'object'", body)
		case fields["adminPass"] == nil:
			return bad("Invalid input for field/attribute changePassword. Value: %s. 'adminPass' is a required property", body)
		case len(fields) > 1 && r.version.stated: // /v2 takes what it does not know
			return bad("Invalid input for field/attribute changePassword. Additional properties are not allowed")
		}
		text, isText := fields["adminPass"].(string)
		if !isText {
			return bad("Invalid input for field/attribute adminPass. It is not of type 'string'")
		}
		password = text
	}
	return password, nil
}

// changePassword is the action changePassword. Nova answers once the compute
// service has set the password, or could not
// (nova/api/openstack/compute/admin_password.py).
func (c *Cloud) changePassword(r *request) *answer {
	password, refused := r.changeBody()
	if refused != nil {
		return refused
	}
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noServer(r.vars[0])
	}
	if s.Locked {
		return conflict("Instance %s is in an invalid state for 'changePassword'", s.ID)
	}
	err := c.world.SetPassword(r.exchange, model.Reset{
		RequestID: r.id, ServerIDs: []string{s.ID}, Password: password, Action: actionChange,
	})
	switch state := stateOf(s); {
	case err == nil:
		return (&answer{status: http.StatusAccepted}).with("Content-Type", "application/json")
	case errors.Is(err, model.ErrNoServer):
		return noServer(s.ID)
	case errors.Is(err, model.ErrBusy):
		return conflict("Cannot 'changePassword' instance %s while it is in task_state %s", s.ID, taskUpdatingPassword)
	case errors.Is(err, model.ErrState) && state.task != nil:
		return conflict("Cannot 'changePassword' instance %s while it is in task_state %v", s.ID, state.task)
	case errors.Is(err, model.ErrState):
		return conflict("Cannot 'changePassword' instance %s while it is in vm_state %s", s.ID, state.vm)
	case errors.Is(err, model.ErrAgentOff):
		return conflict("QEMU guest agent is not enabled")
	case errors.Is(err, model.ErrSetFailed):
		return conflict("Failed to set admin password on %s because error setting admin password", s.ID)
	case errors.Is(err, model.ErrAgentSilent):
		return novaFault(http.StatusNotImplemented, "Unable to set password on instance")
	case errors.Is(err, model.ErrNoAnswer):
		return novaFault(http.StatusInternalServerError, unexpected("oslo_messaging.exceptions.MessagingTimeout"))
	}
	return novaFault(http.StatusInternalServerError, unexpected("nova.exception.NovaException"))
}

func conflict(format string, args ...any) *answer {
	return novaFault(http.StatusConflict, fmt.Sprintf(format, args...))
}
