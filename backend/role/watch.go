package role

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

const (
	// refreshInterval is how often the instances of a role are looked at.
	refreshInterval = 10 * time.Minute
	// refreshedAtOnce and refreshBudget bound one round. Vault allows it 90 s.
	refreshedAtOnce = 50
	refreshBudget   = 45 * time.Second
)

// refreshes remember, on the active node, when roles were looked at, what was missing then, and which looks
// failed.
type refreshes struct {
	mu               sync.Mutex
	at               map[string]time.Time
	forgot           time.Time             // when accounts to forget were last looked for
	untagged, absent misses                // see lost
	failed           map[string]FailedLook // role -> its last look, if that failed
}

// FailedLook is why the instances of a role could not be looked at.
type FailedLook struct {
	At    time.Time
	Since time.Time // of the first failure in a row
	Cause hint.Text
}

// due returns the roles to look at now, those first that have waited longest, and forgets roles that
// do not exist.
func (r *refreshes) due(roles []string, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := make(map[string]time.Time, len(roles))
	untagged, absent := misses{}, misses{}
	failed := make(map[string]FailedLook)
	var due []string
	for _, name := range roles {
		at[name] = r.at[name]
		if f, ok := r.failed[name]; ok {
			failed[name] = f
		}
		if m := r.untagged[name]; m != nil {
			untagged[name] = m
		}
		if m := r.absent[name]; m != nil {
			absent[name] = m
		}
		if now.Sub(r.at[name]) >= refreshInterval {
			due = append(due, name)
		}
	}
	r.at, r.untagged, r.absent, r.failed = at, untagged, absent, failed
	slices.SortStableFunc(due, func(a, b string) int {
		if c := at[a].Compare(at[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return due[:min(len(due), refreshedAtOnce)]
}

func (r *refreshes) done(role string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[role] = now
}

// ended notes how a look at a role's instances ended.
func (r *refreshes) ended(role string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.failed, role)
		return
	}
	f := FailedLook{At: now, Since: now, Cause: hint.Of(err)}
	if before, ok := r.failed[role]; ok {
		f.Since = before.Since
	}
	if r.failed == nil {
		r.failed = map[string]FailedLook{}
	}
	r.failed[role] = f
}

// failures are the roles whose last look failed.
func (r *refreshes) failures() map[string]FailedLook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.failed)
}

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

// refreshTagged resolves a role's tags anew. Roles of one connection share one list of its instances.
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

// Existing describes those of the instances that exist, by id, and says at which place.
func (s *Store) Existing(ctx context.Context, connection string, instances []string) (map[string]cloud.Instance, rotation.Place, error) {
	live, err := s.Core.Connected(ctx, connection)
	if err != nil {
		return nil, "", request.VaultError("connection "+connection, err)
	}
	described, err := s.Connections.DescribeInstances(ctx, connection, live.Provider, instances)
	if err != nil {
		return nil, "", err
	}
	exist := make(map[string]cloud.Instance, len(described))
	for _, i := range described {
		if i.State != cloud.StateGone {
			exist[i.ID] = i
		}
	}
	return exist, live.Place, nil
}
