package alibabacloud

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Ready implements guest.Service. An instance that does not run, that the cloud has locked, or whose agent is not online, is an
// error: a command to it would end without an outcome.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	set, err := c.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(set))
	var live []string
	for i := range set {
		one := set[i].shown()
		if err := unready(one, set[i].locks()); err != nil {
			return nil, err
		}
		live = append(live, one.ID)
		records[one.ID] = cloud.ResetRecord{}
	}
	if err := c.checkAgents(ctx, live); err != nil {
		return nil, err
	}
	return records, nil
}

// maxAgents is how many instances one request names. The cloud names no limit; it is that of other calls.
const maxAgents = 50

// checkAgents refuses an instance of which the cloud says that its agent does not work. The permission is an optional one, and an
// instance that the cloud says nothing about may have an agent.
func (c command) checkAgents(ctx context.Context, ids []string) error {
	for batch := range slices.Chunk(ids, maxAgents) {
		parameters := url.Values{}
		for n, id := range batch {
			parameters.Set(fmt.Sprintf("InstanceId.%d", n+1), id)
		}
		agents, err := c.agents(ctx, parameters)
		if permissionMissing(err) {
			return nil // check/ names the permission
		}
		if err != nil {
			return err
		}
		for _, a := range agents {
			if a.CloudAssistantStatus == "false" && slices.Contains(batch, a.InstanceID) {
				return cloud.Errorf(cloud.Refused, "the Cloud Assistant Agent of instance %s is not online; see its state in the ECS console "+
					"(Cloud Assistant), and let it reach the cloud", a.InstanceID)
			}
		}
	}
	return nil
}

// agent is what DescribeCloudAssistantStatus shows of an instance.
type agent struct {
	InstanceID           string `json:"InstanceId"`
	CloudAssistantStatus string // "true" or "false"
}

// agents makes one call of DescribeCloudAssistantStatus.
func (c command) agents(ctx context.Context, parameters url.Values) ([]agent, error) {
	var answer struct {
		InstanceCloudAssistantStatusSet struct{ InstanceCloudAssistantStatus []agent }
	}
	err := c.ecs(ctx, describeAssistant, parameters, &answer)
	return answer.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus, err
}
