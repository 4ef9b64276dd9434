package cocapi

import (
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Statuses of orders, and of instances in them.
const (
	ready      = "READY"
	processing = "PROCESSING"
	abnormal   = "ABNORMAL"
	paused     = "PAUSED"
	canceled   = "CANCELED"
	finished   = "FINISHED"
)

// deliveryTimeout is how long an agent that does not answer is waited for: how long it is in COC is [unconfirmed].
const deliveryTimeout = time.Minute

// order is an execution of a script.
type order struct {
	id      int64
	uuid    string
	account string
	script  script // as it was then
	in      executeBody
	creator string
	created time.Time
	batches []*batch
	// exchange is the request for it, whose faults meet the later batches, too.
	exchange *model.Exchange
	// paused orders start no further batch; canceled ones have ended.
	paused, canceled bool
}

type batch struct {
	index     int
	strategy  string
	instances []*instance
	// started batches have a command; skipped ones never will have.
	started, skipped bool
}

type instance struct {
	id       int64
	target   target
	canceled bool // before its batch was started
}

// newOrder makes an order with ids in the form of the pages' examples. The caller holds the lock.
func (a *API) newOrder(r *request, s *script, in executeBody) *order {
	a.orderSeq++
	o := &order{
		id: a.orderSeq, uuid: "SCT" + a.world.Now().UTC().Format("20060102150405") + "01" + a.world.NewHex(7),
		account: r.caller.Account.ID, script: *s, in: in, creator: r.caller.User.Name, created: a.world.OperationNow(), exchange: r.exchange,
	}
	for _, b := range in.Batches {
		made := &batch{index: b.Index, strategy: b.Strategy}
		for _, t := range b.Targets {
			a.targetSeq++
			made.instances = append(made.instances, &instance{id: a.targetSeq, target: t})
		}
		o.batches = append(o.batches, made)
	}
	return o
}

// command is the id of a batch's command in the world.
func (o *order) command(b *batch) string { return fmt.Sprintf("%s.%d", o.uuid, b.index) }

// start starts a batch.
func (a *API) start(o *order, b *batch) error {
	b.started = true
	text, environment := handOver(a.opts.Parameters, o.script.in.Content, o.in.parameters())
	c := model.Command{
		ID: o.command(b), Interpreter: "shell", Text: text, Environment: environment, DeliveryTimeout: deliveryTimeout, AnyAgent: true,
		ExecutionTimeout: time.Duration(o.in.Param.Timeout) * time.Second,
		Labels:           map[string]string{"order": o.uuid, "script": o.script.uuid},
	}
	for _, i := range b.instances {
		if !i.canceled {
			c.ServerIDs = append(c.ServerIDs, i.target.ResourceID)
		}
	}
	err := a.world.StartCommand(o.exchange, c)
	if err != nil { // a server of a later batch is gone by now: nobody in it runs the script
		for _, i := range b.instances {
			i.canceled = true
		}
	}
	return err
}

// result is what there is to say of an instance.
type result struct {
	status            string
	created, finished time.Time
	log               string
}

// look finds out about an instance; false where nothing may be shown of it.
func (a *API) look(o *order, b *batch, i *instance) (result, bool) {
	if !b.started || i.canceled {
		out := result{status: ready, created: o.created}
		if o.canceled || b.skipped || i.canceled {
			out.status = canceled
		}
		return out, true
	}
	v, shown := a.world.Invocation(o.command(b), i.target.ResourceID)
	if !shown {
		return result{}, false
	}
	out := result{status: statuses[v.State], created: v.Queued, finished: v.Ended, log: v.Output}
	switch {
	case !v.State.Final():
		out.log = ""
	case v.Preempted:
		out.status, out.log = canceled, ""
	case v.StatusLost:
		out.status, out.log = abnormal, ""
	case out.log == "":
		out.log = v.Message
	}
	return out, true
}

// statuses are those of an instance, by the state of its command.
var statuses = map[model.CommandState]string{
	model.CommandPending: ready, model.CommandRunning: processing, model.CommandSucceeded: finished, model.CommandFailed: abnormal,
	model.CommandDeliveryTimedOut: abnormal, model.CommandTimedOut: abnormal, model.CommandCancelled: canceled,
	model.CommandTerminated: abnormal,
}

// ended says whether all instances of a batch have, and whether enough of them have FINISHED.
func (a *API) ended(o *order, b *batch) (all, enough bool) {
	good := 0
	for _, i := range b.instances {
		r, shown := a.look(o, b, i)
		if !shown || r.status == ready || r.status == processing {
			return false, false
		}
		if r.status == finished {
			good++
		}
	}
	return true, float64(good)*100 >= o.in.Param.SuccessRate*float64(len(b.instances))
}

// advance starts the batches whose turn it is, and tells the order's status. The caller holds the lock.
func (a *API) advance(o *order) string {
	if o.canceled {
		return canceled
	}
	for n, b := range o.batches {
		switch {
		case b.skipped:
			continue
		case !b.started && o.paused:
			return paused
		case !b.started:
			if err := a.start(o, b); err != nil {
				return abnormal
			}
		}
		all, enough := a.ended(o, b)
		switch {
		case !all:
			return a.underWay(o, b)
		case !enough:
			return a.failedOrder(o)
		case b.strategy == "PAUSE" && n+1 < len(o.batches) && !o.batches[n+1].started && !o.batches[n+1].skipped:
			o.paused, b.strategy = true, "CONTINUE" // once
		}
	}
	return finished
}

// underWay is the status of an order one of whose batches goes on.
func (a *API) underWay(o *order, b *batch) string {
	if b.index > 1 {
		return processing
	}
	for _, i := range b.instances {
		if r, shown := a.look(o, b, i); shown && r.status != ready {
			return processing
		}
	}
	return ready
}

// failedOrder is the status of an order one of whose batches has not finished well: CANCELED where that was all that happened.
func (a *API) failedOrder(o *order) string {
	for _, b := range o.batches {
		for _, i := range b.instances {
			if r, shown := a.look(o, b, i); b.started && (!shown || r.status != canceled) {
				return abnormal
			}
		}
	}
	return canceled
}

// ownOrder finds an order of the caller's tenant, advances it and tells its status. One whose first batch may not be shown is not
// there yet, or no more. The caller holds the lock.
func (r *request) ownOrder() (*order, string, *failure) {
	for _, o := range r.api.orders {
		if o.uuid == r.vars[0] && o.account == r.caller.Account.ID && r.api.visible(o) {
			return o, r.api.advance(o), nil
		}
	}
	return nil, "", notFound("The order " + r.vars[0])
}

func (a *API) visible(o *order) bool {
	for _, i := range o.batches[0].instances {
		if _, shown := a.look(o, o.batches[0], i); shown {
			return true
		}
	}
	return false
}
