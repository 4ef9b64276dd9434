package azureapi

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// agentPatience is how long an operation waits for an agent that reports nothing. The documents name none for it; what an extension is
// given is 90 minutes.
const agentPatience = 90 * time.Minute

// operation is one that the API goes on with after its answer.
type operation struct {
	id, server, location, subscription string
	// word is the provisioning state while it runs.
	word string
	// command is the model's command that it brings to the server, and async is set if it does not wait for it; until is when it ends if
	// it brings none.
	command string
	async   bool
	started time.Time
	until   time.Time
}

// operationStatus is what Azure-AsyncOperation shows.
type operationStatus struct {
	StartTime string     `json:"startTime"`
	EndTime   string     `json:"endTime,omitempty"`
	Status    string     `json:"status"`
	Name      string     `json:"name"`
	Error     *errorBody `json:"error,omitempty"`
}

// begin starts an operation on a run command. The caller holds the lock.
func (r *request) begin(one *record, word string) *operation {
	o := &operation{id: r.world.NewUUID(), server: r.vm.ID, location: r.vm.Region, subscription: r.vm.AccountID, word: word,
		async: one.body.Properties.AsyncExecution, started: r.world.OperationNow()}
	o.until = o.started.Add(r.world.OperationTime())
	r.api.operations[o.id] = o
	return o
}

// follow are the headers that say where to look for an operation, in the form of the recording.
func (r *request) follow(o *operation, monitor bool) map[string]string {
	where := r.base + "/subscriptions/" + o.subscription + "/providers/" + compute + "/locations/" + o.location + "/operations/" + o.id +
		"?p=" + r.who.ObjectID
	version := "&api-version=" + url.QueryEscape(r.query.Get("api-version"))
	out := map[string]string{"Azure-AsyncNotification": "Enabled", "Azure-AsyncOperation": where + version}
	if monitor {
		out["Location"] = where + "&monitor=true" + version
	}
	return out
}

// state says how an operation stands. Its own failure says nothing about the script. The caller holds the lock.
func (o *operation) state(a *API) (out operationStatus) {
	now := a.world.OperationNow()
	out = operationStatus{StartTime: stamp(o.started), Status: "InProgress", Name: o.id}
	end := func(at time.Time, status string, f *errorBody) operationStatus {
		if !now.Before(at) {
			out.Status, out.EndTime, out.Error = status, stamp(at), f
		}
		return out
	}
	if o.command == "" {
		return end(o.until, "Succeeded", nil)
	}
	i, ok := a.world.Invocation(o.command, o.server)
	switch {
	case !ok:
		return out
	case i.Preempted:
		return end(o.until, "Failed", preempted())
	case i.Silent || i.State == model.CommandPending:
		s, _ := a.world.Server(o.server)
		return end(o.started.Add(agentPatience), "Failed", &errorBody{Code: "VMAgentStatusCommunicationError", Message: "VM '" + s.Name +
			"' has not reported status for VM agent or extensions. Please verify the VM has a running VM agent, and can establish outbound " +
			"connections to Azure storage."})
	case i.State == model.CommandCancelled || i.State == model.CommandTerminated:
		return end(i.Ended, "Canceled", preempted())
	case i.State.Final():
		return end(i.Ended, "Succeeded", nil)
	case o.async:
		return end(i.Started, "Succeeded", nil)
	}
	return out
}

func preempted() *errorBody {
	return &errorBody{Code: "OperationPreempted", Message: "Operation execution has been preempted by a more recent operation."}
}

// provisioning is the state of the record that an operation is about.
func (o *operation) provisioning(a *API) string {
	switch status := o.state(a).Status; {
	case status == "InProgress", o.word == "Deleting":
		return o.word
	default:
		return status
	}
}

// getOperation shows an operation or, with monitor=true, whether it has ended.
func getOperation(r *request) (reply, *failure) {
	r.api.mu.Lock()
	o := r.api.operations[strings.ToLower(r.place.operation)]
	r.api.mu.Unlock()
	if o == nil || !strings.EqualFold(o.subscription, r.place.subscription) || !strings.EqualFold(o.location, r.place.location) {
		return reply{}, fail(http.StatusNotFound, "NotFound", "The operation was not found.")
	}
	r.vm.Region = o.location
	if f := r.throttle(limitOperation, o.server); f != nil {
		return reply{}, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	status := o.state(r.api)
	switch {
	case r.query.Get("monitor") == "":
		return reply{http.StatusOK, status, nil}, nil
	case status.Status == "InProgress":
		return reply{http.StatusAccepted, nil, map[string]string{"Location": r.base + r.place.path + "?" + r.query.Encode()}}, nil
	default:
		return reply{status: http.StatusNoContent}, nil
	}
}
