package tencentcloud

import (
	"context"
	"maps"
	"slices"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Limits of DescribeInstances (models.go, DescribeInstancesRequest).
const (
	maxInstanceIDs = 100
	pageSize       = 100
	maxFilters     = 10
)

// maxPasses is how often a listing is repeated when instances came or went while it was read.
const maxPasses = 3

// DescribeInstances implements cloud.Provider.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	set, err := p.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	instances := make([]cloud.Instance, 0, len(set))
	for _, i := range set {
		instances = append(instances, instance(i))
	}
	return instances, nil
}

// describe returns what the cloud knows of the given ids, each once.
func (d *sender) describe(ctx context.Context, ids []string) ([]*cvm.Instance, error) {
	for _, id := range ids {
		if err := validateInstanceID(id); err != nil {
			return nil, cloud.Errorf(cloud.Refused, "%v", err)
		}
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var found []*cvm.Instance
	for batch := range slices.Chunk(ids, maxInstanceIDs) {
		set, err := d.describeBatch(ctx, batch)
		if err != nil {
			return nil, err
		}
		found = append(found, set...)
	}
	return found, nil
}

// describeBatch describes at most maxInstanceIDs instances. The API leaves unknown ids out, and
// InvalidInstanceId.NotFound is not among the documented codes of DescribeInstances; should it
// come nevertheless, halving the batch finds the ids that exist.
func (d *sender) describeBatch(ctx context.Context, ids []string) ([]*cvm.Instance, error) {
	request := cvm.NewDescribeInstancesRequest()
	request.InstanceIds = common.StringPtrs(ids)
	request.Limit = common.Int64Ptr(pageSize) // else 20
	answer, err := d.describeInstances(ctx, request)
	if cloud.KindOf(err) == cloud.NotFound {
		if len(ids) == 1 {
			return nil, nil
		}
		half := len(ids) / 2
		first, err := d.describeBatch(ctx, ids[:half])
		if err != nil {
			return nil, err
		}
		second, err := d.describeBatch(ctx, ids[half:])
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(answer.InstanceSet, func(i *cvm.Instance) bool {
		return i == nil || !slices.Contains(ids, value(i.InstanceId))
	}), nil
}

// describeInstances makes one DescribeInstances call.
func (d *sender) describeInstances(ctx context.Context, request *cvm.DescribeInstancesRequest) (*cvm.DescribeInstancesResponseParams,
	error) {
	var answer *cvm.DescribeInstancesResponseParams
	err := d.ask(ctx, describeInstances, func(ctx context.Context, s *session) error {
		response, err := s.describeInstances(ctx, request)
		if err != nil {
			return err
		}
		answer = response.Response
		return nil
	})
	return answer, err
}

// FindInstances implements cloud.Provider. The cloud filters by the first ten tags; all of them
// are compared here as well, so that the match is exact.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	// Pages are cut by offset: an instance that goes while they are read moves another one over the
	// cut. So the list is read again until nothing moved, and what any pass saw counts.
	seen := map[string]cloud.Instance{}
	var kept cloud.Tally
	for range maxPasses {
		steady, err := p.listInto(ctx, tagFilters(tags), seen, &kept)
		if tagUnknown(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if steady {
			break
		}
	}
	var instances []cloud.Instance
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		if i := seen[id]; i.State != cloud.StateGone && i.HasTags(tags) {
			instances = append(instances, i)
		}
	}
	return instances, nil
}

// listInto reads all pages once. It reports whether the list held still meanwhile.
func (d *sender) listInto(ctx context.Context, filters []*cvm.Filter, seen map[string]cloud.Instance, kept *cloud.Tally) (bool, error) {
	pass := map[string]bool{}
	var total *int64
	steady := true
	for offset := int64(0); ; {
		request := cvm.NewDescribeInstancesRequest()
		request.Filters = filters
		request.Offset = common.Int64Ptr(offset)
		request.Limit = common.Int64Ptr(pageSize)
		answer, err := d.describeInstances(ctx, request)
		if err != nil {
			return false, err
		}
		known := len(pass)
		for _, i := range answer.InstanceSet {
			if i == nil || value(i.InstanceId) == "" {
				continue
			}
			shown := instance(i)
			if _, again := seen[shown.ID]; !again {
				if err := kept.Add(shown); err != nil {
					return false, err
				}
			}
			pass[shown.ID], seen[shown.ID] = true, shown
		}
		if total != nil && value(answer.TotalCount) != *total {
			steady = false
		}
		total = answer.TotalCount
		offset += int64(len(answer.InstanceSet))
		// A page without news ends the pass whatever the count says.
		if len(pass) == known || total != nil && offset >= *total {
			return steady && (total == nil || int64(len(pass)) == *total), nil
		}
	}
}

// tagFilters asks for tags, at most as many as one request may hold. An empty value cannot be
// asked for, so its key is.
func tagFilters(tags map[string]string) []*cvm.Filter {
	var filters []*cvm.Filter
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if len(filters) == maxFilters {
			break
		}
		name, val := "tag:"+key, tags[key]
		if val == "" {
			name, val = "tag-key", key
		}
		filters = append(filters, &cvm.Filter{Name: &name, Values: []*string{&val}})
	}
	return filters
}

// tagUnknown reports the error of a filter whose tag key no resource of the account has.
func tagUnknown(err error) bool {
	return cloud.CodeOf(err) == cvm.INVALIDPARAMETERVALUE_TAGKEYNOTFOUND
}
