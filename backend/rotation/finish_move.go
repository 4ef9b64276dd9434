package rotation

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
)

// finishMove finishes the move of an account to another connection that was cut short (rule 26).
func (x *executor) finishMove(ctx context.Context, a *Account) error {
	key := bindingKey(a.Provider, a.ID)
	lock := locksutil.LockForKey(x.bindings, key)
	lock.Lock()
	defer lock.Unlock()
	return x.finishMoveOf(ctx, key, a.ID)
}

// finishMoves finishes the moves of all accounts that a binding's marker names, and of one that it may not name any more. The caller
// holds the binding's lock.
func (x *executor) finishMoves(ctx context.Context, key string, also ID) error {
	m, err := loadBinding(ctx, x.opts.Storage, key, also)
	if err != nil {
		return err
	}
	ids := []ID{also}
	for _, claimed := range slices.Sorted(maps.Keys(m.Claims)) {
		if id := m.Claims[claimed].Account; id != nil && !slices.Contains(ids, *id) {
			ids = append(ids, *id)
		}
	}
	for _, id := range ids {
		if err := x.finishMoveOf(ctx, key, id); err != nil {
			return err
		}
	}
	return nil
}

// finishMoveOf is the rest of a move, as far as it is not done yet. While the claim is the old account's, nobody else makes an
// account of the new name; once it is not, what there is under the new name is the account, or was deleted since.
func (x *executor) finishMoveOf(ctx context.Context, key string, id ID) error {
	a, err := x.get(ctx, id)
	if err != nil || a == nil || a.Successor == nil {
		return err
	}
	m, err := loadBinding(ctx, x.opts.Storage, key, id)
	if err != nil {
		return err
	}
	to, moved := *a.Successor, false
	for claimed, held := range m.Claims {
		if held.Account == nil || *held.Account != id {
			continue
		}
		held.leave(a)
		held.Account = &to
		m.set(claimed, held)
		moved = true
	}
	if moved {
		if err := x.goOn(ctx, a); err != nil {
			return err
		}
		if err := x.initials.rename(ctx, a, to); err != nil {
			return err
		}
		if err := saveBinding(ctx, x.opts.Storage, key, id, m); err != nil {
			return err
		}
	}
	e := x.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := x.load(ctx, e); err != nil {
		return err
	}
	if e.rec != nil {
		if err := x.remove(ctx, e); err != nil {
			return err
		}
	}
	x.drop(e)
	x.opts.Logger.Info("an account goes on at another connection", "account", id.String(), "as", to.String())
	return nil
}

// goOn writes the record under which an account goes on, unless it is there.
func (x *executor) goOn(ctx context.Context, a *Account) error {
	e := x.entry(*a.Successor)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := x.load(ctx, e); err != nil || e.rec != nil {
		return err
	}
	if err := x.put(ctx, e, a.Continued()); err != nil {
		return err
	}
	x.schedule(e)
	return nil
}
