package backend

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
	b    *backend
	name string
	old  *role // nil for a new role
	next *role
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
	if err := c.b.roles.Put(ctx, c.name, c.next); err != nil {
		c.undo(ctx)
		return err
	}
	if err := c.bindGroup(ctx); err != nil {
		return request.VaultError("the role was written, but its accounts do not share their password yet; write it again", err)
	}
	for loser := range c.losers {
		if err := c.b.letGo(ctx, c.name, loser); err != nil {
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
	err = request.InParallel(c.b.Logger(), len(bindings), func(i int) (err error) {
		mu.Lock()
		c.bound = append(c.bound, bindings[i])
		mu.Unlock()
		before, _, err := c.b.core.RoleOf(ctx, bindings[i].ID)
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
		if !c.next.shared() && c.wantsRotation(views[i], c.had(binding.ID)) {
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
		return c.b.core.Adjust(ctx, binding.ID, c.name, binding.Settings)
	}
	return c.b.core.Bind(ctx, binding)
}

// check returns the bindings that can be made. Of two roles whose tags match, the older binding wins.
func (c *change) check(ctx context.Context, members []member) ([]rotation.Binding, error) {
	checked := make([]error, len(members))
	err := request.InParallel(c.b.Logger(), len(members), func(i int) error {
		checked[i] = c.b.core.CheckBinding(ctx, c.binding(members[i]))
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
		if isConflict(err) && c.b.freeForBinding(ctx, binding) {
			err = c.b.core.CheckBinding(ctx, binding)
		}
		if c.taken != nil && waits(err) {
			if err := c.b.take(ctx, binding.ID, c.name, c.taken); err != nil {
				return nil, err
			}
			err = c.b.core.CheckBinding(ctx, binding)
		}
		switch {
		case err == nil:
			bindings = append(bindings, binding)
		case c.next.InstanceTags == nil || !isConflict(err):
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
		Settings: c.next.settings(c.d),
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
		hint.New("write", takeOverPrefix+c.name, "from="+failed.HolderRole))
}

// waits reports whether a conflict ends with an operator's word that the account moves.
func waits(err error) bool {
	var failed *rotation.Error
	return errors.As(err, &failed) && failed.Waits
}

// maxConflicts is how many conflicts a role's entry keeps; the others are only counted.
const maxConflicts = 100

// noteConflict keeps for status that the role was not bound to an account.
func (r *role) noteConflict(id rotation.ID, reason hint.Text) {
	r.ConflictCount++
	if len(r.Conflicts) < maxConflicts {
		r.Conflicts = append(r.Conflicts, roleConflict{InstanceID: id.InstanceID, Username: id.Username, Reason: reason})
	}
}

// bindGroup makes the role's accounts share their password, where they are to. What has left the role
// leaves the group here, and becomes due by that; so this comes before release.
func (c *change) bindGroup(ctx context.Context) error {
	if !c.next.shared() {
		return nil
	}
	if err := c.b.bindGroup(ctx, c.name, c.next, c.d); err != nil {
		return err
	}
	id := rotation.GroupID(c.next.Connection, c.name)
	view, err := c.b.core.Inspect(ctx, id)
	if err != nil || view == nil {
		return err
	}
	if c.wantsRotation(view, c.old != nil) {
		c.fresh = append(c.fresh, id)
	}
	return nil
}

// bindGroup makes the accounts that a role is bound to the members of its group.
func (b *backend) bindGroup(ctx context.Context, name string, r *role, d cloud.Descriptor) error {
	members := make([]rotation.ID, 0, len(r.Users))
	for _, instance := range r.instances() {
		members = append(members, r.account(instance))
	}
	return b.core.BindGroup(ctx, r.Connection, d.Name, name, r.settings(d), members)
}

// undo takes back the bindings of a change that failed. What cannot be undone is harmless: the next
// write of this role takes it up, and another role may claim it (see freeForBinding).
func (c *change) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_ = request.InParallel(c.b.Logger(), len(c.bound), func(i int) error {
		bound := c.bound[i]
		var err error
		if c.had(bound.ID) {
			bound.Settings = c.old.settings(c.d)
			_, err = c.bindOne(ctx, bound)
		} else {
			err = c.b.core.Unbind(ctx, bound.ID, c.name)
		}
		if err != nil {
			c.b.Logger().Warn("a failed write of a role could not be undone", "role", c.name, "account", bound.String(), "error", err)
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
	for _, instance := range c.old.instances() {
		if id := c.old.account(instance); c.next.Users[instance] != id.Username {
			left = append(left, id)
		}
	}
	return request.InParallel(c.b.Logger(), len(left), func(i int) error { return c.b.core.Unbind(ctx, left[i], c.name) })
}

// startFirst makes accounts due that the write is to rotate.
func (c *change) startFirst(ctx context.Context) {
	var mu sync.Mutex
	_ = request.InParallel(c.b.Logger(), len(c.fresh), func(i int) error {
		id := c.fresh[i]
		if err := c.b.core.RotateNew(ctx, id); err != nil {
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
func (b *backend) freeForBinding(ctx context.Context, binding rotation.Binding) bool {
	view, err := b.core.Inspect(ctx, binding.ID)
	return err == nil && view != nil && view.Role != "" && view.Role != binding.Role && b.freeLeftBehind(ctx, view)
}

// leaveGroup takes an account out of the group of a role that does not map to it any more; r is that
// role, or nil if there is none. The caller holds the role's lock.
func (b *backend) leaveGroup(ctx context.Context, view *rotation.View, r *role) error {
	if !view.Settings.SharedPassword {
		return nil
	}
	if r == nil || !r.shared() || r.Connection != view.ID.Connection {
		return b.core.UnbindGroup(ctx, view.ID.Connection, view.Role)
	}
	return b.bindGroup(ctx, view.Role, r, b.registry[view.Provider])
}

func isConflict(err error) bool {
	var failed *rotation.Error
	return errors.As(err, &failed) && failed.Kind == rotation.Conflict
}
