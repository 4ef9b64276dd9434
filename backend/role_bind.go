package backend

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
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

	bound    []rotation.Binding
	fresh    []rotation.ID // accounts whose first rotation is to start
	warnings []string
}

// apply binds the members and stores the role with its new mapping. The caller holds the role's lock.
func (c *change) apply(ctx context.Context, members []member) error {
	if err := c.bind(ctx, members); err != nil {
		c.undo(ctx)
		return err
	}
	c.next.Users = make(map[string]string, len(c.bound))
	for _, bound := range c.bound {
		c.next.Users[bound.InstanceID] = bound.Username
	}
	if err := c.b.roles.put(ctx, c.name, c.next); err != nil {
		c.undo(ctx)
		return err
	}
	if err := c.bindGroup(ctx); err != nil {
		return vaultError("the role was written, but its accounts do not share their password yet; write it again", err)
	}
	if err := c.release(ctx); err != nil {
		return vaultError("the role was written, but instances that left it are still bound to it; write it again", err)
	}
	c.startFirst(ctx)
	return nil
}

// bind binds all members, or the first failure. Conflicts are looked for before anything is changed.
func (c *change) bind(ctx context.Context, members []member) error {
	var bindings []rotation.Binding
	var conflict error
	c.next.Conflicts, c.next.ConflictCount = nil, 0
	for _, m := range members {
		binding := c.binding(m)
		err := c.b.checkBinding(ctx, binding)
		switch {
		case err == nil:
			bindings = append(bindings, binding)
		case c.next.InstanceTags == nil || !isConflict(err):
			return withWayOut(err, freeAccount)
		default: // of two roles whose tags match, the older binding wins
			conflict = err
			c.next.noteConflict(binding.ID, err)
			c.warnings = append(c.warnings, "left out: "+err.Error())
		}
	}
	if len(bindings) == 0 && conflict != nil && !c.refresh {
		return withWayOut(vaultError("instance_tags: every instance belongs to another role", conflict), freeAccount)
	}
	for _, binding := range bindings {
		// Noted before the attempt: a failed write may have landed.
		c.bound = append(c.bound, binding)
		view, err := c.b.core.Bind(ctx, binding)
		if err != nil {
			return vaultError("", err)
		}
		if !c.next.shared() && c.wantsRotation(view, c.had(binding.ID)) {
			c.fresh = append(c.fresh, binding.ID)
		}
	}
	c.warnings = atMostTen(c.warnings)
	return nil
}

func (c *change) binding(m member) rotation.Binding {
	return rotation.Binding{
		ID:       rotation.ID{Connection: c.next.Connection, InstanceID: m.instance.ID, Username: m.username},
		Provider: c.d.Name,
		Role:     c.name,
		Settings: c.next.settings(c.d),
		Facts:    rotation.FactsOf(m.instance),
	}
}

// wantsRotation reports whether writing the role is to rotate an account: static ones that have come
// to the role, where the provider can reset and nobody asked to skip it. An instance that a refresh
// finds again keeps its password. had says whether the account belonged to the role before.
func (c *change) wantsRotation(view *rotation.View, had bool) bool {
	if c.next.Mode != rotation.Static || !c.d.CanReset || c.next.skipImportRotation() {
		return false
	}
	return len(view.Versions) == 0 || !c.refresh && !had
}

// had reports whether the account belonged to the role before.
func (c *change) had(id rotation.ID) bool {
	return c.old != nil && c.old.Users[id.InstanceID] == id.Username
}

// freeAccount is the way out of a conflict over an account that no role needs any more.
const freeAccount = "take it out of that role, or if nothing needs that account any more, DELETE accounts/<connection>/<instance_id>/<username>"

// maxConflicts is how many conflicts a role's entry keeps; the others are only counted.
const maxConflicts = 100

