package tencentapi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type resetParams struct {
	InstanceIds []string
	Password    *string
	UserName    *string
	ForceStop   *bool
}

// accepted is the answer to a call that only starts something.
type accepted struct {
	RequestID string `json:"RequestId"`
}

// resetInstancesPassword accepts or refuses a reset for all the instances.
func resetInstancesPassword(r *request, params any) (any, *failure) {
	p := params.(*resetParams)
	if f := checkReset(p); f != nil {
		return nil, f
	}
	user := ""
	if p.UserName != nil {
		user = *p.UserName
	}
	servers, f := r.servers(p.InstanceIds)
	if f != nil {
		return nil, f
	}
	// One Windows server makes the rules of Windows those of all (models.go, Password).
	windows := slices.ContainsFunc(servers, model.Server.IsWindows)
	for _, s := range servers {
		if f := checkServer(s); f != nil {
			return nil, f
		}
		if text := checkPassword(*p.Password, cmp.Or(user, s.DefaultUser()), windows); text != "" {
			return nil, fail("InvalidParameterValue.InvalidPassword", "The password does not meet the rules of instance `"+s.ID+"`: "+text+".")
		}
	}
	err := r.world.StartReset(r.exchange, model.Reset{
		RequestID: r.id, ServerIDs: p.InstanceIds, User: user, Password: *p.Password,
		ForceStop: p.ForceStop != nil && *p.ForceStop, Action: "ResetInstancesPassword",
	})
	if refused := new(model.RefusedError); errors.As(err, &refused) {
		return nil, refusedReset(refused)
	} else if err != nil {
		return nil, fail("InternalServerError", err.Error())
	}
	return accepted{r.id}, nil
}

// servers finds the caller's servers with these ids, all or none.
func (r *request) servers(ids []string) (found []model.Server, f *failure) {
	var missing []string
	for _, id := range ids {
		if s, ok := r.world.Server(id); ok && r.owns(s) {
			found = append(found, s)
		} else {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return nil, notFound(missing)
	}
	return found, nil
}

// checkReset checks what needs no look at the instances.
func checkReset(p *resetParams) *failure {
	switch {
	case len(p.InstanceIds) == 0:
		return missingParameter("InstanceIds")
	case p.Password == nil || *p.Password == "":
		return missingParameter("Password")
	case len(p.InstanceIds) > maxInstanceIDs:
		return fail("InvalidParameterValue.LimitExceeded", fmt.Sprintf("The number of InstanceIds exceeds %d.", maxInstanceIDs))
	case p.UserName != nil && utf8.RuneCountInString(*p.UserName) > mostUserName:
		return fail("InvalidParameterValue.TooLong", fmt.Sprintf("UserName is longer than %d characters.", mostUserName))
	}
	for i, id := range p.InstanceIds {
		switch {
		case !instanceID.MatchString(id):
			return malformed(id)
		case slices.Contains(p.InstanceIds[:i], id):
			return fail("InvalidParameterValue", "The instance ID `"+id+"` is given twice.")
		}
	}
	return nil
}

// checkServer refuses servers that no reset is possible for, whatever else.
func checkServer(s model.Server) *failure {
	switch {
	case s.RestrictState == "PROTECTIVELY_ISOLATED":
		return unsupported("InstanceStateIsolating", s.ID)
	case s.RestrictState == "EXPIRED":
		return unsupported("InstanceStateFreezing", s.ID)
	case s.State == model.StateStopped && s.StopCharging:
		return unsupported("StoppedModeStopCharging", s.ID)
	}
	return nil
}

func unsupported(what, id string) *failure {
	return fail("UnsupportedOperation."+what, "Instance `"+id+"`: the operation is not supported in this state.")
}

func notFound(ids []string) *failure {
	return fail("InvalidInstanceId.NotFound", "The instances `"+strings.Join(ids, "`, `")+"` do not exist.")
}

// stateWords are the states whose refusal does not end in the state's own
// name.
var stateWords = map[model.State]string{
	"launch_failed": "InstanceReinstallFailed",
}

// refusedReset translates the model's refusal.
func refusedReset(e *model.RefusedError) *failure {
	switch {
	case errors.Is(e, model.ErrNoServer):
		return notFound([]string{e.ServerID})
	case errors.Is(e, model.ErrBusy):
		return fail("MutexOperation.TaskRunning", "A task of instance `"+e.ServerID+"` is running; try again later.")
	case stateWords[e.State] != "":
		return unsupported(stateWords[e.State], e.ServerID)
	}
	// RUNNING -> InstanceStateRunning, ENTER_RESCUE_MODE -> InstanceStateEnterRescueMode.
	word := "InstanceState"
	for part := range strings.SplitSeq(string(e.State), "_") {
		if part != "" {
			word += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return unsupported(word, e.ServerID)
}
