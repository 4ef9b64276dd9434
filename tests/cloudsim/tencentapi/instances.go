package tencentapi

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// instanceID is the form of an instance id.
var instanceID = regexp.MustCompile(`^ins-[0-9a-z]{8}$`)

// Limits of the API pages.
const (
	maxInstanceIDs  = 100
	maxFilters      = 10
	maxFilterValues = 5
	defaultLimit    = 20
	maxLimit        = 100
)

func cvmService() *service {
	return &service{name: "cvm", version: "2017-03-12", regional: true, actions: map[string]action{
		"DescribeInstances": {
			params: func() any { return new(describeInstancesParams) }, run: describeInstances,
		},
		"ResetInstancesPassword": {
			params: func() any { return new(resetParams) }, run: resetInstancesPassword,
		},
	}}
}

type describeInstancesParams struct {
	InstanceIds []string
	Filters     []filter
	Offset      *int64
	Limit       *int64
}

type filter struct {
	Name   string
	Values []string
}

type describeInstancesResult struct {
	TotalCount  int
	InstanceSet []instance
	RequestID   string `json:"RequestId"`
}

// instance is a server as CVM shows it. Fields without a value are null.
type instance struct {
	Placement struct {
		Zone      string
		ProjectID int64 `json:"ProjectId"`
	}
	InstanceID          string `json:"InstanceId"`
	InstanceType        string
	CPU                 int
	Memory              int
	RestrictState       string
	InstanceName        string
	InstanceChargeType  string
	PrivateIPAddresses  []string `json:"PrivateIpAddresses"`
	PublicIPAddresses   []string `json:"PublicIpAddresses"`
	VirtualPrivateCloud struct {
		VPCID        string `json:"VpcId"`
		SubnetID     string `json:"SubnetId"`
		AsVPCGateway bool   `json:"AsVpcGateway"`
	}
	ImageID       string `json:"ImageId"`
	RenewFlag     *string
	CreatedTime   string
	ExpiredTime   *string
	OsName        string
	LoginSettings struct {
		KeyIDs []string `json:"KeyIds"`
	}
	InstanceState            string
	Tags                     []tag
	StopChargingMode         string
	UUID                     string `json:"Uuid"`
	LatestOperation          *string
	LatestOperationState     *string
	LatestOperationRequestID *string `json:"LatestOperationRequestId"`
	LatestOperationErrorMsg  *string
	DefaultLoginUser         string
	DefaultLoginPort         int
}

type tag struct{ Key, Value string }

// state is a server's state in CVM's words; what the model has no word for
// is shown as it was set, in upper case.
func state(s model.State) string {
	if s == model.StateTerminated {
		return "SHUTDOWN"
	}
	return strings.ToUpper(string(s))
}

// view shows a server as CVM does.
func view(s model.Server) instance {
	i := instance{
		InstanceID: s.ID, InstanceType: "S5.MEDIUM4", CPU: 2, Memory: 4, RestrictState: s.RestrictState, InstanceName: s.Name,
		InstanceChargeType: "POSTPAID_BY_HOUR", PrivateIPAddresses: []string{s.PrivateIP}, ImageID: s.ImageID,
		CreatedTime: s.Created.UTC().Format(time.RFC3339), OsName: s.OSName, InstanceState: state(s.State), Tags: []tag{},
		StopChargingMode: stopCharging(s), UUID: strings.TrimPrefix(s.ID, "ins-"), DefaultLoginUser: s.DefaultUser(), DefaultLoginPort: 22,
	}
	if s.IsWindows() {
		i.DefaultLoginPort = 3389
	}
	i.Placement.Zone = zone(s)
	i.VirtualPrivateCloud.VPCID, i.VirtualPrivateCloud.SubnetID = s.VPCID, s.SubnetID
	if s.PublicIP != "" {
		i.PublicIPAddresses = []string{s.PublicIP}
	}
	for _, key := range slices.Sorted(keys(s.Tags)) {
		i.Tags = append(i.Tags, tag{key, s.Tags[key]})
	}
	if op := s.Latest; op.RequestID != "" {
		text := string(op.State)
		i.LatestOperation, i.LatestOperationRequestID, i.LatestOperationState = &op.Name, &op.RequestID, &text
		if op.ErrorMsg != "" {
			i.LatestOperationErrorMsg = &op.ErrorMsg
		}
	}
	return i
}

func stopCharging(s model.Server) string {
	switch {
	case s.State != model.StateStopped:
		return "NOT_APPLICABLE"
	case s.StopCharging:
		return "STOP_CHARGING"
	default:
		return "KEEP_CHARGING"
	}
}

func zone(s model.Server) string { return s.Region + "-1" }

// owns says whether the caller sees a server in the request's region. A
// terminated instance is gone.
func (r *request) owns(s model.Server) bool {
	return s.Cloud == model.TencentCloud && s.AccountID == r.key.AccountID && s.Region == r.region && s.State != model.StateTerminated
}

