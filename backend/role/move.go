package role

import (
	"context"
	"slices"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// TakeOverPrefix begins a path that needs sudo. It is no field of roles/, since a policy cannot ask for sudo
// for one field.
const TakeOverPrefix = "take-over/"

// takenOver are the accounts that an administrator lets a role take over.
type takenOver struct {
	mu  sync.Mutex
	ids []rotation.ID
}

func (t *takenOver) names() []string {
	names := make([]string, 0, len(t.ids))
	for _, id := range t.ids {
		names = append(names, id.String())
	}
	slices.Sort(names)
	return names
}

// take lets one account move to a role.
func (s *Store) take(ctx context.Context, id rotation.ID, role string, taken *takenOver) error {
	view, err := s.Core.Move(ctx, id, role)
	if err != nil {
		return request.VaultError("", err)
	}
	if view.MoveTo == role {
		taken.mu.Lock()
		taken.ids = append(taken.ids, id)
		taken.mu.Unlock()
	}
	return nil
}

// letGo takes accounts that have moved to another role off the role that had them. held is the role whose
// lock the caller holds; "" for none. Where the role is being written just now its next look does it.
func (s *Store) letGo(ctx context.Context, held, name string) error {
	if held == "" {
		defer s.Lock(name)()
	} else if !s.Shared(name, held) {
		unlock := s.TryLock(name)
		if unlock == nil { // waiting could wait for ourselves
			return nil
		}
		defer unlock()
	}
	s.Drop(name)
	old, err := s.Get(ctx, name)
	if err != nil || old == nil {
		return err
	}
	next := old.clone()
	for _, instance := range old.Instances() {
		bound, found, err := s.Core.RoleOf(ctx, old.Account(instance))
		if err != nil {
			return request.VaultError("", err)
		}
		if !found || bound == "" || bound == name {
			continue
		}
		next.without(instance)
	}
	if len(next.Users) == len(old.Users) {
		return nil
	}
	if err := s.Put(ctx, name, next); err != nil {
		return err
	}
	if !next.Shared() {
		return nil
	}
	c, err := s.Connections.Get(ctx, next.Connection)
	if err != nil || c == nil {
		return err
	}
	return request.VaultError("", s.bindGroup(ctx, name, next, s.Registry[c.Provider]))
}

// without takes an instance off the role.
func (r *Record) without(instance string) {
	delete(r.Users, instance)
	r.InstanceIDs = slices.DeleteFunc(r.InstanceIDs, func(id string) bool { return id == instance })
	r.Kept = slices.DeleteFunc(r.Kept, func(kept Conflict) bool { return kept.InstanceID == instance })
}

// LetGo takes an account that goes on at another connection off the role that had it.
func (s *Store) LetGo(ctx context.Context, name string, id rotation.ID) error {
	defer s.Lock(name)()
	s.Drop(name)
	old, err := s.Get(ctx, name)
	if err != nil || !old.MapsTo(id) {
		return err
	}
	next := old.clone()
	next.without(id.InstanceID)
	return s.Put(ctx, name, next)
}
