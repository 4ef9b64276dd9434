package novaapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// actionChange is the action that sets a server's password.
const actionChange = "ChangePassword"

// taskUpdatingPassword is the task of a server whose password is being set.
const taskUpdatingPassword = "updating_password"

// changeBody reads the body of the action as Nova's schemas do
// (nova/api/openstack/compute/schemas/admin_password.py).
func (r *request) changeBody() (password string, refused *answer) {
	bad := func(format string, args ...any) (string, *answer) {
		return "", novaFault(http.StatusBadRequest, fmt.Sprintf(format, args...))
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); !slices.Contains(novaMediaTypes, media) {
		return "", novaFault(http.StatusUnsupportedMediaType, "Unsupported Content-Type")
	}
	var body any
	if json.Unmarshal(r.body, &body) != nil {
		return bad("Malformed request body")
	}
	actions, isObject := body.(map[string]any)
	_, isList := body.([]any)
	switch {
	case !isObject && !isList:
		return "", novaFault(http.StatusNotFound, "The resource could not be found.")
	case len(actions) != 1:
		return bad("Malformed request body")
	}
	const name, field = "changePassword", "adminPass"
	for action := range actions {
		if action != name {
			return bad("There is no such action: %s", action)
		}
	}
	wrong := func(at string, value any, problem string, args ...any) (string, *answer) {
		return bad("Invalid input for field/attribute %s. Value: %s. %s", at, pythonText(value), fmt.Sprintf(problem, args...))
	}
	fields, isObject := actions[name].(map[string]any)
	if !isObject {
		return wrong(name, actions[name], "%s is not of type 'object'", python(actions[name]))
	}
	given, present := fields[field]
	text, isText := given.(string)
	switch {
	case !present:
		return wrong(name, fields, "'%s' is a required property", field)
	case !isText:
		return wrong(field, given, "%s is not of type 'string'", python(given))
	case len(fields) > 1 && r.version.stated: // /v2 takes what it does not know
		var others []string
		for other := range fields {
			if other != field {
				others = append(others, python(other))
			}
		}
		slices.Sort(others)
		verb := "was"
		if len(others) > 1 {
			verb = "were"
		}
		return wrong(name, fields, "Additional properties are not allowed (%s %s unexpected)", strings.Join(others, ", "), verb)
	}
	return text, nil
}

// novaMediaTypes are what Nova reads as JSON (nova/api/openstack/wsgi.py).
var novaMediaTypes = []string{"", "text/plain", "application/json", "application/vnd.openstack.compute+json"}

// pythonText writes a value of JSON as Python's str does, python as its repr: so
// they stand in Nova's messages.
func pythonText(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	return python(value)
}

func python(value any) string {
	switch value := value.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[value]
	case string:
		if strings.Contains(value, "'") && !strings.Contains(value, `"`) {
			return `"` + strings.ReplaceAll(value, `\`, `\\`) + `"`
		}
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(value) + "'"
	case []any:
		var parts []string
		for _, part := range value {
			parts = append(parts, python(part))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, python(key)+": "+python(value[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(value)
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
		return accepted(nil, s.ID)
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
