package rotation

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// Unproven counts the accounts of a connection that would not trust what a place says about existing servers.
func (c *Core) Unproven(ctx context.Context, connection string, place Place, trusted, doubted bool) (n int, err error) {
	m := protocol.PlaceChanged{Place: place, Trusted: trusted, Doubted: doubted}
	err = c.each(ctx, connection+"/", func(a *Account) {
		next, err := protocol.Transition(a, m)
		if err != nil { // it would change nothing
			next = a
		}
		if a.Place != "" && !next.TrustsHere() {
			n++
		}
	})
	return n, err
}

// PlaceUse says what the accounts of a connection remember of a place.
type PlaceUse struct {
	Place Place
	// Current is set for the place where the connection leads.
	Current bool
	// Accounts have a password of the place, Trusting trust its word about existing servers.
	Accounts, Trusting int
}

// Places lists the places that the accounts of a connection remember, that where it leads first.
func (c *Core) Places(ctx context.Context, connection string, here Place) ([]PlaceUse, error) {
	uses := []PlaceUse{{Place: here, Current: true}}
	err := c.each(ctx, connection+"/", func(a *Account) {
		has := a.Places()
		for _, v := range a.PlaceViews() {
			i := slices.IndexFunc(uses, func(u PlaceUse) bool { return u.Place.Same(v.Place) })
			if i < 0 {
				uses = append(uses, PlaceUse{Place: v.Place})
				i = len(uses) - 1
			}
			if slices.ContainsFunc(has, v.Place.Same) {
				uses[i].Accounts++
			}
			if a.Trusts(v.Place) {
				uses[i].Trusting++
			}
		}
	})
	return uses, err
}

// ForgetPlace has the accounts of a connection forget a place, on an operator's word that it does not exist any
// more, and returns how many did.
func (c *Core) ForgetPlace(ctx context.Context, connection string, place Place) (n int, err error) {
	forget := func(id ID) error {
		e := c.entry(id)
		if err := c.locate(ctx, e); err != nil {
			return err
		}
		_, err := c.update(ctx, e, protocol.PlaceForgotten{Place: place, At: c.opts.Now()})
		if errors.Is(err, protocol.ErrNoChange) || isNoRecord(err) {
			return nil
		}
		if err == nil {
			n++
		}
		return err
	}
	if err := c.walk(ctx, connection+"/", forget); err != nil {
		return n, err
	}
	roles, err := c.opts.Storage.List(ctx, GroupPrefix+connection+"/")
	if err != nil {
		return n, &Error{Kind: Unavailable, Message: hint.Plain("storage failed while listing groups"), Err: err}
	}
	for _, role := range roles {
		if err := forget(GroupID(connection, role)); err != nil {
			return n, err
		}
	}
	return n, nil
}
