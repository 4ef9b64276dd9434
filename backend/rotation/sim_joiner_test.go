package rotation

import "sync"

// simJoins checks I13: a value that a group has is sent only to those for whom it was made. It looks at what
// storage says when the group's record with a new batch lands: members whose instance is there. Who leaves,
// or whose instance goes, loses the right to all values that it was not sent yet.
type simJoins struct {
	mu   sync.Mutex
	made map[string]map[string]bool // by value and instance
	sent map[string]map[string]bool
}

// joinsLanded takes note of a record that has just become the stored one.
func (w *world) joinsLanded(id ID, rec *Account) {
	j := &w.joins
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.made == nil {
		j.made, j.sent = map[string]map[string]bool{}, map[string]map[string]bool{}
	}
	if !id.IsGroup() {
		if rec != nil && rec.Pending != nil {
			w.given(id.InstanceID, rec.Pending.Password) // from now on it may have been sent
		}
		if rec == nil || !rec.Gone.IsZero() || !rec.Settings.SharedPassword || rec.Role == "" {
			for _, of := range j.made {
				delete(of, id.InstanceID)
			}
		}
		return
	}
	if rec == nil || rec.Pending == nil || j.made[rec.Pending.Password] != nil {
		return
	}
	of := map[string]bool{}
	for _, member := range rec.Members {
		if m := w.record(member); m != nil && m.Gone.IsZero() && m.Role == rec.Role && m.Settings.SharedPassword {
			of[member.InstanceID] = true
		}
	}
	j.made[rec.Pending.Password] = of
	j.sent[rec.Pending.Password] = map[string]bool{}
}

// given checks a value that an instance's record has as pending. The caller holds the mutex.
func (w *world) given(instance, value string) {
	of, shared := w.joins.made[value]
	if !shared {
		return
	}
	if sent := w.joins.sent[value]; !of[instance] && !sent[instance] {
		w.violation("I13", "%s, which was made for %v, is given to %s", value, of, instance)
	} else {
		sent[instance] = true
	}
}

// joinsSent checks a value that is about to leave for an instance.
func (w *world) joinsSent(instance, value string) {
	w.joins.mu.Lock()
	defer w.joins.mu.Unlock()
	w.given(instance, value)
}
