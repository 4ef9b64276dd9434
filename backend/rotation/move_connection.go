package rotation

import (
	"context"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// CheckMoveTo returns what keeps an account from going on at another connection, as far as no cloud has to be asked.
func (c *Core) CheckMoveTo(ctx context.Context, id ID, connection string) error {
	if err := c.locate(ctx, c.entry(id)); err != nil {
		return err
	}
	a, err := c.get(ctx, id)
	switch {
	case err != nil:
		return err
	case a == nil:
		return noRecord(id)
	}
	to, err := c.connect(ctx, connection)
	if err != nil {
		return err
	}
	id.Connection = connection
	_, err = c.change(a, to.Connection, protocol.ConnectionChanged{To: id, Facts: Facts{Place: to.Place}})
	return err
}

// change completes the change of an account's connection, if it can be made.
func (c *Core) change(a *Account, to *Connection, ev protocol.ConnectionChanged) (protocol.ConnectionChanged, error) {
	if a.Provider != to.ProviderName {
		return ev, protocol.Errorf(Invalid, "account %s is of %s, and connection %s of %s", a.ID, a.Provider, ev.To.Connection, to.ProviderName)
	}
	ev.At = c.opts.Now()
	ev.Place = *to.moved(ev.At)
	_, err := protocol.Transition(a, ev)
	return ev, err
}

// MoveTo has an account go on at another connection of the same cloud account (rule 26), where role may have it; "" gives no word
// for a role. facts are what that connection says of the server, which its cloud was asked for that. It returns the account's view
// under its new name.
func (c *Core) MoveTo(ctx context.Context, id ID, connection, role string, facts Facts) (*View, error) {
	a, err := c.get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, noRecord(id)
	}
	e := c.entry(id)
	if err := c.locate(ctx, e); err != nil {
		return nil, err
	}
	to, err := c.connect(ctx, connection)
	if err != nil {
		return nil, err
	}
	key, next := bindingKey(a.Provider, id), ID{Connection: connection, InstanceID: id.InstanceID, Username: id.Username}
	lock := locksutil.LockForKey(c.bindings, key)
	lock.Lock()
	defer lock.Unlock()
	if err := c.finishMoves(ctx, key, id); err != nil {
		return nil, err
	}
	if a, err = c.get(ctx, id); err != nil {
		return nil, err
	} else if a == nil {
		return nil, noRecord(id)
	}
	if there, err := c.get(ctx, next); err != nil {
		return nil, err
	} else if there != nil {
		return nil, protocol.Errorf(Conflict, "there is an account %s already, with passwords of its own; see: %s", next, next.VersionsHint())
	}
	if _, err := c.claim(ctx, bindingOf(a)); err != nil { // what was taken over and is nobody's yet is its own again
		return nil, err
	}
	if err := c.beginMove(ctx, e, to.Connection, protocol.ConnectionChanged{To: next, Role: role, Facts: facts}); err != nil {
		return nil, err
	}
	if err := c.finishMoves(ctx, key, id); err != nil {
		return nil, err
	}
	return c.Inspect(ctx, next)
}

// beginMove writes that the account goes on under another name. From then on the move is finished, whatever happens.
func (c *Core) beginMove(ctx context.Context, e *entry, to *Connection, ev protocol.ConnectionChanged) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := c.load(ctx, e); err != nil {
		return err
	}
	if e.rec == nil {
		return noRecord(e.id)
	}
	if e.fetching != nil || e.turn.sending.Load() {
		return protocol.Errorf(Conflict, "account %s is being read or rotated at this moment; wait until that has ended, and try again", e.id)
	}
	ev, err := c.change(e.rec, to, ev)
	if err != nil {
		return err
	}
	_, err = c.updateLocked(ctx, e, ev)
	return err
}
