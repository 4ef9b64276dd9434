package azure

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// survey lists all machines of the subscription, remembers where they are, and returns those that keep takes, by the lower case of
// their paths. The list has their model, and not what they do.
func (p *provider) survey(ctx context.Context, keep func(*machine) bool) (map[string]cloud.Instance, error) {
	began := time.Now()
	kept, entries := map[string]cloud.Instance{}, map[string]known{}
	var tally, remembered cloud.Tally
	err := list(ctx, &p.sender, virtualMachinesList, p.collection(computePath), nil, func(m *machine) error {
		v, ok := m.vm(p.subscription)
		if !ok {
			return nil
		}
		// What is remembered is bounded like what is kept.
		if err := remembered.Add(cloud.Instance{ID: v.id, Name: v.path, OSName: v.location}); err != nil {
			return err
		}
		entries[v.id] = known{vm: v}
		if !keep(m) {
			return nil
		}
		i := m.shown("")
		kept[strings.ToLower(v.path)] = i
		return tally.Add(i)
	})
	if err != nil {
		return nil, err
	}
	p.addAddresses(ctx, entries)
	p.vms.replace(entries, began)
	for path, i := range kept {
		i.PrivateIP = entries[i.ID].address
		kept[path] = i.Shown()
	}
	return kept, nil
}

// listed lists the machines that keep takes, with what they do at the moment.
func (p *provider) listed(ctx context.Context, keep func(*machine) bool) ([]cloud.Instance, error) {
	kept, err := p.survey(ctx, keep)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	// The cloud may write names in ids with other cases here than in the list of models.
	err = list(ctx, &p.sender, virtualMachinesList, p.collection(computePath), url.Values{"statusOnly": {"true"}}, func(m *machine) error {
		path, ok := vmPath(p.subscription, m.ID)
		if i, wanted := kept[strings.ToLower(path)]; ok && wanted {
			kept[strings.ToLower(path)] = m.Properties.InstanceView.addTo(i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(kept), cloud.CompareInstances), nil
}
