package tencentapi

import (
	"fmt"
	"regexp"
	"slices"
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
		ProjectID int64    `json:"ProjectId"`
		HostID    *string  `json:"HostId"`
		HostIDs   []string `json:"HostIds"`
	}
	InstanceID         string `json:"InstanceId"`
	InstanceType       string
	CPU                int
	Memory             int
	RestrictState      string
	InstanceName       string
	InstanceChargeType string
	SystemDisk         disk
	DataDisks          []disk
	PrivateIPAddresses []string `json:"PrivateIpAddresses"`
	PublicIPAddresses  []string `json:"PublicIpAddresses"`
	InternetAccessible struct {
		InternetChargeType      string
		InternetMaxBandwidthOut int
	}
	VirtualPrivateCloud struct {
		VPCID        string `json:"VpcId"`
		SubnetID     string `json:"SubnetId"`
		AsVPCGateway bool   `json:"AsVpcGateway"`
	}
	ImageID          string `json:"ImageId"`
	RenewFlag        *string
	CreatedTime      string
	ExpiredTime      *string
	OsName           string
	SecurityGroupIDs []string `json:"SecurityGroupIds"`
	LoginSettings    struct {
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
	DisasterRecoverGroupID   string `json:"DisasterRecoverGroupId"`
	IPv6Addresses            []string
	CamRoleName              string
	HpcClusterID             string `json:"HpcClusterId"`
	IsolatedSource           string
	DisableAPITermination    bool `json:"DisableApiTermination"`
	DefaultLoginUser         string
	DefaultLoginPort         int
}

type tag struct{ Key, Value string }

type disk struct {
	DiskType string
	DiskID   string `json:"DiskId"`
	DiskSize int
}

// state is a server's state in CVM's words; what the model has no word for
// is shown as it was set, in upper case.
func state(s model.State) string {
	if s == model.StateTerminated {
		return "SHUTDOWN"
	}
	return strings.ToUpper(string(s))
}

// systemDisk is the id of a server's system disk, which another image changes.
func systemDisk(s model.Server) string {
	if s.DiskID == "" {
		return "disk-" + strings.TrimPrefix(s.ID, "ins-")
	}
	return "disk-" + s.DiskID[:8]
}

// view shows a server as CVM does.
func view(s model.Server) instance {
	i := instance{
		InstanceID: s.ID, InstanceType: "S5.MEDIUM4", CPU: 2, Memory: 4, RestrictState: s.RestrictState, InstanceName: s.Name,
		InstanceChargeType: "POSTPAID_BY_HOUR", PrivateIPAddresses: []string{s.PrivateIP}, ImageID: s.ImageID,
		CreatedTime: s.Created.UTC().Format(time.RFC3339), OsName: s.OSName, InstanceState: state(s.State), Tags: []tag{},
		StopChargingMode: stopCharging(s), UUID: uuid(s), DefaultLoginUser: s.DefaultUser(), DefaultLoginPort: 22,
	}
	if s.IsWindows() {
		i.DefaultLoginPort = 3389
	}
	i.Placement.Zone = zone(s)
	i.SystemDisk, i.DataDisks = disk{"CLOUD_PREMIUM", systemDisk(s), 50}, []disk{}
	i.InternetAccessible.InternetChargeType = "TRAFFIC_POSTPAID_BY_HOUR"
	i.SecurityGroupIDs, i.IsolatedSource = []string{securityGroup}, "NOTISOLATED"
	switch s.RestrictState {
	case "EXPIRED":
		i.IsolatedSource = "EXPIRE"
	case "PROTECTIVELY_ISOLATED":
		i.IsolatedSource = "ARREAR"
	}
	i.VirtualPrivateCloud.VPCID, i.VirtualPrivateCloud.SubnetID = s.VPCID, s.SubnetID
	if s.KeyName != "" {
		i.LoginSettings.KeyIDs = []string{s.KeyName}
	}
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

// securityGroup is the one of all servers.
const securityGroup = "sg-cloudsim"

// uuid is a server's second name, made from the first.
func uuid(s model.Server) string {
	h := hexSum([]byte(s.ID))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

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
		return nil, fail("InvalidParameterValue", fmt.Sprintf("The value `%d` of parameter `Limit` is not in the range [1, %d].", limit,
			maxLimit))
	case offset < 0:
		return nil, fail("InvalidParameterValue", "The value of parameter `Offset` is negative.")
	}
	for _, id := range p.InstanceIds {
		if !instanceID.MatchString(id) {
			return nil, malformed(id)
		}
	}
	if f := checkFilters(p.Filters, r.region); f != nil {
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
