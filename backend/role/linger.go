package role

import (
	"context"
	"maps"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// What becomes of instances that a role has and that its tags do not find any more. A cloud's list may be
// incomplete for once, and whoever may write a tag is not to take an account away, so an instance that is
// not shown leaves its role only
//   - after it has been missing in two looks, missApart or more apart, of the background or of who writes
//     the role; or at once where who writes the role sees it without the tags, or terminated;
//   - and not while it exists and another role's tags match it: that role waits for an operator's word.
//
// Nobody who reads takes an instance from its role, and no place that is not trusted (rule 18) does.

// looked is what a look at a role's instances found.
type looked struct {
	old, next *Record
	members   []member
	required  map[string]string // tags that the connection requires
}

// lingerer decides which instances stay in a role, and returns all that it has then.
type lingerer func(ctx context.Context, l looked) ([]member, error)

// lingerAll keeps them all, as where a client asks.
func (s *Store) lingerAll(ctx context.Context, l looked) ([]member, error) {
	members := l.members
	for _, instance := range l.lost() {
		m, _, err := s.unseen(ctx, l.old, instance)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// lost are the instances that the role has, and that are not among those that were found.
func (l looked) lost() []string {
	found := make(map[string]bool, len(l.members))
	for _, m := range l.members {
		found[m.instance.ID] = true
	}
	return slices.DeleteFunc(l.old.Instances(), func(instance string) bool { return found[instance] })
}

// wanted are the tags that the role's instances carry.
func (l looked) wanted() map[string]string {
	wanted := maps.Clone(l.next.InstanceTags)
	maps.Copy(wanted, l.required)
	return wanted
}

// unseen is a role's instance as it was last seen; view is nil if there is no record of it.
func (s *Store) unseen(ctx context.Context, old *Record, instance string) (member, *rotation.View, error) {
	id := old.Account(instance)
	view, err := s.Core.Inspect(ctx, id)
	if err != nil {
		return member{}, nil, request.VaultError("", err)
	}
	m := member{instance: cloud.Instance{ID: instance}, username: id.Username, unseen: true}
	if view != nil {
		m.instance, m.at = view.Facts.Instance(instance), view.Facts.Place
	}
	return m, view, nil
}

// lingerTwice keeps those that have not been missing long enough, and those that another role waits for.
// It retires the accounts of those that do not exist any more.
func (s *Store) lingerTwice(name string) lingerer {
	return func(ctx context.Context, l looked) ([]member, error) {
		return s.lingerUnless(ctx, name, l, false)
	}
}

// lingerWritten is lingerTwice where an operator writes the role: what the cloud shows without the role's
// tags, or terminated, leaves it at once.
func (s *Store) lingerWritten(name string) lingerer {
	return func(ctx context.Context, l looked) ([]member, error) { return s.lingerUnless(ctx, name, l, true) }
}

func (s *Store) lingerUnless(ctx context.Context, name string, l looked, written bool) ([]member, error) {
	lost := l.lost()
	shown, at, err := s.shown(ctx, l.old.Connection, lost)
	if err != nil {
		return nil, err
	}
	rivals := rivals{}
	var absent []string
	if len(lost) > 0 {
		for _, instance := range lost {
			if i, ok := shown[instance]; !ok || i.State == cloud.StateGone {
				absent = append(absent, instance)
			}
		}
		if rivals, err = s.rivals(ctx, name, l.old.Connection); err != nil {
			return nil, err
		}
	}
	untagged, gone := s.refreshes.lost(name, lost, absent, s.Now())
	members := l.members
	l.next.Kept = nil
	for _, instance := range lost {
		m, view, err := s.unseen(ctx, l.old, instance)
		if err != nil {
			return nil, err
		}
		i, exists := shown[instance]
		terminated := exists && i.State == cloud.StateGone
		exists = exists && !terminated
		rival := rivals.match(i, l.required)
		leaves := view == nil || !view.Gone.IsZero() || view.PlaceTrusted && (gone[instance] || written && terminated)
		switch {
		case leaves:
		case exists && i.HasTags(l.wanted()): // the list was not complete
		case exists && rival != "" && maps.Equal(l.old.InstanceTags, l.next.InstanceTags):
			l.next.noteKept(l.old.Account(instance), rival)
		case exists && view.PlaceTrusted && (written || untagged[instance]):
			leaves = true
		}
		if leaves {
			if absent := gone[instance] || terminated; view != nil && view.PlaceTrusted && absent {
				if err := s.Core.Retire(ctx, l.old.Account(instance), at); err != nil {
					return nil, request.VaultError("", err)
				}
			}
			continue
		}
		if exists {
			m.instance, m.at, m.unseen = i, at, false
		}
		members = append(members, m)
	}
	return members, nil
}

// rivals are the tags of a connection's other roles, by role.
type rivals map[string]map[string]string

// match is the first role whose tags an instance carries, with those that the connection requires; "" for none.
func (r rivals) match(i cloud.Instance, required map[string]string) string {
	found := ""
	for name, tags := range r {
		if i.HasTags(tags) && i.HasTags(required) && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

func (s *Store) rivals(ctx context.Context, name, connection string) (rivals, error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	found := rivals{}
	for _, other := range names {
		r, err := s.Get(ctx, other)
		if err != nil && !store.IsUnreadable(err) {
			return nil, err
		}
		if r != nil && other != name && r.Connection == connection && r.InstanceTags != nil {
			found[other] = r.InstanceTags
		}
	}
	return found, nil
}
