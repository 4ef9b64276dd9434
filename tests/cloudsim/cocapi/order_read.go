package cocapi

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// times are the fields of an order or of an instance about when it began and ended.
func times(out map[string]any, created, ended time.Time) map[string]any {
	out["gmt_created"], out["gmt_finished"], out["execute_costs"] = milliseconds(created), milliseconds(ended), nil
	if !ended.IsZero() {
		out["execute_costs"] = int64(ended.Sub(created).Seconds())
	}
	return out
}

// end is when an order with a final status ended.
func (a *API) end(o *order, status string) time.Time {
	var last time.Time
	if status != finished && status != abnormal && status != canceled {
		return last
	}
	for _, b := range o.batches {
		for _, i := range b.instances {
			if r, shown := a.look(o, b, i); shown && r.finished.After(last) {
				last = r.finished
			}
		}
	}
	return last
}

// getOrder shows an order with its parameters, in clear: whether sensitive ones are masked is [unconfirmed].
func getOrder(r *request) (any, *failure) {
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	o, status, f := r.ownOrder()
	if f != nil {
		return nil, f
	}
	current := 1
	for _, b := range o.batches {
		if b.started {
			current = b.index
		}
	}
	return times(map[string]any{
		"execute_uuid": o.uuid, "creator": o.creator, "status": status, "properties": map[string]any{
			"script_uuid": o.script.uuid, "script_name": o.script.in.Name, "script_version_uuid": o.script.id,
			"script_version_name": o.script.in.Properties.Version, "current_execute_batch_index": current, "execute_param": o.in.Param,
		},
	}, o.created, r.api.end(o, status)), nil
}

// listOrders shows a page of the tenant's orders, newest first.
func listOrders(r *request) (any, *failure) {
	q := r.URL.Query()
	p, f := readPage(q, false)
	if f != nil {
		return nil, f
	}
	from, f := readTime(q, "start_time", 0)
	if f != nil {
		return nil, f
	}
	to, f := readTime(q, "end_time", math.MaxInt64)
	if f != nil {
		return nil, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	list, total := []map[string]any{}, 0
	for _, o := range slices.Backward(r.api.orders) {
		created := o.created.UnixMilli()
		if o.account != r.caller.Account.ID || created < from || created > to || cmp.Or(q.Get("creator"), o.creator) != o.creator ||
			!r.api.visible(o) {
			continue
		}
		status := r.api.advance(o)
		if cmp.Or(q.Get("status"), status) != status {
			continue
		}
		total++
		if p.takes(o.id, len(list)) {
			list = append(list, times(map[string]any{
				"order_id": o.id, "order_name": o.script.in.Name, "execute_uuid": o.uuid, "creator": o.creator, "status": status,
				"properties": map[string]any{"region_ids": o.regions()},
			}, o.created, r.api.end(o, status)))
		}
	}
	return map[string]any{"total": total, "data": list}, nil
}

// regions are those of the order's servers, in one text.
func (o *order) regions() string {
	var out []string
	for _, b := range o.in.Batches {
		for _, t := range b.Targets {
			if !slices.Contains(out, t.RegionID) {
				out = append(out, t.RegionID)
			}
		}
	}
	return strings.Join(out, ",")
}

// readTime reads a time in milliseconds.
func readTime(q url.Values, name string, otherwise int64) (int64, *failure) {
	if q.Get(name) == "" {
		return otherwise, nil
	}
	ms, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || ms < 0 {
		return 0, invalid(name + " must be a time in milliseconds")
	}
	return ms, nil
}

// getStatistics counts an order's instances by status.
func getStatistics(r *request) (any, *failure) {
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	o, _, f := r.ownOrder()
	if f != nil {
		return nil, f
	}
	total, list := 0, []map[string]any{}
	for _, status := range []string{ready, processing, abnormal, canceled, finished} {
		count, indexes := 0, []int{}
		for _, b := range o.batches {
			n := 0
			for _, i := range b.instances {
				if v, shown := r.api.look(o, b, i); shown && v.status == status {
					n++
				}
			}
			if n > 0 {
				indexes = append(indexes, b.index)
			}
			count += n
		}
		total += count
		if count > 0 {
			list = append(list, map[string]any{"instance_status": status, "instance_count": count, "batch_indexes": indexes})
		}
	}
	return map[string]any{"total_instance": total, "execute_statistics": list}, nil
}
