package aws

import (
	"context"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Limits of one DescribeInstances request (EC2 user guide, "List and filter using the CLI and API";
// API reference, DescribeInstances).
const (
	maxFilters      = 50
	maxFilterValues = 200
	maxFilterLength = 255 // characters of a filter's value, escapes included
	pageSize        = 100
)

// maxPages bounds a listing, so that an endpoint which repeats its page token can't keep a caller
// forever. With full pages that is 200,000 instances.
const maxPages = 2_000

// DescribeInstances implements cloud.Provider. It filters by instance-id instead of naming the ids
// as InstanceId parameters: one unknown id would fail that whole call with
// InvalidInstanceID.NotFound, and it could not be paged.
func (p *Provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	unique := slices.Clone(ids)
	slices.Sort(unique)
	unique = slices.Compact(unique)
	for _, id := range unique {
		if err := validateInstanceID(id); err != nil {
			return nil, err
		}
	}
	var found []cloud.Instance
	var kept cloud.Tally
	for batch := range slices.Chunk(unique, maxFilterValues) {
		filter := types.Filter{Name: sdk.String("instance-id"), Values: batch}
		err := p.eachInstance(ctx, []types.Filter{filter}, func(i cloud.Instance) error {
			// An endpoint that ignores the filter must not make a caller see other instances.
			if _, asked := slices.BinarySearch(batch, i.ID); asked {
				found = append(found, i)
				return kept.Add(i)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// FindInstances implements cloud.Provider. The tags are sent as filters and compared again here,
// since the cloud reads filter values as patterns.
func (p *Provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	filters, err := tagFilters(tags)
	if err != nil {
		return nil, err
	}
	var found []cloud.Instance
	var kept cloud.Tally
	err = p.eachInstance(ctx, filters, func(i cloud.Instance) error {
		if i.State != cloud.StateGone && i.HasTags(tags) {
			found = append(found, i)
			return kept.Add(i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// eachInstance calls visit for every instance that the filters let through, page by page, until it returns an error.
func (p *Provider) eachInstance(ctx context.Context, filters []types.Filter, visit func(cloud.Instance) error) error {
	c := call{service: endpointEC2, action: "DescribeInstances"}
	in := &ec2.DescribeInstancesInput{Filters: filters, MaxResults: sdk.Int32(pageSize)}
	for range maxPages {
		out, err := send(ctx, p.sender, c, p.ec2.describeInstances, in)
		if err != nil {
			return err
		}
		for _, reservation := range out.Reservations {
			for _, i := range reservation.Instances {
				if err := visit(instance(i)); err != nil {
					return err
				}
			}
		}
		if sdk.ToString(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
	return cloud.Errorf(cloud.Unknown, "%s: the listing does not end after %d pages; check endpoints.ec2", c, maxPages)
}

// livingStates are the states from which an instance can come back.
var livingStates = []string{"pending", "running", "stopping", "stopped"}

// tagFilters makes the filters that select living instances with all the tags. Tags that do not fit
// into the request are left out; the caller compares all of them anyway.
func tagFilters(tags map[string]string) ([]types.Filter, error) {
	filters := []types.Filter{{Name: sdk.String("instance-state-name"), Values: livingStates}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key == "" {
			return nil, cloud.Errorf(cloud.Refused, "a tag needs a key")
		}
		value := escapeFilter.Replace(tags[key])
		if len(filters) == maxFilters || len(value) > maxFilterLength {
			continue
		}
		filters = append(filters, types.Filter{Name: sdk.String("tag:" + key), Values: []string{value}})
	}
	return filters, nil
}

// escapeFilter takes the special meaning from the wildcards of a filter value.
var escapeFilter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

// instance translates the SDK's description.
func instance(i types.Instance) cloud.Instance {
	out := cloud.Instance{
		ID:        sdk.ToString(i.InstanceId),
		Platform:  platform(i),
		OSName:    sdk.ToString(i.PlatformDetails),
		KeyName:   sdk.ToString(i.KeyName),
		PrivateIP: sdk.ToString(i.PrivateIpAddress),
		PublicIP:  sdk.ToString(i.PublicIpAddress),
		Tags:      make(map[string]string, len(i.Tags)),
	}
	if out.PrivateIP == "" {
		// Instances of an IPv6-only subnet have no IPv4 address at all.
		out.PrivateIP = sdk.ToString(i.Ipv6Address)
	}
	for _, t := range i.Tags {
		out.Tags[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	out.Name = out.Tags["Name"]
	out.SystemDisk = rootVolume(i)
	if i.LaunchTime != nil {
		out.LaunchTime = *i.LaunchTime
	}
	out.State = cloud.StateChanging
	if i.State != nil {
		out.CloudState = string(i.State.Name)
		out.State = state(i.State.Name)
	}
	return out.Shown()
}

// rootVolume is the id of the volume that the instance has its system on; "" if it has none. Whoever replaces it finds the new one's
// id there (EC2 User Guide, "Replace the root volume for an Amazon EC2 instance without stopping it"). LaunchTime is of no use to
// notice that, since each start changes it, nor is ImageId, which is the AMI that the instance was launched from.
func rootVolume(i types.Instance) string {
	for _, device := range i.BlockDeviceMappings {
		if device.Ebs != nil && sdk.ToString(device.DeviceName) == sdk.ToString(i.RootDeviceName) {
			return sdk.ToString(device.Ebs.VolumeId)
		}
	}
	return ""
}

// platform reads the field Platform, which the API documents as Windows or empty. Its case on the
// wire differs from the SDK's constant. PlatformDetails helps with imported images.
func platform(i types.Instance) cloud.Platform {
	if strings.EqualFold(string(i.Platform), "windows") ||
		strings.HasPrefix(strings.ToLower(sdk.ToString(i.PlatformDetails)), "windows") {
		return cloud.Windows
	}
	return cloud.Linux
}

func state(name types.InstanceStateName) cloud.State {
	switch name {
	case types.InstanceStateNameRunning:
		return cloud.StateRunning
	case types.InstanceStateNameStopped:
		return cloud.StateStopped
	case types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated:
		// Shutting-down is the way to terminated and to nowhere else.
		return cloud.StateGone
	default:
		return cloud.StateChanging
	}
}
