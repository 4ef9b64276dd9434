package cocapi

// operateOrder stops, skips or goes on with an order, a batch or an instance.
func operateOrder(r *request) (any, *failure) {
	var in struct {
		Batch    *int   `json:"batch_index"`
		Instance *int64 `json:"instance_id"`
		Type     string `json:"operation_type"`
	}
	if f := r.read(&in); f != nil {
		return nil, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	o, status, f := r.ownOrder()
	switch {
	case f != nil:
		return nil, f
	case status == canceled || status == finished || status == abnormal: // [unconfirmed]
		return nil, invalid("The order has ended.")
	}
	switch in.Type {
	case "CANCEL_ORDER":
		o.canceled = true
		for _, b := range o.batches {
			r.api.world.CancelCommand(o.command(b))
		}
	case "PAUSE_ORDER":
		o.paused = true
	case "CONTINUE_ORDER":
		o.paused = false
		r.api.advance(o)
	case "SKIP_BATCH":
		if in.Batch == nil || *in.Batch < 1 || *in.Batch > len(o.batches) || o.batches[*in.Batch-1].started {
			return nil, invalid("batch_index must be that of a batch that has not been started")
		}
		o.batches[*in.Batch-1].skipped = true
	case "CANCEL_INSTANCE":
		if in.Instance == nil || !r.api.cancelInstance(o, *in.Instance) {
			return nil, invalid("instance_id must be that of an instance of the order")
		}
	default: // the page's example RETRY_INSTANCE among them
		return nil, invalid("operation_type is not valid, or the simulator does not know it")
	}
	return o.uuid, nil
}

func (a *API) cancelInstance(o *order, id int64) bool {
	for _, b := range o.batches {
		for _, i := range b.instances {
			if i.id != id {
				continue
			}
			if !b.started {
				i.canceled = true
			} else {
				a.world.CancelCommand(o.command(b), i.target.ResourceID)
			}
			return true
		}
	}
	return false
}
