package awsapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type informationFilter struct {
	Key    string
	Values []string
}

type informationInput struct {
	Filters                       []informationFilter
	InstanceInformationFilterList []struct {
		Key      string   `json:"key"`
		ValueSet []string `json:"valueSet"`
	}
	MaxResults *int
	NextToken  string
}

type instanceInformation struct {
	InstanceId       string
	PingStatus       string
	LastPingDateTime float64
	AgentVersion     string
	IsLatestVersion  bool
	PlatformType     string
	PlatformName     string
	PlatformVersion  string
	ResourceType     string
	IPAddress        string
	ComputerName     string
	SourceId         string
	SourceType       string
}

type informationOutput struct {
	InstanceInformationList []instanceInformation
	NextToken               string `json:",omitempty"`
}

// Limits of DescribeInstanceInformation.
const (
	leastInformation, mostInformation = 5, 50
	// defaultInformation is how many nodes a page has that names no number.
	defaultInformation    = 10
	maxInformationFilters = 100 // values of one filter
)

// oldInformationKeys are those of InstanceInformationFilterList.
var oldInformationKeys = []string{"InstanceIds", "AgentVersion", "PingStatus", "PlatformTypes", "ActivationIds", "IamRole", "ResourceType",
	"AssociationStatus"}

// describeInstanceInformation lists the instances whose agent has registered. A stopped instance stays in
// the list, with its connection lost, and a terminated one is taken off it.
func describeInstanceInformation(r *request, in *informationInput) (any, *failure) {
	if len(in.Filters) > 0 && len(in.InstanceInformationFilterList) > 0 {
		return nil, fail("ValidationException", "Use either Filters or InstanceInformationFilterList, not both")
	}
	for i, f := range in.InstanceInformationFilterList {
		if bad := invalid(f.Key, fmt.Sprintf("instanceInformationFilterList.%d.member.key", i+1),
			oneOf(f.Key, oldInformationKeys...)); bad != nil {
			return nil, bad
		}
		in.Filters = append(in.Filters, informationFilter{f.Key, f.ValueSet})
	}
	if f := number(in.MaxResults, "maxResults", leastInformation, mostInformation); f != nil {
		return nil, f
	}
	size := defaultInformation
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	for i, f := range in.Filters {
		if bad := f.check(fmt.Sprintf("filters.%d.member.", i+1)); bad != nil {
			return nil, bad
		}
	}
	now := r.world.OperationNow()
	var found []instanceInformation
	for _, s := range r.world.Servers(r.owns) {
		if s.AgentState() == model.AgentAbsent || s.State == model.StateTerminated {
			continue
		}
		if i := informationOf(s, now); !slices.ContainsFunc(in.Filters, func(f informationFilter) bool { return !f.matches(i, s) }) {
			found = append(found, i)
		}
	}
	part, next, ok := cut(found, in.NextToken, size)
	if !ok {
		return nil, fail("InvalidNextToken", "")
	}
	return informationOutput{part, next}, nil
}

func informationOf(s model.Server, now time.Time) instanceInformation {
	i := instanceInformation{
		InstanceId: s.ID, PingStatus: "Online", LastPingDateTime: epoch(now), AgentVersion: "3.3.2299.0", IsLatestVersion: true,
		PlatformType: "Linux", PlatformName: "Amazon Linux", PlatformVersion: "2023", ResourceType: "EC2Instance", IPAddress: s.PrivateIP,
		ComputerName: s.Name, SourceId: s.ID, SourceType: "AWS::EC2::Instance",
	}
	if s.IsWindows() {
		i.PlatformType, i.PlatformName, i.PlatformVersion = "Windows", "Microsoft Windows Server 2022 Datacenter", "10.0.20348"
	}
	if s.AgentState() != model.AgentOnline {
		// When it was lost is not kept.
		i.PingStatus, i.LastPingDateTime = "ConnectionLost", epoch(s.Created)
	}
	return i
}

// check refuses a filter that the cloud would refuse.
func (f informationFilter) check(member string) *failure {
	switch {
	case f.Key == "":
		return missing(member + "key")
	case f.Values == nil:
		return missing(member + "values")
	case len(f.Values) == 0:
		return invalid("[]", member+"values", tooShort(1))
	case len(f.Values) > maxInformationFilters:
		return invalid(fmt.Sprint(f.Values), member+"values", tooLong(maxInformationFilters))
	}
	switch f.Key {
	case "InstanceIds":
		for _, id := range f.Values {
			if managedID.broken(id) != "" {
				return fail("InvalidInstanceInformationFilterValue", "")
			}
		}
	case "PingStatus", "PlatformTypes", "ResourceType", "SourceTypes", "SourceIds", "AgentVersion", "tag-key",
		"ActivationIds", "AssociationStatus", "IamRole":
	default:
		if !strings.HasPrefix(f.Key, "tag:") {
			return fail("InvalidFilterKey", "")
		}
	}
	return nil
}

func (f informationFilter) matches(i instanceInformation, s model.Server) bool {
	switch f.Key {
	case "InstanceIds":
		return slices.Contains(f.Values, i.InstanceId)
	case "PingStatus":
		return slices.Contains(f.Values, i.PingStatus)
	case "PlatformTypes":
		return slices.Contains(f.Values, i.PlatformType)
	case "ResourceType":
		return slices.Contains(f.Values, i.ResourceType)
	case "SourceTypes":
		return slices.Contains(f.Values, i.SourceType)
	case "SourceIds":
		return slices.Contains(f.Values, i.SourceId)
	case "AgentVersion":
		return slices.Contains(f.Values, i.AgentVersion)
	case "ActivationIds", "AssociationStatus", "IamRole":
		return false // no simulated node has one
	}
	return commandTarget(f).covers(s)
}
