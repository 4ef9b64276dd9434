package azure

import (
	"context"
	"maps"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// fewIDs is how many machines are read one by one. A list costs two requests and more, of a smaller bucket.
const fewIDs = 10

// DescribeInstances implements cloud.Provider.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	for _, id := range ids {
		if err := validateInstanceID(id); err != nil {
			return nil, cloud.Errorf(cloud.Refused, "%v", err)
		}
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) <= fewIDs {
		return p.describeEach(ctx, ids)
	}
	return p.describeListed(ctx, ids)
}

// describeEach reads machines one by one.
func (p *provider) describeEach(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	var instances []cloud.Instance
	for _, id := range ids {
		v, ok, err := p.find(ctx, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		m, gone, err := p.view(ctx, v)
		if err != nil {
			return nil, err
		}
		if gone {
			continue
		}
		entry, _ := p.vms.get(id)
		instances = append(instances, m.shown(entry.address))
	}
	return instances, nil
}

// describeListed finds machines in a list. One that has been known before and is not in it is read: a list may lag behind.
func (p *provider) describeListed(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	wanted, before := map[string]bool{}, map[string]known{}
	for _, id := range ids {
		wanted[id] = true
		if entry, ok := p.vms.get(id); ok {
			before[id] = entry
		}
	}
	instances, err := p.listed(ctx, func(m *machine) bool { return wanted[m.id()] })
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		delete(before, i.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		m, there, err := p.viewAt(ctx, before[id].vm)
		if err != nil {
			return nil, err
		}
		if there {
			p.vms.put(before[id])
			instances = append(instances, m.shown(before[id].address))
		}
	}
	return instances, nil
}

// FindInstances implements cloud.Provider. The cloud has no filter by tags for virtual machines, so they are compared here.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	return p.listed(ctx, func(m *machine) bool { return cloud.Instance{Tags: m.Tags}.HasTags(tags) })
}
