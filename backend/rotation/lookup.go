package rotation

import (
	"context"
	"strings"

	"github.com/hashicorp/vault/sdk/helper/salt"
)

// RoleOf returns the role that an account is bound to; "" for none. found is false if there is no such account.
func (c *Core) RoleOf(ctx context.Context, id ID) (role string, found bool, err error) {
	a, err := c.get(ctx, id)
	if err != nil || a == nil {
		return "", false, err
	}
	return a.Role, true, nil
}

// Bound lists the accounts that belong to a role, below one connection.
func (c *Core) Bound(ctx context.Context, connection, role string) ([]ID, error) {
	var ids []ID
	err := c.each(ctx, connection+"/", func(a *Account) {
		if a.Role == role {
			ids = append(ids, a.ID)
		}
	})
	return ids, err
}

// Owned lists the accounts that belong, or last belonged, to a role, below one connection.
func (c *Core) Owned(ctx context.Context, connection, role string) ([]ID, error) {
	var ids []ID
	err := c.each(ctx, connection+"/", func(a *Account) {
		if a.Owner() == role {
			ids = append(ids, a.ID)
		}
	})
	return ids, err
}

// Use counts what needs a connection.
type Use struct {
	Accounts, Leases int
	// Owed are the accounts that are on their way to a new password, or whose present one somebody knows who
	// must not any more. Those of instances that are gone are left out.
	Owed int
}

// ConnectionUse counts the accounts of a connection.
func (c *Core) ConnectionUse(ctx context.Context, connection string) (Use, error) {
	var use Use
	err := c.each(ctx, connection+"/", func(a *Account) {
		use.Accounts++
		use.Leases += len(a.Leases)
		if a.Gone.IsZero() && a.MustRotate() {
			use.Owed++
		}
	})
	return use, err
}

// List returns the names below a prefix of account names, as storage lists them: connections for "",
// instance ids for "<connection>/", user names for "<connection>/<instance_id>/".
func (c *Core) List(ctx context.Context, prefix string) ([]string, error) { return c.list(ctx, prefix) }

// Invalidate drops what is cached under a storage key that another node has changed.
func (c *Core) Invalidate(key string) {
	if key == salt.DefaultLocation {
		c.initials.forgetSalt()
		return
	}
	id, ok := idOfKey(key)
	if !ok {
		return
	}
	e := c.entry(id)
	e.mu.Lock()
	e.unload()
	e.mu.Unlock()
	c.ask(e)
}

// idOfKey is the inverse of accountKey.
func idOfKey(key string) (ID, bool) {
	if rest, ok := strings.CutPrefix(key, GroupPrefix); ok {
		connection, role, ok := strings.Cut(rest, "/")
		return GroupID(connection, role), ok
	}
	rest, ok := strings.CutPrefix(key, AccountPrefix)
	if !ok {
		return ID{}, false
	}
	id, err := ParseID(rest)
	return id, err == nil
}
