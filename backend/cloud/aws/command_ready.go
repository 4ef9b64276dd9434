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

// ResetRecords implements cloud.PasswordResetter. Of a reset that a reference names it shows the command.
// Else an instance has no record, and the question is whether a command could be sent to it: an instance
// that does not run, or whose agent is not online, is an error that says so, and costs no attempt.
func (c command) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	if c.mayNotAsk(endpointSSM) {
		return nil, c.check(cloud.Linux)
	}
	records := make(map[string]cloud.ResetRecord, len(refs))
	var unnamed []string
	for _, ref := range refs {
		if err := validateInstanceID(ref.InstanceID); err != nil {
			return nil, err
		}
		if ref.RequestID == "" {
			unnamed = append(unnamed, ref.InstanceID)
			continue
		}
		i, err := c.invocation(ctx, ref.RequestID, ref.InstanceID)
		if err != nil {
			return nil, err
		}
		records[ref.InstanceID] = c.record(ref.InstanceID, ref.RequestID, i)
	}
	if len(unnamed) > 0 {
		if err := c.ready(ctx, unnamed, records); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// ready adds an empty record of each instance to which a command can be sent, and of each that is gone.
func (c command) ready(ctx context.Context, ids []string, records map[string]cloud.ResetRecord) error {
	found, err := c.DescribeInstances(ctx, ids)
	if err != nil {
		return err
	}
	var live []string
	for _, i := range found {
		switch i.State {
		case cloud.StateGone:
			records[i.ID] = cloud.ResetRecord{Gone: true}
		case cloud.StateRunning:
			live = append(live, i.ID)
		default:
			return cloud.Errorf(cloud.Refused, "instance %s is %s, and commands run on running instances only; start it, or wait until it runs", i.ID, i.CloudState)
		}
	}
	managed, err := c.managed(ctx, live)
	if err != nil {
		return err
	}
	for _, id := range live {
		if err := checkManaged(id, managed[id]); err != nil {
			return err
		}
		records[id] = cloud.ResetRecord{}
	}
	return nil
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
			out, err := send(ctx, c.Provider, asked, c.ssm.describeInstanceInformation, in)
			if err != nil {
				return nil, err
			}
			for _, i := range out.InstanceInformationList {
				found[sdk.ToString(i.InstanceId)] = i
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
		return cloud.Errorf(cloud.Refused, "instance %s is not managed by Systems Manager; it needs the SSM Agent, an instance profile with the policy AmazonSSMManagedInstanceCore "+
			"(or Default Host Management Configuration), and a way to the endpoints ssm and ssmmessages of its region", id)
	case i.PingStatus != types.PingStatusOnline:
		seen := ""
		if i.LastPingDateTime != nil {
			seen = ", last seen at " + i.LastPingDateTime.UTC().Format(time.RFC3339)
		}
		return cloud.Errorf(cloud.Refused, "the SSM Agent of instance %s is not online (%s%s); start the agent, and see that its instance profile and its way to Systems Manager are still there",
			id, text.Name(string(i.PingStatus), cloud.MaxCode), seen)
	case i.PlatformType == types.PlatformTypeMacos:
		return cloud.Errorf(cloud.Refused, "instance %s runs macOS, and cloudpw has commands for Linux and Windows only", id)
	}
	return nil
}
