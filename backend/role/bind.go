package role

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// undoTimeout bounds the undoing of a failed role write, which goes on after the request was given up.
const undoTimeout = 30 * time.Second

// change is one change of a role: its accounts are bound first, then the role is stored, then what
// left the role is unbound. A failure before the role is stored undoes the bindings.
type change struct {
	s    *Store
	name string
	old  *Record // nil for a new role
	next *Record
	d    cloud.Descriptor
	// refresh is set where nobody wrote the role and only its tags are resolved anew.
	refresh bool
	// adjust is set where the write selects no instances anew: the members are the role's already.
	adjust bool
	// taken receives the accounts of other roles that are to move to this one; nil: none is.
	taken *takenOver

	bound    []rotation.Binding
	fresh    []rotation.ID   // accounts whose first rotation is to start
	losers   map[string]bool // roles that accounts have come from
	warnings []hint.Text
}

// apply binds the members and stores the role with its new mapping. The caller holds the role's lock.
func (c *change) apply(ctx context.Context, members []member) error {
	if err := c.checkSize(members); err != nil {
		return err
	}
	if err := c.bind(ctx, members); err != nil {
		c.undo(ctx)
		return err
	}
	c.next.Users = make(map[string]string, len(c.bound))
	for _, bound := range c.bound {
		c.next.Users[bound.InstanceID] = bound.Username
	}
	if err := c.s.Put(ctx, c.name, c.next); err != nil {
		c.undo(ctx)
		return err
	}
	if err := c.bindGroup(ctx); err != nil {
		return request.VaultError("the role was written, but its accounts do not share their password yet; write it again", err)
	}
	for loser := range c.losers {
		if err := c.s.letGo(ctx, c.name, loser); err != nil {
			return request.VaultError("the role was written, but role "+loser+" still names instances that have moved; write that again", err)
		}
	}
	if err := c.release(ctx); err != nil {
		return request.VaultError("the role was written, but instances that left it are still bound to it; write it again", err)
	}
	c.startFirst(ctx)
	return nil
}

// bind binds all members, or the first failure. Conflicts are looked for before anything is changed.
func (c *change) bind(ctx context.Context, members []member) error {
	bindings, err := c.bindings(ctx, members)
	if err != nil {
		return err
	}
	// Noted before the attempt: a failed write may have landed.
	views := make([]*rotation.View, len(bindings))
	c.losers = map[string]bool{}
	var mu sync.Mutex
	err = request.InParallel(c.s.Log(), len(bindings), func(i int) (err error) {
		mu.Lock()
		c.bound = append(c.bound, bindings[i])
		mu.Unlock()
		before, _, err := c.s.Core.RoleOf(ctx, bindings[i].ID)
		if err != nil {
			return err
		}
		if before != "" && before != c.name {
			mu.Lock()
			c.losers[before] = true
			mu.Unlock()
		}
		views[i], err = c.bindOne(ctx, bindings[i])
		return err
	})
	if err != nil {
		return request.VaultError("", err)
	}
	for i, binding := range bindings {
		if !c.next.Shared() && c.wantsRotation(views[i], c.had(binding.ID)) {
			c.fresh = append(c.fresh, binding.ID)
		}
	}
	c.warnings = request.TruncateWarnings(c.warnings)
	return nil
}

// bindings are those to make: of all members, where they are the role's already.
func (c *change) bindings(ctx context.Context, members []member) ([]rotation.Binding, error) {
	if !c.adjust {
		return c.check(ctx, members)
	}
	bindings := make([]rotation.Binding, len(members))
	for i, m := range members {
		bindings[i] = c.binding(m)
	}
	return bindings, nil
}

// bindOne binds an account to the role, or gives it the role's settings where it is bound.
func (c *change) bindOne(ctx context.Context, binding rotation.Binding) (*rotation.View, error) {
	if c.adjust {
		return c.s.Core.Adjust(ctx, binding.ID, c.name, binding.Settings)
	}
	return c.s.Core.Bind(ctx, binding)
}

// check returns the bindings that can be made. Of two roles whose tags match, the older binding wins.
func (c *change) check(ctx context.Context, members []member) ([]rotation.Binding, error) {
	checked := make([]error, len(members))
	err := request.InParallel(c.s.Log(), len(members), func(i int) error {
		checked[i] = c.s.Core.CheckBinding(ctx, c.binding(members[i]))
		return ctx.Err()
	})
	if err != nil {
		return nil, request.VaultError("", err)
	}
	var bindings []rotation.Binding
	var conflict error
	c.next.Conflicts, c.next.ConflictCount = nil, 0
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
			bindings = append(bindings, binding)
		case c.next.InstanceTags == nil || !request.IsConflict(err):
			return nil, request.WithWayOut(err, c.freeAccount(err))
		default:
			conflict = err
			reason := hint.Of(request.WithWayOut(err, c.freeAccount(err)))
			c.next.noteConflict(binding.ID, reason)
			c.warnings = append(c.warnings, hint.Textf("left out: %s", reason))
		}
	}
	if len(bindings) == 0 && conflict != nil && !c.refresh {
		return nil, request.WithWayOut(request.VaultError("instance_tags: every instance belongs to another role", conflict),
			c.freeAccount(conflict))
	}
	return bindings, nil
}

