package aws

import (
	"context"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Ready implements guest.Service. An instance that does not run, or whose agent is not online, is an error.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	records := make(map[string]cloud.ResetRecord, len(ids))
	found, err := c.DescribeInstances(ctx, ids)
	if err != nil {
		return nil, err
	}
	var live []string
	for _, i := range found {
		switch i.State {
		case cloud.StateGone:
			records[i.ID] = cloud.ResetRecord{Gone: true}
		case cloud.StateRunning:
			live = append(live, i.ID)
		default:
			return nil, cloud.Errorf(cloud.Refused, "instance %s is %s, and commands run on running instances only; start it, or wait until it runs",
				i.ID, i.CloudState)
		}
	}
	managed, err := c.managed(ctx, live)
	if err != nil {
		return nil, err
	}
	for _, id := range live {
		if err := checkManaged(id, managed[id]); err != nil {
			return nil, err
		}
		records[id] = cloud.ResetRecord{}
	}
	return records, nil
}

// maxManagedIDs is how many nodes a page of DescribeInstanceInformation has at most.
const maxManagedIDs = 50

// managed asks Systems Manager for the instances that it knows, by ssm DescribeInstanceInformation.
func (c command) managed(ctx context.Context, ids []string) (map[string]types.InstanceInformation, error) {
	asked := call{service: endpointSSM, action: "DescribeInstanceInformation"}
	found := map[string]types.InstanceInformation{}
	for batch := range slices.Chunk(ids, maxManagedIDs) {
		in := &ssm.DescribeInstanceInformationInput{
			Filters:    []types.InstanceInformationStringFilter{{Key: sdk.String("InstanceIds"), Values: batch}},
			MaxResults: sdk.Int32(maxManagedIDs),
		}
		for pages := 0; ; pages++ {
			if pages > maxManagedIDs {
				return nil, cloud.Errorf(cloud.Unknown, "%s: the listing does not end; check endpoints.ssm", asked)
			}
			out, err := send(ctx, c.sender, asked, c.ssm.describeInstanceInformation, in)
			if err != nil {
				return nil, err
			}
			for _, i := range out.InstanceInformationList {
				if id := sdk.ToString(i.InstanceId); slices.Contains(batch, id) {
					found[id] = i
				}
			}
			if sdk.ToString(out.NextToken) == "" {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	return found, nil
}

// checkManaged says why Systems Manager cannot run a command on an instance. The zero value is an instance
// that it does not know.
func checkManaged(id string, i types.InstanceInformation) error {
	switch {
	case sdk.ToString(i.InstanceId) == "":
		return cloud.Errorf(cloud.Refused, "instance %s is not managed by Systems Manager; it needs the SSM Agent, an instance profile with "+
			"the policy AmazonSSMManagedInstanceCore (or Default Host Management Configuration), and a way to the endpoints ssm and ssmmessages "+
			"of its region", id)
	case i.PingStatus != types.PingStatusOnline:
		seen := ""
		if i.LastPingDateTime != nil {
			seen = ", last seen at " + i.LastPingDateTime.UTC().Format(time.RFC3339)
		}
		return cloud.Errorf(cloud.Refused, "the SSM Agent of instance %s is not online (%s%s); start the agent, and see that its instance "+
			"profile and its way to Systems Manager are still there",
			id, text.Name(string(i.PingStatus), cloud.MaxCode), seen)
	case i.PlatformType == types.PlatformTypeMacos:
		return cloud.Errorf(cloud.Refused, "instance %s runs macOS, and cloudpw has commands for Linux and Windows only", id)
	}
	return nil
}
