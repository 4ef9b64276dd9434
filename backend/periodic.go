package backend

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// What the background does besides rotating.
const (
	// refreshInterval is how often the instances of a role are looked at.
	refreshInterval = 10 * time.Minute
	// refreshedAtOnce and refreshBudget bound one round. Vault allows it 90 s.
	refreshedAtOnce = 50
	refreshBudget   = 45 * time.Second
)

// periodic is called by Vault about every minute. It returns at once.
func (b *backend) periodic(context.Context, *logical.Request) error {
	b.rounds.start(func(ctx context.Context) { //nolint:contextcheck // it outlives Vault's call, and ends with the backend
		if err := guard.Do(b.Logger(), "the regular work", func() error { return b.round(ctx) }); err != nil && ctx.Err() == nil {
			b.Logger().Error("a part of the regular work failed and will be done again", "error", err)
		}
	})
	return nil
}

// round is the regular work, on nodes that may write.
func (b *backend) round(ctx context.Context) error {
	if !b.WriteSafeReplicationState() {
		return nil
	}
	b.connections.ExpireListings()
	part := func(what string, do func(context.Context) error) error {
		return guard.Do(b.Logger(), what, func() error { return do(ctx) })
	}
	return errors.Join(part("finishing rotations of credentials", b.root.FinishAll), part("dropping replaced keys", b.dropEarlierKeys),
		part("looking at the instances of roles", b.refreshRoles), part("forgetting accounts of servers that are gone", b.forgetGone))
}

// refreshes remember, on the active node, when roles were looked at, what was missing then, and which looks
// failed.
type refreshes struct {
	mu               sync.Mutex
	at               map[string]time.Time
	forgot           time.Time             // when accounts to forget were last looked for
	untagged, absent misses                // see lost
	failed           map[string]failedLook // role -> its last look, if that failed
}

// failedLook is why the instances of a role could not be looked at.
type failedLook struct {
	at    time.Time
	since time.Time // of the first failure in a row
	cause hint.Text
}

// due returns the roles to look at now, those first that have waited longest, and forgets roles that
// do not exist.
func (r *refreshes) due(roles []string, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := make(map[string]time.Time, len(roles))
	untagged, absent := misses{}, misses{}
	failed := make(map[string]failedLook)
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
	f := failedLook{at: now, since: now, cause: hint.Of(err)}
	if before, ok := r.failed[role]; ok {
		f.since = before.since
	}
	if r.failed == nil {
		r.failed = map[string]failedLook{}
	}
	r.failed[role] = f
}

// failures are the roles whose last look failed.
func (r *refreshes) failures() map[string]failedLook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.failed)
}

// refreshRoles looks at the instances of roles: what their tags match now is bound or unbound, what the
// accounts tell about their instances is brought up to date, and accounts whose instance does not exist
// any more are retired.
func (b *backend) refreshRoles(ctx context.Context) error {
	names, err := b.roles.List(ctx)
	if err != nil {
		return err
	}
	started := b.clock.now()
	due := b.refreshes.due(names, started)
	shared, err := b.taggedConnections(ctx, due)
	if err != nil {
		return err
	}
	failing := map[string]bool{} // connections, which are left to another round
	for _, name := range due {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.clock.now().Sub(started) > refreshBudget {
			break
		}
		r, err := b.roles.Get(ctx, name)
		if store.IsUnreadable(err) { // the others are looked at all the same
			b.refreshes.done(name, b.clock.now())
			b.refreshes.ended(name, err, b.clock.now())
			b.Logger().Error("a role cannot be read", "role", name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if r == nil || failing[r.Connection] {
			continue
		}
		b.refreshes.done(name, b.clock.now())
		failed := guard.Do(b.Logger(), "looking at the instances of role "+name,
			func() error { return b.lookAt(ctx, name, r, shared[r.Connection] > 1) })
		if !errors.Is(ctx.Err(), context.Canceled) { // else the backend ends
			b.refreshes.ended(name, failed, b.clock.now())
		}
		if failed != nil {
			failing[r.Connection] = true
			b.Logger().Warn("the instances of a role could not be looked at; that is tried again", "role", name, "connection", r.Connection, "error",
				failed)
		}
	}
	return nil
}

// lookAt looks at the instances of one role; share says whether there are others to share a list with.
func (b *backend) lookAt(ctx context.Context, name string, r *role, share bool) error {
	if r.InstanceTags == nil {
		return b.refreshListed(ctx, name, r)
	}
	return b.refreshTagged(ctx, name, r, share)
}

// taggedConnections counts, by connection, the roles with tags.
func (b *backend) taggedConnections(ctx context.Context, names []string) (map[string]int, error) {
	count := map[string]int{}
	for _, name := range names {
		r, err := b.roles.Get(ctx, name)
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
func (b *backend) refreshTagged(ctx context.Context, name string, r *role, share bool) error {
	var how refresh
	if share {
		how.find = func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
			c, _, err := b.connections.Find(ctx, r.Connection)
			if err != nil {
				return nil, err
			}
			found, err := b.connections.Instances(ctx, r.Connection, c, connection.ListingAge)
			return connection.WithTags(found, tags), err
		}
	}
	how.linger = b.lingerTwice(name)
	_, warnings, err := b.refreshTags(ctx, name, how)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		b.Logger().Debug("resolved the tags of a role", "role", name, "warning", warning.String())
	}
	return nil
}

// refreshListed looks at the instances that a role lists.
func (b *backend) refreshListed(ctx context.Context, name string, r *role) error {
	instances := r.instances()
	exist, at, err := b.existing(ctx, r.Connection, instances)
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
	if err := b.describeMembers(ctx, r, members); err != nil {
		return err
	}
	_, gone := b.refreshes.lost(name, nil, lost, b.clock.now())
	for _, id := range lost {
		if !gone[id] {
			continue
		}
		if err := b.core.Retire(ctx, r.account(id), at); err != nil {
			return request.VaultError("", err)
		}
	}
	return nil
}

// existing describes those of the instances that exist, by id, and says at which place.
func (b *backend) existing(ctx context.Context, connection string, instances []string) (map[string]cloud.Instance, rotation.Place, error) {
	live, err := b.core.Connected(ctx, connection)
	if err != nil {
		return nil, "", request.VaultError("connection "+connection, err)
	}
	described, err := b.connections.DescribeInstances(ctx, connection, live.Provider, instances)
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