func (c *change) binding(m member) rotation.Binding {
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
func (c *change) wantsRotation(view *rotation.View, had bool) bool {
	if c.next.Mode != rotation.Static || !c.next.resets(c.d) || c.next.skipImportRotation() || c.adjust && !view.Gone.IsZero() {
		return false
	}
	return len(view.Versions) == 0 || !c.refresh && !had
}

// had reports whether the account belonged to the role before.
func (c *change) had(id rotation.ID) bool {
	return c.old != nil && c.old.Users[id.InstanceID] == id.Username
}

// freeAccount is the way out of a conflict over an account that another role has, or another connection of
// the role's. It never sends anybody to delete an account: the server exists, and its passwords would be lost.
func (c *change) freeAccount(err error) hint.Text {
	var failed *rotation.Error
	if !errors.As(err, &failed) || failed.Holder == nil {
		return hint.Plain("take it out of that role")
	}
	holder := failed.Holder.Connection
	if holder != c.next.Connection {
		return hint.Textf("an account stays with its connection, since its passwords are kept with it: leave the server to a role with "+
			"connection=%s, and do not delete the account. If the same cloud account is to be reached with other credentials or endpoints, write "+
			"them to that connection: %s", holder,
			hint.New("read", "config/"+holder))
	}
	return hint.Textf("someone who may write the account can move it: %s; or, for all of that role: %s", failed.Holder.MoveHint(c.name),
		hint.New("write", TakeOverPrefix+c.name, "from="+failed.HolderRole))
}

// waits reports whether a conflict ends with an operator's word that the account moves.
func waits(err error) bool {
	var failed *rotation.Error
	return errors.As(err, &failed) && failed.Waits
}

// MaxConflicts is how many conflicts a role's entry keeps; the others are only counted.
const MaxConflicts = 100

// noteConflict keeps for status that the role was not bound to an account.
func (r *Record) noteConflict(id rotation.ID, reason hint.Text) {
	r.ConflictCount++
	if len(r.Conflicts) < MaxConflicts {
		r.Conflicts = append(r.Conflicts, Conflict{InstanceID: id.InstanceID, Username: id.Username, Reason: reason})
	}
}

// bindGroup makes the role's accounts share their password, where they are to. What has left the role
// leaves the group here, and becomes due by that; so this comes before release.
func (c *change) bindGroup(ctx context.Context) error {
	if !c.next.Shared() {
		return nil
	}
	if err := c.s.bindGroup(ctx, c.name, c.next, c.d); err != nil {
		return err
	}
	id := rotation.GroupID(c.next.Connection, c.name)
	view, err := c.s.Core.Inspect(ctx, id)
	if err != nil || view == nil {
		return err
	}
	if c.wantsRotation(view, c.old != nil) {
		c.fresh = append(c.fresh, id)
	}
	return nil
}

// bindGroup makes the accounts that a role is bound to the members of its group.
func (s *Store) bindGroup(ctx context.Context, name string, r *Record, d cloud.Descriptor) error {
	members := make([]rotation.ID, 0, len(r.Users))
	for _, instance := range r.Instances() {
		members = append(members, r.Account(instance))
	}
	return s.Core.BindGroup(ctx, r.Connection, d.Name, name, r.Settings(d), members)
}

// undo takes back the bindings of a change that failed. What cannot be undone is harmless: the next
// write of this role takes it up, and another role may claim it (see freeForBinding).
func (c *change) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_ = request.InParallel(c.s.Log(), len(c.bound), func(i int) error {
		bound := c.bound[i]
		var err error
		if c.had(bound.ID) {
			bound.Settings = c.old.Settings(c.d)
			_, err = c.bindOne(ctx, bound)
		} else {
			err = c.s.Core.Unbind(ctx, bound.ID, c.name)
		}
		if err != nil {
			c.s.Log().Warn("a failed write of a role could not be undone", "role", c.name, "account", bound.String(), "error", err)
		}
		return nil // the others are still to be undone
	})
}

// release unbinds the accounts that are not the role's any more.
func (c *change) release(ctx context.Context) error {
	if c.old == nil {
		return nil
	}
	var left []rotation.ID
	for _, instance := range c.old.Instances() {
		if id := c.old.Account(instance); c.next.Users[instance] != id.Username {
			left = append(left, id)
		}
	}
	return request.InParallel(c.s.Log(), len(left), func(i int) error { return c.s.Core.Unbind(ctx, left[i], c.name) })
}

// startFirst makes accounts due that the write is to rotate.
func (c *change) startFirst(ctx context.Context) {
	var mu sync.Mutex
	_ = request.InParallel(c.s.Log(), len(c.fresh), func(i int) error {
		id := c.fresh[i]
		if err := c.s.Core.RotateNew(ctx, id); err != nil {
			mu.Lock()
			defer mu.Unlock()
			c.warnings = append(c.warnings, hint.Textf("account %s was not made due, write rotate-role/%s: %s", id, c.name, err))
		}
		return nil // a warning is enough
	})
	c.warnings = request.TruncateWarnings(c.warnings)
}

// freeForBinding takes the account of a binding out of another role that does not exist, or does not map to it: a write of that
// role was cut short and has left it behind. It reports whether it did.
func (s *Store) freeForBinding(ctx context.Context, binding rotation.Binding) bool {
	view, err := s.Core.Inspect(ctx, binding.ID)
	return err == nil && view != nil && view.Role != "" && view.Role != binding.Role && s.freeLeftBehind(ctx, view)
}

// leaveGroup takes an account out of the group of a role that does not map to it any more; r is that
// role, or nil if there is none. The caller holds the role's lock.
func (s *Store) leaveGroup(ctx context.Context, view *rotation.View, r *Record) error {
	if !view.Settings.SharedPassword {
		return nil
	}
	if r == nil || !r.Shared() || r.Connection != view.ID.Connection {
		return s.Core.UnbindGroup(ctx, view.ID.Connection, view.Role)
	}
	return s.bindGroup(ctx, view.Role, r, s.Registry[view.Provider])
}
