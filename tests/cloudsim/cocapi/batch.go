package cocapi

import "strconv"

// maxLog is how much of the logs of an order is kept, in bytes.
const maxLog = 1 << 20

// listBatches shows an order's batches.
func listBatches(r *request) (any, *failure) {
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	o, _, f := r.ownOrder()
	if f != nil {
		return nil, f
	}
	list := []map[string]any{}
	for n, b := range o.batches {
		list = append(list, map[string]any{
			"batch_index": b.index, "total_instances": len(b.instances), "rotation_strategy": o.in.Batches[n].Strategy, "properties": nil,
		})
	}
	return list, nil
}

// getBatch shows a page of a batch's instances with their logs, oldest first.
func getBatch(r *request) (any, *failure) {
	q := r.URL.Query()
	p, f := readPage(q, true)
	if f != nil {
		return nil, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	o, _, f := r.ownOrder()
	if f != nil {
		return nil, f
	}
	index, err := strconv.Atoi(r.vars[1])
	if err != nil || index < 1 || index > len(o.batches) {
		return nil, notFound("The batch " + r.vars[1])
	}
	b, list := o.batches[index-1], []map[string]any{}
	for _, i := range b.instances {
		v, shown := r.api.look(o, b, i)
		if !shown || i.id <= p.marker || len(list) == p.limit || q.Get("status") != "" && q.Get("status") != v.status {
			continue
		}
		provider, kind := "ECS", "CLOUDSERVER"
		seen := target{ResourceID: i.target.ResourceID, RegionID: i.target.RegionID, Provider: &provider, Type: &kind, Custom: i.target.Custom}
		list = append(list, times(map[string]any{
			"id": i.id, "target_instance": seen, "status": v.status, "message": r.api.cutLog(o, i),
		}, v.created, v.finished))
	}
	return map[string]any{"batch_index": index, "total_instances": len(b.instances), "execute_instances": list}, nil
}

// cutLog is an instance's log, as far as the logs of the order before it leave room.
func (a *API) cutLog(o *order, wanted *instance) string {
	room := maxLog
	for _, b := range o.batches {
		for _, i := range b.instances {
			v, _ := a.look(o, b, i)
			log := v.log[:min(len(v.log), room)]
			if i == wanted {
				return log
			}
			room -= len(log)
		}
	}
	return ""
}
