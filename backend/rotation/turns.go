package rotation

import (
	"context"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"slices"
	"strings"
	"sync"
	"time"
)

// turns is a lock for each server (rule 24): while one account of it is being reset, the others wait. Many
// clouds show only the latest operation on a server, so each of two users would take the other's operation
// for the loss of its own, and send again, and so on. A server is the same one whichever connection leads
// there. A turn lasts for the worker's step that sends, and then for as long as the outcome of an accepted
// attempt is asked for; but not longer than that attempt's window, with the longest operation: a connection
// that answers nothing must not hold up the others for ever.
type turns struct {
	mu sync.Mutex
	by map[server]*turn
}

// server is one server of a cloud.
type server struct{ provider, id string }

type turn struct {
	holder *entry
	until  time.Time // monotonic
	// next are the accounts whose plans have seen that the turn is another's. They are named, since a plan may be
	// made of a copy that only shows an account: to work on such a copy would bring back what it was copied from.
	next []ID
}

const (
	// stepTurn is how long a step that sends may have its turn: far longer than all that it waits for.
	stepTurn = time.Hour
	// unknownTurn is the end of a turn whose attempt has no window of its own.
	unknownTurn = 2 * time.Hour
)

// take gives the turn to an account, or lengthens or shortens its own, unless another account has it.
func (t *turns) take(at server, e *entry, until time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.by[at]; other != nil && other.holder != e && time.Now().Before(other.until) {
		return false
	}
	if t.by == nil {
		t.by = map[server]*turn{}
	}
	mine := &turn{holder: e, until: until}
	if before := t.by[at]; before != nil {
		mine.next = before.next
	}
	t.by[at] = mine
	return true
}

// taken is until when another account has the turn, which tells this one when it ends; zero: none has it.
func (t *turns) taken(at server, e *entry) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	other := t.by[at]
	if other == nil || other.holder.id == e.id || !time.Now().Before(other.until) {
		return time.Time{}
	}
	if !slices.Contains(other.next, e.id) {
		other.next = append(other.next, e.id)
	}
	return other.until
}

// end ends an account's turn, if it has it, and returns those who wait for that.
func (t *turns) end(at server, e *entry) []ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := t.by[at]
	if mine == nil || mine.holder != e {
		return nil
	}
	delete(t.by, at)
	return mine.next
}

// takeTurn begins the turn of an account that is about to be reset. leaveTurn ends it. Where the cloud runs one
// operation at a time (serial), an attempt that an earlier process has left may take long, and the others are
// looked for.
func (c *Core) takeTurn(ctx context.Context, e *entry, serial bool) (bool, error) {
	e.mu.Lock()
	rec := e.rec
	e.mu.Unlock()
	if rec == nil {
		return false, nil
	}
	if serial {
		if err := c.loadUsers(ctx, rec); err != nil {
			return false, err
		}
	}
	if !c.turns.take(serverOf(rec), e, time.Now().Add(stepTurn)) {
		return false, nil
	}
	e.sending.Store(true)
	return true, nil
}

// leaveTurn is the end of the step that took the turn. While the account has an accepted attempt whose
// outcome is asked for, the others of its server wait on.
func (c *Core) leaveTurn(e *entry) {
	if !e.sending.Swap(false) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c.keepTurn(e)
}

// keepTurn keeps the turn in step with the account's record, of which at is the server. The caller holds e.mu.
func (c *Core) keepTurn(e *entry) {
	if e.rec != nil {
		e.server = serverOf(e.rec)
	}
	switch {
	case e.rec == nil && !e.loaded: // it is read again before anything else is done with it
	case e.rec.AwaitsOutcome():
		c.turns.take(e.server, e, e.turnEnds())
	case !e.sending.Load():
		for _, next := range c.turns.end(e.server, e) {
			if waits := c.inMemory(next); waits != nil {
				c.scheduleAt(waits, protocol.StepNone, c.opts.Now())
			}
		}
	}
}

// turnEnds is when the turn of an account with an accepted attempt ends, whatever becomes of that.
func (e *entry) turnEnds() time.Time {
	for _, t := range e.rec.Pending.Attempts {
		if !t.Polled() {
			continue
		}
		window := max(t.Window, t.FenceWindow)
		if window == 0 {
			window = unknownTurn
		}
		return e.seen[t.ID].Add(window)
	}
	return time.Now()
}

// server is where the account is.
func serverOf(a *Account) server { return server{a.Provider, a.InstanceID} }

// loadUsers makes the accounts of a server's other users present, those of other connections too, so that
// their turns are known: after a start that has not loaded all accounts yet.
func (c *Core) loadUsers(ctx context.Context, a *Account) error {
	c.mu.Lock()
	loading := c.loading
	c.mu.Unlock()
	if !loading {
		return nil
	}
	users, err := c.usersOf(ctx, a)
	if err != nil {
		return err
	}
	for _, id := range users {
		if id == a.ID {
			continue
		}
		if _, err := c.get(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// usersOf lists the accounts of an account's server, as its connection's records and the bindings of all
// connections name them.
func (c *Core) usersOf(ctx context.Context, a *Account) ([]ID, error) {
	names, err := c.List(ctx, a.Connection+"/"+a.InstanceID+"/")
	if err != nil {
		return nil, err
	}
	ids := make([]ID, 0, len(names))
	for _, name := range names {
		ids = append(ids, ID{Connection: a.Connection, InstanceID: a.InstanceID, Username: name})
	}
	prefix := strings.TrimSuffix(bindingKey(a.Provider, ID{InstanceID: a.InstanceID}), "/") + "/"
	if names, err = c.opts.Storage.List(ctx, prefix); err != nil {
		return nil, storageError("listing the users of the server of", a.ID, err)
	}
	for _, name := range names {
		marker, err := loadBinding(ctx, c.opts.Storage, prefix+name, a.ID)
		if err != nil {
			return nil, err
		}
		for _, claim := range marker.Claims {
			if claim.Account != nil && !slices.Contains(ids, *claim.Account) {
				ids = append(ids, *claim.Account)
			}
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
	return ids, nil
}
