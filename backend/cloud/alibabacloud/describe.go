package alibabacloud

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Limits of DescribeInstances (ecs-20140526 v7.7.0, describe_instances_request_model.go; Tag.N goes to 20).
const (
	maxInstanceIDs = 100
	pageSize       = 100
	maxTags        = 20
)

// DescribeInstances implements cloud.Provider.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	set, err := p.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	instances := make([]cloud.Instance, 0, len(set))
	for i := range set {
		instances = append(instances, set[i].shown())
	}
	return instances, nil
}

// describe returns what the cloud knows of the given ids, each once.
//
// The cloud answers a RAM user who lacks the permission with an empty list (the SDK's text on DescribeInstances). That must
// not be taken for servers that are gone, so an empty answer is believed only after the cloud has said that the keys may ask.
func (p *provider) describe(ctx context.Context, ids []string) ([]instance, error) {
	for _, id := range ids {
		if err := validateInstanceID(id); err != nil {
			return nil, cloud.Errorf(cloud.Refused, "%v", err)
		}
	}
	var found []instance
	for batch := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), maxInstanceIDs) {
		set, err := p.describeBatch(ctx, batch)
		if err != nil {
			return nil, err
		}
		found = append(found, set...)
	}
	if len(found) == 0 && len(ids) > 0 {
		return nil, p.mayDescribe(ctx)
	}
	return found, nil
}

// describeBatch describes at most maxInstanceIDs instances. The cloud leaves unknown ids out, and says InvalidInstanceId.NotFound
// about those that it takes for no id at all; halving the batch finds the others.
func (p *provider) describeBatch(ctx context.Context, ids []string) ([]instance, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, cloud.Errorf(cloud.Refused, "%s: %v", describeInstances, err)
	}
	var found []instance
	err = p.list(ctx, url.Values{"InstanceIds": {string(list)}}, func(i instance) error {
		if slices.Contains(ids, i.InstanceID) {
			found = append(found, i)
		}
		return nil
	})
	if cloud.KindOf(err) != cloud.NotFound {
		return found, err
	}
	if len(ids) == 1 {
		return nil, nil
	}
	half := len(ids) / 2
	first, err := p.describeBatch(ctx, ids[:half])
	if err != nil {
		return nil, err
	}
	second, err := p.describeBatch(ctx, ids[half:])
	return append(first, second...), err
}

// page is the answer of DescribeInstances.
type page struct {
	Instances struct{ Instance []instance }
	NextToken string
}

// list gives each instance of a listing to add, page by page. Pages follow each other by tokens, so that instances which
// come and go move none of the others.
func (p *provider) list(ctx context.Context, parameters url.Values, add func(instance) error) error {
	parameters.Set("MaxResults", strconv.Itoa(pageSize)) // else 10
	seen := map[string]bool{}
	for {
		var answer page
		if err := p.ecs(ctx, describeInstances, parameters, &answer); err != nil {
			return err
		}
		for _, i := range answer.Instances.Instance {
			if err := add(i); err != nil {
				return err
			}
		}
		switch next := answer.NextToken; {
		case next == "":
			return nil
		case seen[next]:
			return cloud.Errorf(cloud.Unknown, "%s: the listing does not end; check endpoints.ecs", describeInstances)
		case len(seen) >= maxPages:
			return cloud.Errorf(cloud.Unknown, "%s: the listing does not end after %d pages; check endpoints.ecs", describeInstances, maxPages)
		default:
			seen[next] = true
			parameters.Set("NextToken", next)
		}
	}
}

// maxPages bounds a listing, whatever its tokens say: 200,000 instances at 100 a page.
const maxPages = 2000

// FindInstances implements cloud.Provider. The cloud filters by the first twenty tags; all of them are compared here as well,
// so that the match is exact.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	found := map[string]cloud.Instance{}
	var kept cloud.Tally
	err := p.list(ctx, tagFilters(tags), func(i instance) error {
		shown := i.shown()
		if shown.ID == "" || shown.State == cloud.StateGone || !shown.HasTags(tags) {
			return nil
		}
		if _, again := found[shown.ID]; !again {
			if err := kept.Add(shown); err != nil {
				return err
			}
		}
		found[shown.ID] = shown
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, p.mayDescribe(ctx)
	}
	return slices.SortedFunc(maps.Values(found), cloud.CompareInstances), nil
}

// tagFilters asks for tags, at most as many as one request may hold. A tag without a value is asked for by its key.
func tagFilters(tags map[string]string) url.Values {
	parameters := url.Values{}
	for n, key := range slices.Sorted(maps.Keys(tags)) {
		if n == maxTags {
			break
		}
		parameters.Set(fmt.Sprintf("Tag.%d.Key", n+1), key)
		if value := tags[key]; value != "" {
			parameters.Set(fmt.Sprintf("Tag.%d.Value", n+1), value)
		}
	}
	return parameters
}

// mayDescribe asks whether the keys may describe instances: nil if they may. An empty list tells nothing of that, a dry run
// does.
func (p *provider) mayDescribe(ctx context.Context) error {
	err := p.ecs(ctx, describeInstances, url.Values{"DryRun": {"true"}}, &page{})
	switch {
	case cloud.CodeOf(err) == codeDryRun:
		return nil
	case err != nil:
		return err
	}
	return cloud.Errorf(cloud.Unknown, "%s: the cloud shows no instance and does not say whether the keys may see any; "+
		"add the permission ecs:DescribeInstances to the RAM policies of %s", describeInstances, p.source.origin.principal)
}