// noteConflict keeps for status that the role was not bound to an account.
func (r *role) noteConflict(id rotation.ID, err error) {
	r.ConflictCount++
	if len(r.Conflicts) < maxConflicts {
		r.Conflicts = append(r.Conflicts, roleConflict{InstanceID: id.InstanceID, Username: id.Username, Reason: err.Error()})
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
// write of this role takes it up, and another role may claim it (see checkBinding).
func (c *change) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, bound := range c.bound {
		var err error
		if c.had(bound.ID) {
			bound.Settings = c.old.settings(c.d)
			_, err = c.b.core.Bind(ctx, bound)
		} else {
			err = c.b.core.Unbind(ctx, bound.ID, c.name)
		}
		if err != nil {
			c.b.Logger().Warn("a failed write of a role could not be undone", "role", c.name, "account", bound.String(), "error", err)
		}
	}
}

// release unbinds the accounts that are not the role's any more.
func (c *change) release(ctx context.Context) error {
	if c.old == nil {
		return nil
	}
	for _, instance := range c.old.instances() {
		id := c.old.account(instance)
		if c.next.Users[instance] == id.Username {
			continue
		}
		if err := c.b.core.Unbind(ctx, id, c.name); err != nil {
			return err
		}
	}
	return nil
}

// startFirst makes accounts due that the write is to rotate.
func (c *change) startFirst(ctx context.Context) {
	for _, id := range c.fresh {
		if err := c.b.core.RotateNew(ctx, id); err != nil {
			c.warnings = append(c.warnings, "account "+id.String()+" was not made due, write rotate-role/"+c.name+": "+err.Error())
		}
	}
	c.warnings = atMostTen(c.warnings)
}

// checkBinding reports the conflict that binding would meet. An account whose role does not exist, or
// does not map to it, was left behind when a write of that role was cut short: it is freed.
func (b *backend) checkBinding(ctx context.Context, binding rotation.Binding) error {
	err := b.core.CheckBinding(ctx, binding)
	if err == nil || !isConflict(err) {
		return err
	}
	view, inspectErr := b.core.Inspect(ctx, binding.ID)
	if inspectErr != nil || view == nil || view.Role == "" || view.Role == binding.Role {
		return err
	}
	// The holder may be in the middle of its own write, whose role is stored last. Waiting for its
	// lock could wait for ourselves.
	holder := locksutil.LockForKey(b.roleLocks, view.Role)
	if !holder.TryLock() {
		return err
	}
	defer holder.Unlock()
	b.roles.drop(view.Role)
	other, getErr := b.roles.get(ctx, view.Role)
	if getErr != nil || other.mapsTo(binding.ID) {
		return err
	}
	if leaveErr := b.leaveGroup(ctx, view, other); leaveErr != nil {
		return err
	}
	if unbindErr := b.core.Unbind(ctx, binding.ID, view.Role); unbindErr != nil {
		return err
	}
	return b.core.CheckBinding(ctx, binding)
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

// resolutions remembers when the tags of a role were last resolved, so that reads of unknown
// instances cannot be used to flood the cloud.
type resolutions struct {
	mu sync.Mutex
	at map[string]time.Time
}

// resolutionInterval is the least time between two resolutions that reads ask for.
const resolutionInterval = 10 * time.Second

// begin reports whether the role's tags may be resolved now, and notes that they are.
func (r *resolutions) begin(role string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.at[role]; ok && now.Sub(last) < resolutionInterval {
		return false
	}
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	maps.DeleteFunc(r.at, func(_ string, at time.Time) bool { return now.Sub(at) >= resolutionInterval })
	r.at[role] = now
	return true
}

// refreshRole resolves a role's tags anew and binds what they mean now. It returns the role as it is
// then, or nil if there is none. Roles with listed instances mean what they meant.
func (b *backend) refreshRole(ctx context.Context, name string) (*role, []string, error) {
	defer lock(b.roleLocks, name)()
	old, err := b.roles.get(ctx, name)
	if err != nil || old == nil || old.InstanceTags == nil {
		return old, nil, err
	}
	defer readLock(b.connectionLocks, old.Connection)()
	c, d, err := b.connectionOf(ctx, old.Connection)
	if err != nil {
		return nil, nil, err
	}
	next := old.clone()
	v, err := b.newResolver(ctx, next, c, d)
	if err != nil {
		return nil, nil, err
	}
	members, warnings, err := v.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	if unchanged(old, members) && old.ConflictCount == 0 {
		return old, warnings, b.describeMembers(ctx, old, members)
	}
	ch := &change{b: b, name: name, old: old, next: next, d: d, refresh: true}
	if err := ch.apply(ctx, members); err != nil {
		return nil, nil, err
	}
	return next, slices.Concat(warnings, ch.warnings), nil
}

// describeMembers brings what the accounts tell about their instances, such as addresses, up to date.
func (b *backend) describeMembers(ctx context.Context, r *role, members []member) error {
	for _, m := range members {
		if err := b.core.Describe(ctx, r.account(m.instance.ID), rotation.FactsOf(m.instance)); err != nil {
			return vaultError("", err)
		}
	}
	return nil
}

// unchanged reports whether the role is bound to exactly these members.
func unchanged(r *role, members []member) bool {
	if len(r.Users) != len(members) {
		return false
	}
	for _, m := range members {
		if r.Users[m.instance.ID] != m.username {
			return false
		}
	}
	return true
}
