package azureapi

import (
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// deleteCommand ends the script, if it runs, and removes the record, which takes a while.
func deleteCommand(r *request) (reply, *failure) {
	if f := r.throttle(limitUpdate, r.vm.ID); f != nil {
		return reply{}, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	one := r.api.record(r.vm.ID, r.place.command)
	if one == nil {
		return reply{status: http.StatusNoContent}, nil
	}
	if f := r.modifiable(); f != nil {
		return reply{}, f
	}
	if one.gone.IsZero() {
		one.latest = r.begin(one, "Deleting")
		one.gone = one.latest.started.Add(r.world.OperationTime())
		if slow, ok := r.exchange.Fault(model.FaultSlowDelete); ok {
			one.gone = one.gone.Add(slow.Delay)
		}
		one.latest.until = one.gone
		r.api.use(one.server, one.name).deleted = true
		r.world.DeleteCommand(one.command, one.server)
	}
	return reply{http.StatusAccepted, nil, r.follow(one.latest, true)}, nil
}
