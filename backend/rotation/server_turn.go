package rotation

import (
	"context"
	"slices"
	"strings"
	"time"
)

// takeTurn begins the turn of an account that is about to be reset. leaveTurn ends it. Where the cloud runs one
// operation at a time (serial), an attempt that an earlier process has left may take long, and the others are
// looked for.
func (x *executor) takeTurn(ctx context.Context, e *entry, serial bool) (bool, error) {
	e.mu.Lock()
	rec := e.rec
	e.mu.Unlock()
	if rec == nil {
		return false, nil
	}
	if serial {
		if err := x.loadUsers(ctx, rec); err != nil {
			return false, err
		}
	}
	if !x.turns.take(serverOf(rec), e.id, &e.turn, time.Now().Add(stepTurn)) {
		return false, nil
	}
	e.turn.sending.Store(true)
	return true, nil
}

// leaveTurn is the end of the step that took the turn. While the account has an accepted attempt whose
// outcome is asked for, the others of its server wait on.
func (x *executor) leaveTurn(e *entry) {
	if !e.turn.sending.Swap(false) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	x.keepTurn(e)
}

// loadUsers makes the accounts of a server's other users present, those of other connections too, so that
// their turns are known: after a start that has not loaded all accounts yet.
func (x *executor) loadUsers(ctx context.Context, a *Account) error {
	if !x.isLoading() {
		return nil
	}
	users, err := x.usersOf(ctx, a)
	if err != nil {
		return err
	}
	for _, id := range users {
		if id == a.ID {
			continue
		}
		if _, err := x.get(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// usersOf lists the accounts of an account's server, as its connection's records and the bindings of all
// connections name them.
func (x *executor) usersOf(ctx context.Context, a *Account) ([]ID, error) {
	names, err := x.list(ctx, a.Connection+"/"+a.InstanceID+"/")
	if err != nil {
		return nil, err
	}
	ids := make([]ID, 0, len(names))
	for _, name := range names {
		ids = append(ids, ID{Connection: a.Connection, InstanceID: a.InstanceID, Username: name})
	}
	prefix := strings.TrimSuffix(bindingKey(a.Provider, ID{InstanceID: a.InstanceID}), "/") + "/"
	if names, err = x.opts.Storage.List(ctx, prefix); err != nil {
		return nil, storageError("listing the users of the server of", a.ID, err)
	}
	for _, name := range names {
		marker, err := loadBinding(ctx, x.opts.Storage, prefix+name, a.ID)
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
