package connection

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// ListingAge is how long a connection's list of instances serves further pages and further roles
// of one round.
const ListingAge = 30 * time.Second

// listings remember for a moment what connections see.
type listings struct {
	mu sync.Mutex
	by map[string]listing
}

type listing struct {
	at    time.Time
	of    *Record // the configuration that was asked; a changed one is another
	found map[string]cloud.Instance
}

// Instances returns, by id, all instances that the connection serves, as they were no longer than
// maxAge ago. Nobody changes the map.
func (s *Store) Instances(ctx context.Context, name string, c *Record, maxAge time.Duration) (map[string]cloud.Instance, error) {
	d := &s.listings
	d.mu.Lock()
	known, ok := d.by[name]
	d.mu.Unlock()
	if ok && known.of == c && s.now().Sub(known.at) < maxAge {
		return known.found, nil
	}
	provider, err := s.core.Provider(ctx, name)
	if err != nil {
		return nil, err
	}
	now := s.now()
	listed, err := s.FindInstances(ctx, name, provider, c.RequiredTags)
	if err != nil {
		return nil, err
	}
	found := make(map[string]cloud.Instance, len(listed))
	for _, i := range listed {
		if i.State != cloud.StateGone && request.IsName(i.ID) { // an id becomes part of paths
			found[i.ID] = i
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by == nil {
		d.by = map[string]listing{}
	}
	d.by[name] = listing{now, c, found}
	return found, nil
}

// ExpireListings forgets what is too old to be used.
func (s *Store) ExpireListings() {
	d, now := &s.listings, s.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, known := range d.by {
		if now.Sub(known.at) >= ListingAge {
			delete(d.by, name)
		}
	}
}

// WithTags are the instances that carry all the tags, sorted by id.
func WithTags(found map[string]cloud.Instance, tags map[string]string) []cloud.Instance {
	var some []cloud.Instance
	for _, i := range found {
		if i.HasTags(tags) {
			some = append(some, i)
		}
	}
	slices.SortFunc(some, cloud.CompareInstances)
	return some
}
