package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// beginBatch makes a group's new value, which every member's rules allow, and records it.
func (x *executor) beginBatch(ctx context.Context, e *entry, g *Account, to session, replace bool) error {
	members, err := x.members(ctx, g)
	if err != nil {
		return err
	}
	if g.NoRoomForValue() {
		x.delay(e, g.TooManyPlaces())
		return nil
	}
	if len(members) == 0 {
		x.delay(e, fmt.Errorf("role %s has no instance", g.Role))
		return nil
	}
	value, err := x.sharedPassword(ctx, members, to)
	if err != nil {
		x.delay(e, err)
		return nil
	}
	id, err := x.opts.NewID()
	if err != nil {
		return err
	}
	if err := x.invite(ctx, members, protocol.MemberInvited{Role: g.Role, Batch: id}); err != nil {
		return err
	}
	x.clearDelay(e)
	return x.apply(ctx, e, protocol.BatchStarted{ID: id, Password: value, Replace: replace, At: x.opts.Now(), Place: to.Place})
}

// invite tells the members for which a batch is about to be made that they may be sent it. The others of the
// role, and who joins or comes back later, wait for the next one.
func (x *executor) invite(ctx context.Context, members []*Account, ev protocol.MemberInvited) error {
	for some := range slices.Chunk(members, inviters) {
		errs := make([]error, len(some))
		var wg sync.WaitGroup
		for i, m := range some {
			if _, err := protocol.Transition(m, ev); err != nil {
				continue
			}
			wg.Go(func() {
				x.opts.turn(ctx, m.ID)
				errs[i] = guard.Do(x.opts.Logger, "inviting account "+m.String(), func() error { return x.apply(ctx, x.entry(m.ID), ev) })
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// inviters is how many members are written to at once.
const inviters = 16

// SharedTries is how many values are made for accounts that share a password before the rules of their servers are
// called contradictory.
const SharedTries = 50

// sharedPassword makes a value that every member's rules allow.
func (x *executor) sharedPassword(ctx context.Context, members []*Account, to session) (string, error) {
	users := make([]password.User, len(members))
	for i, m := range members {
		users[i] = password.User{Host: m.InstanceID, Name: m.Username, Rules: to.Provider.PasswordRules(m.Facts.Instance(m.InstanceID))}
	}
	value, err := password.Fit(SharedTries, func() (string, error) { return x.newPassword(ctx, members[0], to) }, users)
	if misfit := (*password.MisfitError)(nil); errors.As(err, &misfit) {
		return "", fmt.Errorf("no password fits the rules of all instances (%w); set a password_policy that does, or split the role", misfit)
	}
	return value, err
}
