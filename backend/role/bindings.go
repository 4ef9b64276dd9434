package role

import (
	"context"
	"errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// intent is a change of a role that is to be made.
type intent struct {
	s    *Store
	name string
	old  *Record // nil for a new role
	next *Record
	d    cloud.Descriptor
	// refresh is set where nobody wrote the role and only its tags are resolved again.
	refresh bool
	// adjust is set where the write selects no other instances: the members are the role's already.
	adjust bool
	// taken receives the accounts of other roles that are to move to this one; nil: none is.
	taken *takenOver
}

// claimed are the bindings that a role can have, and the instances that it cannot.
type claimed struct {
	bindings      []rotation.Binding
	conflicts     []Conflict
	conflictCount int // with those that are not listed
	warnings      []hint.Text
}

// leaveOut notes that the role is not bound to an account.
func (c *claimed) leaveOut(id rotation.ID, reason hint.Text) {
	c.conflictCount++
	if len(c.conflicts) < MaxConflicts {
		c.conflicts = append(c.conflicts, Conflict{InstanceID: id.InstanceID, Username: id.Username, Reason: reason})
	}
	c.warnings = append(c.warnings, hint.Textf("left out: %s", reason))
}

// bindings are those of members that are the role's already.
func (c *intent) bindings(members []member) []rotation.Binding {
	bindings := make([]rotation.Binding, len(members))
	for i, m := range members {
		bindings[i] = c.binding(m)
	}
	return bindings
}

// claim returns the bindings that can be made. Of two roles whose tags match, the older binding wins. Accounts that writes
// which were cut short have left behind are freed for that, and those that may be taken are moved.
func (c *intent) claim(ctx context.Context, members []member) (*claimed, error) {
	checked := make([]error, len(members))
	err := request.InParallel(c.s.Log(), len(members), func(i int) error {
		checked[i] = c.s.Core.CheckBinding(ctx, c.binding(members[i]))
		return ctx.Err()
	})
	if err != nil {
		return nil, request.VaultError("", err)
	}
	found := &claimed{}
	var conflict error
	for i, m := range members {
		binding := c.binding(m)
		err := checked[i]
		if request.IsConflict(err) && c.s.freeForBinding(ctx, binding) {
			err = c.s.Core.CheckBinding(ctx, binding)
		}
		if c.taken != nil && waits(err) {
			if err := c.s.take(ctx, binding.ID, c.name, c.taken); err != nil {
				return nil, err
			}
			err = c.s.Core.CheckBinding(ctx, binding)
		}
		switch {
		case err == nil:
			found.bindings = append(found.bindings, binding)
		case c.next.InstanceTags == nil || !request.IsConflict(err):
			return nil, request.WithWayOut(err, c.freeAccount(err))
		default:
			conflict = err
			found.leaveOut(binding.ID, hint.Of(request.WithWayOut(err, c.freeAccount(err))))
		}
	}
	if len(found.bindings) == 0 && conflict != nil && !c.refresh {
		return nil, request.WithWayOut(request.VaultError("instance_tags: every instance belongs to another role", conflict),
			c.freeAccount(conflict))
	}
	return found, nil
}

func (c *intent) binding(m member) rotation.Binding {
	return rotation.Binding{
		ID:       rotation.ID{Connection: c.next.Connection, InstanceID: m.instance.ID, Username: m.username},
		Provider: c.d.Name,
		Role:     c.name,
		Settings: c.next.Settings(c.d),
		Facts:    rotation.FactsOf(m.instance),
		Place:    m.at,
	}
}

// wantsRotation reports whether writing the role is to rotate an account: static ones that have come
// to the role, where the provider can reset and nobody asked to skip it. An instance that a refresh
// finds again keeps its password. had says whether the account belonged to the role before.
func (c *intent) wantsRotation(view *rotation.View, had bool) bool {
	if c.next.Mode != rotation.Static || !c.next.resets(c.d) || c.next.skipImportRotation() || c.adjust && !view.Gone.IsZero() {
		return false
	}
	return len(view.Versions) == 0 || !c.refresh && !had
}

// had reports whether the account belonged to the role before.
func (c *intent) had(id rotation.ID) bool {
	return c.old != nil && c.old.Users[id.InstanceID] == id.Username
}

// freeAccount is the way out of a conflict over an account that another role has, or another connection of
// the role's. It never sends anybody to delete an account: the server exists, and its passwords would be lost.
func (c *intent) freeAccount(err error) hint.Text {
	var failed *rotation.Error
	if !errors.As(err, &failed) || failed.Holder == nil {
		return hint.Plain("take it out of that role")
	}
	holder := failed.Holder.Connection
	if holder != c.next.Connection {
		return hint.Textf("someone who may write the account can move it to this connection, with all its passwords: %s; or leave the server "+
			"to a role with connection=%s; do not delete the account", failed.Holder.MoveToHint(c.next.Connection, c.name), holder)
	}
	return hint.Textf("someone who may write the account can move it: %s; or, for all of that role: %s", failed.Holder.MoveHint(c.name),
		hint.New("write", TakeOverPrefix+c.name, "from="+failed.HolderRole))
}

// waits reports whether a conflict ends with an operator's word that the account moves.
func waits(err error) bool {
	var failed *rotation.Error
	return errors.As(err, &failed) && failed.Waits
}
