package novaapi

import (
	"encoding/json"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Actions of servers that bring one into a state in which its password cannot
// be set, and out of it. They are done at once.
var powerActions = map[string]route{
	"os-start": {action: "StartServer", handle: (*Cloud).startServer, server: true, plain: true},
	"os-stop":  {action: "StopServer", handle: (*Cloud).stopServer, server: true, plain: true},
	"lock":     {action: "LockServer", handle: (*Cloud).lockServer, server: true, plain: true},
	"unlock":   {action: "UnlockServer", handle: (*Cloud).unlockServer, server: true, plain: true},
}

// actionOf finds the operation that the body of an action names. What it does
// not find is left to changePassword, which says what is wrong with it.
func (r *request) actionOf(rt route) route {
	var body map[string]json.RawMessage
	if rt.action != actionChange || json.Unmarshal(r.body, &body) != nil || len(body) != 1 {
		return rt
	}
	for name := range body {
		if power, known := powerActions[name]; known {
			return power
		}
	}
	return rt
}

func (c *Cloud) startServer(r *request) *answer {
	return c.power(r, "start", model.StateStopped, model.StateRunning)
}

func (c *Cloud) stopServer(r *request) *answer {
	return c.power(r, "stop", model.StateRunning, model.StateStopped)
}

// power brings a server from one state to another, and refuses any other.
func (c *Cloud) power(r *request, verb string, from, to model.State) *answer {
	s, found := c.findServer(r, r.vars[0])
	switch {
	case !found:
		return noServer(r.vars[0])
	case s.Locked:
		return conflict("Instance %s is locked", s.ID)
	case s.Busy:
		return conflict("Cannot '%s' instance %s while it is in task_state %s", verb, s.ID, taskUpdatingPassword)
	case s.State != from:
		return conflict("Cannot '%s' instance %s while it is in vm_state %s", verb, s.ID, stateOf(s).vm)
	}
	return accepted(c.world.SetState(s.ID, to), s.ID)
}

func (c *Cloud) lockServer(r *request) *answer { return c.setLocked(r, true) }

func (c *Cloud) unlockServer(r *request) *answer { return c.setLocked(r, false) }

func (c *Cloud) setLocked(r *request, locked bool) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noServer(r.vars[0])
	}
	return accepted(c.world.SetLocked(s.ID, locked), s.ID)
}

// accepted is the answer to an action that was done, unless the server is gone
// since it was found.
func accepted(err error, id string) *answer {
	if err != nil {
		return noServer(id)
	}
	return (&answer{status: http.StatusAccepted}).with("Content-Type", "application/json")
}
