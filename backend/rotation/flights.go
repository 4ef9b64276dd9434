package rotation

import (
	"context"
	"sync"
)

// flights knows, by instance, the account whose reset is under way. A cloud that runs one operation per
// instance at a time shows only the latest: were another account of the instance, one of another user, reset
// before the outcome of the first was seen, each would take the other's operation for the loss of its own and
// send again, and so on without an end.
type flights struct {
	mu sync.Mutex
	by map[instance]*entry
}

// instance is one server of a connection.
type instance struct{ connection, id string }

// begin lets an account be reset unless another one of its instance is. leave ends that.
func (f *flights) begin(e *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := instance{e.id.Connection, e.id.InstanceID}
	if other := f.by[at]; other != e && other.underWay() {
		return false
	}
	e.sending.Store(true)
	f.add(at, e)
	return true
}

// loadUsers makes the accounts of an instance's other users present, so that flights knows which of them is
// under way: after a start that has not loaded all accounts yet.
func (c *Core) loadUsers(ctx context.Context, id ID) error {
	c.mu.Lock()
	loading := c.loading
	c.mu.Unlock()
	if !loading {
		return nil
	}
	users, err := c.List(ctx, id.Connection+"/"+id.InstanceID+"/")
	if err != nil {
		return err
	}
	for _, user := range users {
		if other := (ID{id.Connection, id.InstanceID, user}); other != id {
			if _, err := c.get(ctx, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow notes what the record of an account tells after a start: an accepted attempt is still followed.
func (f *flights) follow(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := instance{e.id.Connection, e.id.InstanceID}
	if !f.by[at].underWay() {
		f.add(at, e)
	}
}

// underWay reports whether a reset of the account is. Nil is no account.
func (e *entry) underWay() bool { return e != nil && (e.sending.Load() || e.followed.Load()) }

func (f *flights) add(at instance, e *entry) {
	if f.by == nil {
		f.by = map[instance]*entry{}
	}
	f.by[at] = e
}

// leave is the end of the step that began. While the account has an accepted attempt whose outcome is to be
// seen, the others of its instance wait on.
func (f *flights) leave(e *entry) {
	e.sending.Store(false)
	f.tidy(e)
}

// tidy forgets an account that is not under way, or not any more.
func (f *flights) tidy(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at := (instance{e.id.Connection, e.id.InstanceID}); f.by[at] == e && !e.underWay() {
		delete(f.by, at)
	}
}

// follows reports whether the outcome of an accepted attempt is to be seen at the cloud.
func (a *Account) follows() bool {
	return a != nil && a.Gone.IsZero() && a.Settings.CanReset && a.Due != nil && a.asksFor(a.Pending, rules{})
}
