package role

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// MayResolve reports whether a read may have the role's tags resolved again, and notes that it does.
func (s *Store) MayResolve(name string) bool { return s.resolutions.begin(name, s.Now()) }

// Resolve resolves a role's tags again because a client asks, and binds what has come; nothing leaves the
// role by that. It returns the role as it is then, or nil if there is none. Roles with listed instances mean what they meant.
func (s *Store) Resolve(ctx context.Context, name string) (*Record, []hint.Text, error) {
	r, warnings, err := s.refreshTags(ctx, name, refresh{linger: s.lingerAll})
	if err == nil && r != nil && r.InstanceTags != nil {
		s.refreshes.ended(name, nil, s.Now())
	}
	return r, warnings, err
}

// refresh says how a role's tags are resolved again.
type refresh struct {
	// find is what finds the instances; nil: the provider.
	find findFunc
	// linger adds those that are to stay in the role though they were not found.
	linger lingerer
	// taken receives the accounts of other roles that are to move to this one; nil: none is.
	taken *takenOver
}

func (s *Store) refreshTags(ctx context.Context, name string, how refresh) (*Record, []hint.Text, error) {
	old, err := s.Get(ctx, name)
	if err != nil || old == nil || old.InstanceTags == nil {
		return old, nil, err
	}
	c, d, err := s.Connections.Find(ctx, old.Connection)
	if err != nil {
		return nil, nil, err
	}
	next := old.clone()
	v, err := s.newResolver(ctx, next, c, d)
	if err != nil {
		return nil, nil, err
	}
	v.bound = old.Users
	if how.find != nil {
		v.find = how.find
	}
	members, warnings, err := v.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	if members, err = how.linger(ctx, looked{old, next, members, c.RequiredTags}); err != nil {
		return nil, nil, err
	}
	unlock, err := s.lockUnchanged(ctx, name, old, old.Connection, c)
	if errors.Is(err, store.ErrChanged) {
		// Whoever was faster has looked himself, or the next look comes soon.
		r, err := s.Get(ctx, name)
		return r, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if unchanged(old, members) && old.ConflictCount == 0 && how.taken == nil && slices.EqualFunc(old.Kept, next.Kept, Conflict.equal) {
		return old, warnings, s.describeMembers(ctx, old, members)
	}
	ch := &change{intent: intent{s: s, name: name, old: old, next: next, d: d, refresh: true, taken: how.taken}}
	if err := ch.apply(ctx, members); err != nil {
		return nil, nil, err
	}
	return next, slices.Concat(warnings, ch.warnings), nil
}

// unchanged reports whether the role is bound to exactly these members.
func unchanged(r *Record, members []member) bool {
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
