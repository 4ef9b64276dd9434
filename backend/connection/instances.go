package connection

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Instances returns, by id, all instances that the connection serves, as they were no longer than
// maxAge ago. Nobody changes the map.
func (s *Store) Instances(ctx context.Context, name string, c *Record, maxAge time.Duration) (map[string]cloud.Instance, error) {
	if found, ok := s.listings.of(name, c, maxAge, s.now()); ok {
		return found, nil
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
	s.listings.remember(name, listing{now, c, found})
	return found, nil
}

// ExpireListings forgets what is too old to be used.
func (s *Store) ExpireListings() { s.listings.expire(s.now()) }
