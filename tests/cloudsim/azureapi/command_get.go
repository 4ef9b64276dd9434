package azureapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxOutput is how much of its output the API shows, of its end.
const maxOutput = 4 << 10

// commandView is what became of a run command.
type commandView struct {
	ExitCode  int    `json:"exitCode"`
	State     string `json:"executionState"`
	Message   string `json:"executionMessage,omitempty"`
	Output    string `json:"output"`
	Error     string `json:"error"`
	StartTime string `json:"startTime,omitempty"`
	EndTime   string `json:"endTime,omitempty"`
}

// getCommand shows a run command.
func getCommand(r *request) (reply, *failure) {
	if f := r.throttle(limitLowCost, r.vm.ID); f != nil {
		return reply{}, f
	}
	expand, f := r.expandsView()
	if f != nil {
		return reply{}, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	one := r.api.record(r.vm.ID, r.place.command)
	if one == nil {
		return reply{}, r.noCommand()
	}
	return reply{http.StatusOK, r.show(one, expand), nil}, nil
}

// listCommands shows all of a VM.
func listCommands(r *request) (reply, *failure) {
	if f := r.throttle(limitLowCost, r.vm.ID); f != nil {
		return reply{}, f
	}
	expand, f := r.expandsView()
	if f != nil {
		return reply{}, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	var all []any
	for _, one := range r.api.listed(r.vm.ID) {
		all = append(all, r.show(one, expand))
	}
	return r.page(all)
}

// view is what the Linux handler writes, of which the API shows the end (run-command-handler-linux, internal/cmds and
// internal/exec). The words of the Windows handler are unconfirmed: the simulator has the same. The caller holds the lock.
func (a *API) view(r *record) commandView {
	pending := commandView{State: "Pending"}
	if r.command == "" {
		done := r.made.Add(2 * a.world.OperationTime() / 3)
		if r.body.Properties.Source.Script != "" || a.world.OperationNow().Before(done) {
			return pending
		}
		// What could not be configured shows for ever that it runs, as recorded.
		return commandView{State: "Running", StartTime: inSeconds(done), EndTime: inSeconds(done), Message: "Execution failed: failed to " +
			"get configuration: invalid configuration: Either 'source.script' or 'source.scriptUri' has to be specified"}
	}
	i, ok := a.world.Invocation(r.command, r.server)
	if !ok || i.Silent {
		return pending
	}
	v := commandView{StartTime: inSeconds(i.Started), EndTime: inSeconds(i.Ended), Output: i.Output[max(0, len(i.Output)-maxOutput):]}
	switch i.State {
	case model.CommandPending:
		return pending
	case model.CommandRunning:
		v.State, v.Message, v.Output = "Running", "Execution in progress", ""
	case model.CommandSucceeded, model.CommandFailed, model.CommandTimedOut:
		// The code of a script that was killed at its limit is -1, as of all that a signal has ended.
		v.finish(i)
	default:
		// The handler has no word for it; the API's list of states has this one.
		v.State, v.Message, v.Output = "Canceled", "Execution was canceled", ""
	}
	return v
}

// finish fills in how a script has ended.
func (v *commandView) finish(i model.Invocation) {
	v.ExitCode = i.ExitCode
	switch {
	case i.StatusLost:
		v.State, v.ExitCode, v.Output = "Unknown", 0, "Unknown"
		v.Message = "The script has been executed. However, the instanceView's execution state, output, error are unknown."
	case i.ExitCode == 0:
		v.State, v.Message = "Succeeded", "Execution completed"
	case i.Message != "":
		v.State, v.Message = "Failed", "Execution failed: "+i.Message
	default:
		v.State = "Failed"
		v.Message = fmt.Sprintf("Execution failed: failed to execute command: command terminated with exit status=%d", i.ExitCode)
	}
}

// inSeconds is a time as the handler writes it.
func inSeconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05+00:00")
}
