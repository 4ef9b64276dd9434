package cocapi

import (
	"fmt"
	"math"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type executeBody struct {
	Param *struct {
		Resourceful *bool   `json:"resourceful,omitempty"` // has no effect any more
		Timeout     int     `json:"timeout"`
		SuccessRate float64 `json:"success_rate"`
		User        string  `json:"execute_user"`
		Params      []input `json:"script_params"`
	} `json:"execute_param"`
	Batches []batchBody `json:"execute_batches"`
}

type batchBody struct {
	Index    int      `json:"batch_index"`
	Strategy string   `json:"rotation_strategy"`
	Targets  []target `json:"target_instances"`
}

type target struct {
	ResourceID string      `json:"resource_id"`
	RegionID   string      `json:"region_id"`
	Provider   *string     `json:"provider,omitempty"`
	Type       *string     `json:"type,omitempty"`
	Custom     []attribute `json:"custom_attributes,omitempty"`
	AgentSN    *string     `json:"agent_sn,omitempty"`   // has no effect any more
	ProjectID  *string     `json:"project_id,omitempty"` // likewise
}

type attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Limits of an order.
const (
	leastTimeout = 5 // seconds; more than this, and less than the next
	mostTimeout  = 1800
	maxBatches   = 20
	maxTargets   = 10 // of a batch
	maxCustom    = 5
)

func (in executeBody) servers() []string {
	var out []string
	for _, b := range in.Batches {
		for _, t := range b.Targets {
			out = append(out, t.ResourceID)
		}
	}
	return out
}

func (in executeBody) parameters() []input {
	if in.Param == nil {
		return nil
	}
	return in.Param.Params
}

// executeScript makes an order, and starts its first batch.
func executeScript(r *request) (any, *failure) {
	var in executeBody
	if f := r.read(&in); f != nil {
		return nil, f
	}
	if f := in.check(); f != nil {
		return nil, f
	}
	a := r.api
	a.mu.Lock()
	defer a.mu.Unlock()
	s, f := r.ownScript(r.vars[0])
	switch {
	case f != nil:
		return nil, f
	case s.status != approved: // that it is refused is documented, in which words is not
		return nil, invalid("The script is not approved: " + s.status)
	case s.in.Type != "SHELL":
		return nil, invalid("The simulated agents run SHELL scripts only.")
	}
	if f := checkInputs(in.parameters(), s.in.Params); f != nil {
		return nil, f
	}
	for _, b := range in.Batches {
		for _, t := range b.Targets {
			if f := r.checkTarget(t); f != nil {
				return nil, f
			}
		}
	}
	o := a.newOrder(r, s, in)
	if err := a.start(o, o.batches[0]); err != nil {
		return nil, invalid(err.Error())
	}
	a.orders = append(a.orders, o)
	return o.uuid, nil
}

// check refuses what breaks the page's limits of an order.
func (in executeBody) check() *failure {
	switch {
	case in.Param == nil:
		return invalid("execute_param must not be null")
	case in.Param.Timeout <= leastTimeout || in.Param.Timeout >= mostTimeout:
		return invalid(fmt.Sprintf("timeout must be more than %d and less than %d", leastTimeout, mostTimeout))
	case in.Param.SuccessRate < 1 || in.Param.SuccessRate > 100 || math.Round(in.Param.SuccessRate*10) != in.Param.SuccessRate*10:
		return invalid("success_rate must be 1 to 100, with at most one decimal place")
	case in.Param.User != "root": // "the script must be executed by user root"
		return invalid("execute_user must be root")
	case len(in.Batches) < 1 || len(in.Batches) > maxBatches:
		return invalid(fmt.Sprintf("there must be 1 to %d execute_batches", maxBatches))
	}
	seen := map[string]bool{}
	for i, b := range in.Batches {
		switch {
		case b.Index != i+1:
			return invalid("batch_index must count from 1")
		case b.Strategy != "CONTINUE" && b.Strategy != "PAUSE":
			return invalid("rotation_strategy must be CONTINUE or PAUSE")
		case len(b.Targets) < 1 || len(b.Targets) > maxTargets:
			return invalid(fmt.Sprintf("there must be 1 to %d target_instances in a batch", maxTargets))
		}
		for _, t := range b.Targets {
			if f := t.check(); f != nil {
				return f
			}
			if seen[t.ResourceID] { // [unconfirmed]
				return invalid("resource_id " + t.ResourceID + " is there twice")
			}
			seen[t.ResourceID] = true
		}
	}
	return nil
}

func (t target) check() *failure {
	switch {
	case t.ResourceID == "" || t.RegionID == "":
		return invalid("resource_id and region_id must not be empty")
	case t.Provider != nil && *t.Provider != "ECS", t.Type != nil && *t.Type != "CLOUDSERVER":
		return invalid("The simulator knows the provider ECS and the type CLOUDSERVER only.")
	case len(t.Custom) > maxCustom:
		return invalid(fmt.Sprintf("there can be at most %d custom_attributes", maxCustom))
	}
	return nil
}

// checkTarget refuses servers that the caller does not have in the region. A server that does not run, or that has no agent, is
// accepted, as far as the pages say.
func (r *request) checkTarget(t target) *failure {
	s, known := r.api.world.Server(t.ResourceID)
	switch {
	case !known, s.Cloud != model.HuaweiCloud, s.AccountID != r.caller.Account.ID, s.State == model.StateTerminated,
		s.Region != t.RegionID, !r.caller.Uses(s.ProjectID): // [unconfirmed] in which words
		return invalid("The instance " + t.ResourceID + " does not exist.")
	case s.IsWindows(): // [unconfirmed]
		return invalid("The script type does not match the operating system of the instance " + t.ResourceID + ".")
	}
	return nil
}