// describeInstances lists instances. Ids that are unknown are left out, not
// refused.
func describeInstances(r *request, params any) (any, *failure) {
	p := params.(*describeInstancesParams)
	limit, offset := int64(defaultLimit), int64(0)
	if p.Limit != nil {
		limit = *p.Limit
	}
	if p.Offset != nil {
		offset = *p.Offset
	}
	switch {
	case len(p.InstanceIds) > 0 && len(p.Filters) > 0:
		return nil, fail("InvalidParameter", "InstanceIds and Filters cannot be given together.")
	case len(p.InstanceIds) > maxInstanceIDs:
		return nil, fail("InvalidParameterValue.LimitExceeded", fmt.Sprintf("The number of InstanceIds exceeds %d.", maxInstanceIDs))
	case limit < 1 || limit > maxLimit:
		return nil, fail("InvalidParameterValue", fmt.Sprintf("The value `%d` of parameter `Limit` is not in the range [1, %d].", limit, maxLimit))
	case offset < 0:
		return nil, fail("InvalidParameterValue", "The value of parameter `Offset` is negative.")
	}
	for _, id := range p.InstanceIds {
		if !instanceID.MatchString(id) {
			return nil, malformed(id)
		}
	}
	if f := checkFilters(p.Filters); f != nil {
		return nil, f
	}
	all := r.world.Servers(func(s model.Server) bool {
		return r.owns(s) && (len(p.InstanceIds) == 0 || slices.Contains(p.InstanceIds, s.ID)) && meets(p.Filters, s)
	})
	out := describeInstancesResult{TotalCount: len(all), InstanceSet: []instance{}, RequestID: r.id}
	from := min(int(offset), len(all))
	for _, s := range all[from:min(from+int(limit), len(all))] {
		out.InstanceSet = append(out.InstanceSet, view(s))
	}
	return out, nil
}

func malformed(id string) *failure {
	return fail("InvalidInstanceId.Malformed", "The instance ID `"+id+"` is malformed; the correct form is `ins-xxxxxxxx`.")
}

// filterReaders read what a filter compares with.
var filterReaders = map[string]func(model.Server) []string{
	"zone":                 func(s model.Server) []string { return []string{zone(s)} },
	"project-id":           func(model.Server) []string { return []string{"0"} },
	"vpc-id":               func(s model.Server) []string { return []string{s.VPCID} },
	"subnet-id":            func(s model.Server) []string { return []string{s.SubnetID} },
	"instance-id":          func(s model.Server) []string { return []string{s.ID} },
	"instance-name":        func(s model.Server) []string { return []string{s.Name} },
	"instance-charge-type": func(model.Server) []string { return []string{"POSTPAID_BY_HOUR"} },
	"instance-state":       func(s model.Server) []string { return []string{state(s.State)} },
	"private-ip-address":   func(s model.Server) []string { return []string{s.PrivateIP} },
	"public-ip-address":    func(s model.Server) []string { return []string{s.PublicIP} },
	"image-id":             func(s model.Server) []string { return []string{s.ImageID} },
	"uuid":                 func(s model.Server) []string { return []string{strings.TrimPrefix(s.ID, "ins-")} },
	"tag-key":              func(s model.Server) []string { return slices.Collect(keys(s.Tags)) },
	"tag-value":            tagValues,
}

func tagValues(s model.Server) []string {
	var out []string
	for _, v := range s.Tags {
		out = append(out, v)
	}
	return out
}

// checkFilters refuses filters as the API page says.
func checkFilters(filters []filter) *failure {
	if len(filters) > maxFilters {
		return fail("InvalidFilterValue.LimitExceeded", "The number of Filters exceeds "+strconv.Itoa(maxFilters)+".")
	}
	for _, f := range filters {
		key, isTag := strings.CutPrefix(f.Name, "tag:")
		switch {
		case filterReaders[f.Name] == nil && (!isTag || key == ""):
			return fail("InvalidFilter", "The filter `"+f.Name+"` is not supported.")
		case len(f.Values) > maxFilterValues:
			return fail("InvalidFilterValue.LimitExceeded", "The number of Values of filter `"+f.Name+"` exceeds "+strconv.Itoa(maxFilterValues)+".")
		}
		if strings.HasSuffix(f.Name, "-ip-address") {
			for _, v := range f.Values {
				if _, err := netip.ParseAddr(v); err != nil {
					return fail("InvalidParameterValue.IPAddressMalformed", "`"+v+"` is no IP address.")
				}
			}
		}
	}
	return nil
}

// meets says whether a server meets all filters.
func meets(filters []filter, s model.Server) bool {
	for _, f := range filters {
		var have []string
		if read := filterReaders[f.Name]; read != nil {
			have = read(s)
		} else if v, ok := s.Tags[strings.TrimPrefix(f.Name, "tag:")]; ok {
			have = []string{v}
		}
		if !slices.ContainsFunc(f.Values, func(v string) bool { return slices.Contains(have, v) }) {
			return false
		}
	}
	return true
}
