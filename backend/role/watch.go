package role

import (
	"context"
	"errors"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// refreshBudget bounds, as refreshedAtOnce does, one round. Vault allows it 90 s.
const refreshBudget = 45 * time.Second

// Failures are the roles whose last look failed.
func (s *Store) Failures() map[string]FailedLook { return s.refreshes.failures() }

// LookAtAll looks at the instances of roles: what their tags match now is bound or unbound, what the
// accounts tell about their instances is brought up to date, and accounts whose instance does not exist
// any more are retired.
func (s *Store) LookAtAll(ctx context.Context) error {
	names, err := s.List(ctx)
	if err != nil {
		return err
	}
	started := s.Now()
	due := s.refreshes.due(names, started)
	shared, err := s.taggedConnections(ctx, due)
	if err != nil {
		return err
	}
	failing := map[string]bool{} // connections, which are left to another round
	for _, name := range due {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.Now().Sub(started) > refreshBudget {
			break
		}
		r, err := s.Get(ctx, name)
		if store.IsUnreadable(err) { // the others are looked at all the same
			s.refreshes.done(name, s.Now())
			s.refreshes.ended(name, err, s.Now())
			s.Log().Error("a role cannot be read", "role", name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if r == nil || failing[r.Connection] {
			continue
		}
		s.refreshes.done(name, s.Now())
		failed := guard.Do(s.Log(), "looking at the instances of role "+name,
			func() error { return s.LookAt(ctx, name, r, shared[r.Connection] > 1) })
		if !errors.Is(ctx.Err(), context.Canceled) { // else the backend ends
			s.refreshes.ended(name, failed, s.Now())
		}
		if failed != nil {
			failing[r.Connection] = true
			s.Log().Warn("the instances of a role could not be looked at; that is tried again", "role", name, "connection", r.Connection, "error",
				failed)
		}
	}
	return nil
}

// LookAt looks at the instances of one role; share says whether there are others to share a list with.
func (s *Store) LookAt(ctx context.Context, name string, r *Record, share bool) error {
	if r.InstanceTags == nil {
		return s.refreshListed(ctx, name, r)
	}
	return s.refreshTagged(ctx, name, r, share)
}

// taggedConnections counts, by connection, the roles with tags.
func (s *Store) taggedConnections(ctx context.Context, names []string) (map[string]int, error) {
	count := map[string]int{}
	for _, name := range names {
		r, err := s.Get(ctx, name)
		if err != nil && !store.IsUnreadable(err) {
			return nil, err
		}
		if r != nil && r.InstanceTags != nil {
			count[r.Connection]++
		}
	}
	return count, nil
}

// refreshTagged resolves a role's tags again. Roles of one connection share one list of its instances.
func (s *Store) refreshTagged(ctx context.Context, name string, r *Record, share bool) error {
	var how refresh
	if share {
		how.find = func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
			c, _, err := s.Connections.Find(ctx, r.Connection)
			if err != nil {
				return nil, err
			}
			found, err := s.Connections.Instances(ctx, r.Connection, c, connection.ListingAge)
			return connection.WithTags(found, tags), err
		}
	}
	how.linger = s.lingerTwice(name)
	_, warnings, err := s.refreshTags(ctx, name, how)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		s.Log().Debug("resolved the tags of a role", "role", name, "warning", warning.String())
	}
	return nil
}

// refreshListed looks at the instances that a role lists.
func (s *Store) refreshListed(ctx context.Context, name string, r *Record) error {
	instances := r.Instances()
	exist, at, err := s.Existing(ctx, r.Connection, instances)
	if err != nil {
		return err
	}
	var members []member
	var lost []string
	for _, id := range instances {
		if i, ok := exist[id]; ok {
			members = append(members, member{instance: i, at: at})
		} else {
			lost = append(lost, id)
		}
	}
	if err := s.describeMembers(ctx, r, members); err != nil {
		return err
	}
	_, gone := s.refreshes.lost(name, nil, lost, s.Now())
	for _, id := range lost {
		if !gone[id] {
			continue
		}
		if err := s.Core.Retire(ctx, r.Account(id), at); err != nil {
			return request.VaultError("", err)
		}
	}
	return nil
}
