package role

import (
	"context"
	"maps"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Only the cloud can tell which instances a new selection means and whether a role fits them. Everything else
// about a role can be changed without it: who wants to stop rotations while the cloud is in trouble, or while one
// of the servers is gone, must be able to. The accounts that are bound already get the new settings.

// needsCloud reports whether a write of a role has to ask the cloud. A write that names no field asks for just that.
func needsCloud(old, next *Record, in request.Fields, d cloud.Descriptor) bool {
	named := 0
	for field := range in.Data.Raw {
		if field != "name" {
			named++
		}
	}
	return old == nil || named == 0 || !sameSelection(old, next) || next.source(d) != old.source(d)
}

// changesNothing reports whether a write leaves the role as it is, as one does that is repeated to have the
// instances looked at again. It need not succeed in that.
func changesNothing(old, next *Record) bool { return store.Same(old, next) }

// sameSelection reports whether two roles mean the same instances and users.
func sameSelection(a, b *Record) bool {
	return a.Connection == b.Connection && a.Username == b.Username && maps.Equal(a.InstanceTags, b.InstanceTags) &&
		slices.Equal(slices.Sorted(slices.Values(a.InstanceIDs)), slices.Sorted(slices.Values(b.InstanceIDs)))
}

// boundMembers are the role's members as their accounts know them. It is false if an account is missing or is not
// the role's, as after a forced delete: then the role is to be bound again.
func (s *Store) boundMembers(ctx context.Context, name string, r *Record) ([]member, bool, error) {
	instances := r.Instances()
	members := make([]member, len(instances))
	whole := make([]bool, len(instances))
	err := request.InParallel(s.Log(), len(instances), func(i int) error {
		id := r.Account(instances[i])
		view, err := s.Core.Inspect(ctx, id)
		if err != nil {
			return err
		}
		if view != nil && view.Role == name {
			whole[i] = true
			members[i] = member{instance: view.Facts.Instance(id.InstanceID), username: id.Username, unseen: true}
			if !view.Gone.IsZero() {
				members[i].instance.State = cloud.StateGone
			}
		}
		return nil
	})
	return members, !slices.Contains(whole, false), request.VaultError("", err)
}

// refit checks what a write changes of how passwords are made against the instances as they are known. It needs no
// cloud: only whether a server runs nobody knows without one, and where that is refused it is not believed to.
func (s *Store) refit(ctx context.Context, old, next *Record, c *connection.Record, d cloud.Descriptor, members []member) ([]hint.Text,
	error) {
	was, _ := old.resetMethod(d)
	is, _ := next.resetMethod(d)
	if old.Key == next.Key && old.PasswordPolicy == next.PasswordPolicy && was == is && old.forceStop() == next.forceStop() &&
		old.CheckMethod == next.CheckMethod && old.checkAddress() == next.checkAddress() {
		return nil, nil
	}
	v, err := s.newResolver(ctx, next, c, d)
	if err != nil {
		return nil, err
	}
	var warnings []hint.Text
	if is.MayStop && next.Mode == rotation.Leased && !next.forceStop() && old.forceStop() {
		if err := v.seeStates(ctx, members); err != nil {
			warnings = append(warnings, hint.Textf("force_stop: false; where servers run, the end of a lease rotates nothing any more. Which "+
				"ones do could not be seen: %s", err))
		}
	}
	for _, m := range members {
		if m.instance.State == cloud.StateGone {
			continue
		}
		fitted := next.clone()
		fitted.Username = m.username
		v.role = fitted
		if _, err := v.fit(ctx, m.instance); err != nil {
			if next.InstanceTags == nil {
				return nil, err
			}
			warnings = append(warnings, hint.Textf("kept, but: %s", err))
		}
	}
	v.role = next
	if err := v.checkShared(ctx, members); err != nil {
		return nil, err
	}
	return request.TruncateWarnings(warnings), nil
}

// seeStates asks the cloud for the states of members.
func (v *resolver) seeStates(ctx context.Context, members []member) error {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.instance.ID
	}
	found, err := v.s.Connections.DescribeInstances(ctx, v.role.Connection, v.provider, ids)
	if err != nil {
		return err
	}
	states := make(map[string]cloud.Instance, len(found))
	for _, i := range found {
		states[i.ID] = i
	}
	for i := range members {
		members[i].instance.State, members[i].instance.CloudState = cloud.StateGone, ""
		if now, ok := states[members[i].instance.ID]; ok {
			members[i].instance.State, members[i].instance.CloudState = now.State, now.CloudState
		}
	}
	return nil
}
