package rotation

// simFreed are the values whose leases an operator's word has ended, which an exclusive check-out does not count.
type simFreed struct {
	had   map[ID]map[simValue]bool
	ended map[ID]map[simValue]bool
}

// simValue is a value under its number: a restored one comes again, a replaced batch leaves its number to the next.
type simValue struct {
	version  int
	password string
}

func newSimFreed() simFreed {
	return simFreed{had: map[ID]map[simValue]bool{}, ended: map[ID]map[simValue]bool{}}
}

func (f simFreed) has(l *simLease) bool {
	return f.ended[l.ref.ID][simValue{l.ref.Version, l.password}]
}

// freesLanded notes, at each change of a record, the value that may be leased from now on, and whether the change is the
// end of a rotation that an operator has asked for. The record alone is not believed about that.
func (w *world) freesLanded(before, after *Account) {
	if after == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f, id := w.freed, after.ID
	if f.had[id] == nil {
		f.had[id], f.ended[id] = map[simValue]bool{}, map[simValue]bool{}
	}
	if p := after.Pending; p != nil {
		f.had[id][simValue{after.LastVersion + 1, p.Password}] = true
	}
	cur := after.Current()
	if cur == nil {
		return
	}
	now := simValue{cur.Number, cur.Password}
	f.had[id][now] = true
	ends := before != nil && before.Pending != nil && after.LastVersion > before.LastVersion
	if !ends || !w.asked[id] || before.Due == nil || !before.Due.Forced {
		return
	}
	for v := range f.had[id] {
		if v != now {
			f.ended[id][v] = true
		}
	}
}
