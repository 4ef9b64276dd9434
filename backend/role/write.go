package role

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Write makes a role's write, and returns the role as it is then with warnings.
func (s *Store) Write(ctx context.Context, name string, in request.Fields) (*Record, []hint.Text, error) {
	for range store.WriteTries {
		written, warnings, err := s.tryWrite(ctx, name, in)
		if !errors.Is(err, store.ErrChanged) {
			return written, warnings, err
		}
	}
	return nil, nil, request.Conflictf("role %s or its connection %s, several times; write it again", name, store.ErrChanged)
}

// tryWrite makes a role's write, or returns ErrChanged. It holds no lock while it asks the cloud.
func (s *Store) tryWrite(ctx context.Context, name string, in request.Fields) (*Record, []hint.Text, error) {
	old, err := s.Get(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	next, c, d, err := s.apply(ctx, name, old, in)
	if err != nil {
		return nil, nil, err
	}
	members, adjust, warnings, err := s.chooseMembers(ctx, name, old, next, c, d, in)
	if err != nil {
		return nil, nil, err
	}
	if !adjust && old != nil && next.InstanceTags != nil {
		if members, err = s.lingerWritten(name)(ctx, looked{old, next, members, c.RequiredTags}); err != nil {
			return nil, nil, err
		}
	}
	kept := next.Kept
	if next.Shared() && len(members) == 0 {
		return nil, nil, request.Invalidf(
			"shared_password: needs an instance to share the password of, and none carries these instance_tags at the moment")
	}
	unlock, err := s.lockUnchanged(ctx, name, old, next.Connection, c)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	defer s.Keys.RLock(next.Key)()
	// What needs no cloud is checked once more, such as that the key is still there.
	if next, _, d, err = s.apply(ctx, name, old, in); err != nil {
		return nil, nil, err
	}
	next.Kept = kept
	ch := &change{intent: intent{s: s, name: name, old: old, next: next, d: d, adjust: adjust}}
	if err := ch.apply(ctx, members); err != nil {
		return nil, nil, err
	}
	if !adjust {
		s.refreshes.ended(name, nil, s.Now())
	}
	return next, slices.Concat(warnings, ch.warnings), nil
}

// chooseMembers finds out which instances a role means. adjust tells that they are those of before, and that no
// cloud was asked.
func (s *Store) chooseMembers(ctx context.Context, name string, old, next *Record, c *connection.Record, d cloud.Descriptor,
	in request.Fields) (members []member, adjust bool, warnings []hint.Text, err error) {
	if needsCloud(old, next, in, d) {
		members, warnings, err = s.lookUp(ctx, next, c, d)
		return members, false, warnings, err
	}
	bound, whole, err := s.boundMembers(ctx, name, old)
	if err != nil {
		return nil, false, nil, err
	}
	if whole && !changesNothing(old, next) {
		warnings, err = s.refit(ctx, old, next, c, d, bound)
		return bound, true, warnings, err
	}
	members, warnings, err = s.lookUp(ctx, next, c, d)
	if err != nil && whole {
		return bound, true, []hint.Text{hint.Textf("nothing has changed, and the instances could not be looked at: %s", err)}, nil
	}
	return members, false, warnings, err
}

// lookUp asks the cloud for a role's instances.
func (s *Store) lookUp(ctx context.Context, r *Record, c *connection.Record, d cloud.Descriptor) ([]member, []hint.Text, error) {
	v, err := s.newResolver(ctx, r, c, d)
	if err != nil {
		return nil, nil, err
	}
	return v.resolve(ctx)
}

// Delete frees the role's accounts and deletes it.
func (s *Store) Delete(ctx context.Context, name string) error {
	defer s.Lock(name)()
	r, err := s.Get(ctx, name)
	if err != nil || r == nil {
		return err
	}
	// The role goes last: a delete that was cut short can be repeated. Before it the group, since an
	// account leaves that with its role.
	if r.Shared() {
		if err := s.Core.UnbindGroup(ctx, r.Connection, name); err != nil {
			return request.VaultError("", err)
		}
	}
	for _, instance := range r.Instances() {
		if err := s.Core.Unbind(ctx, r.Account(instance), name); err != nil {
			return request.VaultError("", err)
		}
	}
	return s.Remove(ctx, name)
}
