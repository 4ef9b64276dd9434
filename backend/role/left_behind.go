package role

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// freeLeftBehind takes an account out of its role if that does not exist or does not map to it, and reports whether it
// did.
func (s *Store) freeLeftBehind(ctx context.Context, view *rotation.View) bool {
	// The holder may be in the middle of its own write, whose role is stored last. Waiting for its
	// lock could wait for ourselves.
	unlock := s.TryLock(view.Role)
	if unlock == nil {
		return false
	}
	defer unlock()
	s.Drop(view.Role)
	r, err := s.Get(ctx, view.Role)
	if err != nil || r.MapsTo(view.ID) || s.leaveGroup(ctx, view, r) != nil {
		return false
	}
	return s.Core.Unbind(ctx, view.ID, view.Role) == nil
}

// freeForBinding takes the account of a binding out of another role that does not exist, or does not map to it: a write of that
// role was cut short and has left it behind. It reports whether it did.
func (s *Store) freeForBinding(ctx context.Context, binding rotation.Binding) bool {
	view, err := s.Core.Inspect(ctx, binding.ID)
	return err == nil && view != nil && view.Role != "" && view.Role != binding.Role && s.freeLeftBehind(ctx, view)
}
