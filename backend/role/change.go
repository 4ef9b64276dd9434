package role

import (
	"context"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// undoTimeout bounds the undoing of a failed role write, which goes on after the request was given up.
const undoTimeout = 30 * time.Second

// change is one change of a role: its accounts are bound first, then the role is stored, then what
// left the role is unbound. A failure before the role is stored undoes the bindings.
type change struct {
	intent

	bound    []rotation.Binding
	fresh    []rotation.ID   // accounts whose first rotation is to start
	losers   map[string]bool // roles that accounts have come from
	warnings []hint.Text
}

// apply binds the members and stores the role with its new mapping. The caller holds the role's lock.
func (c *change) apply(ctx context.Context, members []member) error {
	if err := c.next.checkSize(c.name, members); err != nil {
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

// bind binds all members, or the first failure. Conflicts are looked for before any is bound.
func (c *change) bind(ctx context.Context, members []member) error {
	bindings := c.bindings(members)
	if !c.adjust {
		found, err := c.claim(ctx, members)
		if err != nil {
			return err
		}
		bindings, c.warnings = found.bindings, found.warnings
		c.next.Conflicts, c.next.ConflictCount = found.conflicts, found.conflictCount
	}
	// Noted before the attempt: a failed write may have landed.
	views := make([]*rotation.View, len(bindings))
	c.losers = map[string]bool{}
	var mu sync.Mutex
	err := request.InParallel(c.s.Log(), len(bindings), func(i int) (err error) {
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

// bindOne binds an account to the role, or gives it the role's settings where it is bound.
func (c *change) bindOne(ctx context.Context, binding rotation.Binding) (*rotation.View, error) {
	if c.adjust {
		return c.s.Core.Adjust(ctx, binding.ID, c.name, binding.Settings)
	}
	return c.s.Core.Bind(ctx, binding)
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
