package bench

import "fmt"

// budget shows where the time of one read goes: by how much the p50 of one client grows from each target to the next,
// which does the same and one thing more.
func (r *Report) budget(t *table) {
	t.head("part of a read, one client", "inmem ms", "raft ms")
	for _, part := range []struct{ name, target, beyond string }{
		{"HTTP and Vault's core (`sys/health`)", health, ""},
		{"token, policy, routing, Vault's own storage (KV)", kv, health},
		{"the way to a plugin's process and back, and the SDK there (floor)", floorRead, kv},
		{"a static password of cloudpw instead of nothing", ownRead, floorRead},
		{"a lease (leased floor)", floorLeased, floorRead},
		{"a password of cloudpw under the lease: the write of its nonce, before the answer leaves", ownLeased, floorLeased},
	} {
		cells := []string{part.name}
		for _, storage := range []string{"inmem", "raft"} {
			cells = append(cells, r.growth(storage, part.target, part.beyond))
		}
		t.row(cells...)
	}
}

// growth is the difference of two p50 of one client; empty if one was not measured.
func (r *Report) growth(storage, target, beyond string) string {
	time, ok := r.p50(storage, target)
	if !ok {
		return ""
	}
	if beyond == "" {
		return fmt.Sprintf("%.2f", time)
	}
	less, ok := r.p50(storage, beyond)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%+.2f", time-less)
}

func (r *Report) p50(storage, target string) (float64, bool) {
	for _, row := range r.Reads {
		if row.Storage == storage && row.Name == target && row.Clients == 1 {
			return row.P50, true
		}
	}
	return 0, false
}
