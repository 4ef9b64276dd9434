package rotation

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stepTurn is how long a step that sends may have its turn: far longer than all that it waits for.
	stepTurn = time.Hour
	// unknownTurn is the end of a turn whose attempt has no window of its own.
	unknownTurn = 2 * time.Hour
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

// turnHolder is an account's part in the turns on its server.
type turnHolder struct {
	// sending is set during the worker's step that has taken the turn.
	sending atomic.Bool
	// server is where the account is; zero: its record has not been read yet. The record's lock guards it.
	server server
}

type turn struct {
	holder *turnHolder
	id     ID        // of the holder
	until  time.Time // monotonic
	// next are the accounts whose plans have seen that the turn is another's. They are named, since a plan may be
	// made of a copy that only shows an account: to work on such a copy would bring back what it was copied from.
	next []ID
}

// take gives the turn to an account, or lengthens or shortens its own, unless another account has it.
func (t *turns) take(at server, id ID, holder *turnHolder, until time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.by[at]; other != nil && other.holder != holder && time.Now().Before(other.until) {
		return false
	}
	if t.by == nil {
		t.by = map[server]*turn{}
	}
	mine := &turn{holder: holder, id: id, until: until}
	if before := t.by[at]; before != nil {
		mine.next = before.next
	}
	t.by[at] = mine
	return true
}

// taken is until when another account has the turn, which tells this one when it ends; zero: none has it.
func (t *turns) taken(at server, id ID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	other := t.by[at]
	if other == nil || other.id == id || !time.Now().Before(other.until) {
		return time.Time{}
	}
	if !slices.Contains(other.next, id) {
		other.next = append(other.next, id)
	}
	return other.until
}

// end ends an account's turn, if it has it, and returns those who wait for that.
func (t *turns) end(at server, holder *turnHolder) []ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := t.by[at]
	if mine == nil || mine.holder != holder {
		return nil
	}
	delete(t.by, at)
	return mine.next
}

// serverOf is where an account is.
func serverOf(a *Account) server { return server{a.Provider, a.InstanceID} }
