package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// bindGroup makes the accounts that a role is bound to the members of its group.
func (s *Store) bindGroup(ctx context.Context, name string, r *Record, d cloud.Descriptor) error {
	members := make([]rotation.ID, 0, len(r.Users))
	for _, instance := range r.Instances() {
		members = append(members, r.Account(instance))
	}
	return s.Core.BindGroup(ctx, r.Connection, d.Name, name, r.Settings(d), members)
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
