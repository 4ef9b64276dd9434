package openstack

import (
	"cmp"
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// singleLookups is up to how many instances are asked for one by one. There is no call for a set
// of ids; above this, reading the project's list costs less.
const singleLookups = 10

// DescribeInstances implements cloud.Provider. Only a direct question counts as proof that an
// instance does not exist: one that a long list leaves out is asked for by its id.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		if err := p.ValidateInstanceID(id); err != nil {
			return nil, err
		}
		wanted[id] = true
	}
	var found []cloud.Instance
	if len(wanted) > singleLookups {
		err := p.eachServer(ctx, func(s server) bool {
			if wanted[s.ID] {
				delete(wanted, s.ID)
				found = append(found, p.instanceOf(s))
			}
			return len(wanted) > 0
		})
		// Without the permission to list, the slow way still works.
		if err != nil && cloud.KindOf(err) != cloud.Denied {
			return nil, err
		}
	}
	for _, id := range ids {
		if !wanted[id] {
			continue
		}
		delete(wanted, id)
		s, err := p.show(ctx, id)
		switch {
		case err == nil:
			found = append(found, p.instanceOf(s))
		case cloud.KindOf(err) != cloud.NotFound:
			return nil, err
		}
	}
	return found, nil
}

// FindInstances implements cloud.Provider.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	var found []cloud.Instance
	var kept cloud.Tally
	var full error
	err := p.eachServer(ctx, func(s server) bool {
		instance := p.instanceOf(s)
		if instance.State != cloud.StateGone && instance.HasTags(tags) {
			found = append(found, instance)
			full = kept.Add(instance)
		}
		return full == nil
	})
	if err = cmp.Or(err, full); err != nil {
		return nil, err
	}
	return found, nil
}
