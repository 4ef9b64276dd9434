package rotation

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// simCleaner can have the cloud remove its records.
type simCleaner struct{ simResetter }

// CleanReset implements cloud.ResetCleaner. It is a crash point, and may fail.
func (p simCleaner) CleanReset(ctx context.Context, ref cloud.ResetRef) error {
	return p.call(ctx, "clean", ref.InstanceID, func(c *simCloud) error { return c.remove(ref) })
}

// remove is the cloud's side of the removal of a record. The caller holds c.mu.
func (c *simCloud) remove(ref cloud.ResetRef) error {
	w, s := c.w, c.servers[ref.InstanceID]
	if s.gone {
		return cloud.Errorf(cloud.NotFound, "no such instance")
	}
	for _, user := range s.users {
		if a := w.record(user.account); a != nil && slices.Contains(openNames(a), ref.Name) {
			w.violation("I22", "the record %s is to be removed, though storage has no outcome of it", ref.Name)
		}
	}
	id, there := s.named[ref.Name]
	if !there {
		return nil
	}
	if state := s.commands[id].State; state != cloud.OperationSuccess && state != cloud.OperationFailed {
		return cloud.Errorf(cloud.NotReady, "command %s runs", id)
	}
	if s.stopped {
		return cloud.Errorf(cloud.Refused, "the server does not run")
	}
	if c.removesSlowly(s, ref.Name) {
		return nil
	}
	c.drop(s.simMachine, ref.Name)
	return nil
}

// drop removes a record. The caller holds c.mu.
func (c *simCloud) drop(s *simMachine, name string) {
	id := s.named[name]
	delete(s.named, name)
	delete(s.commands, id)
	s.removed[id] = true
	s.recorded = slices.DeleteFunc(s.recorded, func(r *recorded) bool { return r.op.name == name })
	c.w.tracef("the cloud removes its record %s of %s", id, name)
}

// openNames are our own ids of the account's attempts whose outcome is not known.
func openNames(a *Account) []string {
	open := a.OldUnresolved
	if a.Pending != nil {
		open = slices.Concat(open, a.Pending.Attempts)
	}
	var names []string
	for _, t := range open {
		if !t.Ended && t.Name != "" {
			names = append(names, t.Name)
		}
	}
	return names
}

// awaitClean checks I22 at rest, where a command may take hours yet, and a failure may be followed by a pause of an hour.
func (w *world) awaitClean(ctx context.Context) {
	for end := time.Now().Add(simLongestOrdered + 2*maxCleanPause + w.setBack); len(w.violations()) == 0; {
		why := ""
		for _, b := range w.specs {
			if left := w.leftOver(b.ID); left != "" {
				why = left
			}
		}
		if why == "" {
			return
		}
		if time.Now().After(end) {
			w.violation("I22", "%s", why)
			return
		}
		pass(30*time.Second + w.duration("look", "", time.Second))
		w.recoverNode()
		w.endLeases(ctx)
	}
}

// leftOver says what is to be removed at the cloud for a server; "": nothing.
func (w *world) leftOver(id ID) string {
	var named []string
	tidy, gone := false, false
	var users []ID
	w.cloud.locked(func() {
		s := w.cloud.of(id)
		named, tidy = slices.Sorted(maps.Keys(s.named)), !s.untidy
		gone = s.gone
		for _, user := range s.users {
			users = append(users, user.account)
		}
	})
	if gone {
		return ""
	}
	var open []string
	for _, user := range users {
		a := w.record(user)
		if a == nil {
			return ""
		}
		for n := range a.Leftovers {
			if l, ok := a.Leftover(n); ok && !w.stalled(id, l.Name) {
				return "account " + user.String() + " still has the record " + l.Name + " removed"
			}
		}
		open = append(open, openNames(a)...)
	}
	for _, name := range named {
		if tidy && !slices.Contains(open, name) && !w.stalled(id, name) {
			return "the cloud keeps the record " + name + " of instance " + id.InstanceID
		}
	}
	return ""
}
