package awsapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// items is a list whose element is there even when the list is empty.
type items[T any] struct {
	Items []T `xml:"item"`
}

type instancesResponse struct {
	XMLName      xml.Name           `xml:"DescribeInstancesResponse"`
	Namespace    string             `xml:"xmlns,attr"`
	RequestID    string             `xml:"requestId"`
	Reservations items[reservation] `xml:"reservationSet"`
	NextToken    string             `xml:"nextToken,omitempty"`
}

type reservation struct {
	ID        string          `xml:"reservationId"`
	OwnerID   string          `xml:"ownerId"`
	Groups    string          `xml:"groupSet"`
	Instances items[instance] `xml:"instancesSet"`
}

type instance struct {
	ID               string        `xml:"instanceId"`
	ImageID          string        `xml:"imageId"`
	State            instanceState `xml:"instanceState"`
	PrivateDNS       string        `xml:"privateDnsName"`
	PublicDNS        string        `xml:"dnsName"`
	Reason           string        `xml:"reason"`
	KeyName          string        `xml:"keyName,omitempty"`
	LaunchIndex      int           `xml:"amiLaunchIndex"`
	ProductCodes     string        `xml:"productCodes"`
	Type             string        `xml:"instanceType"`
	LaunchTime       string        `xml:"launchTime"`
	Zone             string        `xml:"placement>availabilityZone"`
	Tenancy          string        `xml:"placement>tenancy"`
	Platform         string        `xml:"platform,omitempty"`
	Monitoring       string        `xml:"monitoring>state"`
	SubnetID         string        `xml:"subnetId,omitempty"`
	VPCID            string        `xml:"vpcId,omitempty"`
	PrivateIP        string        `xml:"privateIpAddress,omitempty"`
	PublicIP         string        `xml:"ipAddress,omitempty"`
	SourceDestCheck  bool          `xml:"sourceDestCheck"`
	Groups           string        `xml:"groupSet"`
	Architecture     string        `xml:"architecture"`
	RootDeviceType   string        `xml:"rootDeviceType"`
	RootDeviceName   string        `xml:"rootDeviceName"`
	Virtualization   string        `xml:"virtualizationType"`
	Hypervisor       string        `xml:"hypervisor"`
	Tags             items[tag]    `xml:"tagSet"`
	PlatformDetails  string        `xml:"platformDetails"`
	UsageOperation   string        `xml:"usageOperation"`
	EBSOptimized     bool          `xml:"ebsOptimized"`
	EnaSupport       bool          `xml:"enaSupport"`
	BlockDevices     items[block]  `xml:"blockDeviceMapping"`
	NetworkInterface string        `xml:"networkInterfaceSet"`
}

type instanceState struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

// block is a disk of an instance.
type block struct {
	Device   string `xml:"deviceName"`
	Volume   string `xml:"ebs>volumeId"`
	Status   string `xml:"ebs>status"`
	Attached string `xml:"ebs>attachTime"`
	Deleted  bool   `xml:"ebs>deleteOnTermination"`
}

// rootDisk is the disk that a replacement of the root volume changes.
func rootDisk(s model.Server) block {
	sum := sha256.Sum256([]byte(s.ID + s.DiskID))
	return block{
		Device: rootDevice, Volume: "vol-" + hex.EncodeToString(sum[:])[:17], Status: "attached",
		Attached: s.Launched.UTC().Format(timeFormat), Deleted: true,
	}
}

type tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// stateCodes are EC2's instance states with their numbers.
var stateCodes = map[string]int{
	"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80,
}

// ec2State maps a state of the model; EC2 shows a reboot as running and a
// start as pending.
func ec2State(s model.State) instanceState {
	name := string(s)
	switch s {
	case model.StateStarting:
		name = "pending"
	case model.StateRebooting:
		name = "running"
	}
	return instanceState{stateCodes[name], name}
}

const (
	instanceType = "t3.medium"
	architecture = "x86_64"
	rootDevice   = "/dev/sda1"
)

// view shows a server as EC2 does. A terminated instance has lost its
// network.
func view(s model.Server) instance {
	i := instance{
		ID: s.ID, ImageID: s.ImageID, State: ec2State(s.State), KeyName: s.KeyName, Type: instanceType,
		LaunchTime: s.Started.UTC().Format(timeFormat), Zone: s.Region + "a", Tenancy: "default", Monitoring: "disabled",
		SourceDestCheck: true, Architecture: architecture, RootDeviceType: "ebs", RootDeviceName: rootDevice,
		Virtualization: "hvm", Hypervisor: "xen", PlatformDetails: "Linux/UNIX", UsageOperation: "RunInstances", EnaSupport: true,
	}
	if s.IsWindows() {
		i.Platform, i.PlatformDetails, i.UsageOperation = "windows", "Windows", "RunInstances:0002"
	}
	for _, key := range slices.Sorted(keys(tagsOf(s))) {
		i.Tags.Items = append(i.Tags.Items, tag{key, tagsOf(s)[key]})
	}
	if s.State == model.StateTerminated {
		i.Reason = "User initiated"
		return i
	}
	i.BlockDevices.Items = []block{rootDisk(s)}
	i.SubnetID, i.VPCID, i.PrivateIP, i.PublicIP = s.SubnetID, s.VPCID, s.PrivateIP, s.PublicIP
	i.PrivateDNS = "ip-" + strings.ReplaceAll(s.PrivateIP, ".", "-") + "." + s.Region + ".compute.internal"
	if s.PublicIP != "" && s.State == model.StateRunning {
		i.PublicDNS = "ec2-" + strings.ReplaceAll(s.PublicIP, ".", "-") + "." + s.Region + ".compute.amazonaws.com"
	}
	return i
}

// tagsOf are a server's tags; its name is one of them on EC2.
func tagsOf(s model.Server) map[string]string {
	out := map[string]string{"Name": s.Name}
	for k, v := range s.Tags {
		out[k] = v
	}
	return out
}

func describeInstances(r *request) (any, *failure) {
	ids := list(r.form, "InstanceId")
	if len(ids) > 0 && r.form.Has("MaxResults") {
		return nil, fail("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	conditions, f := filters(r.form)
	if f != nil {
		return nil, f
	}
	for _, c := range conditions {
		if _, ok := filterValues(c.name, model.Server{}, instance{}); !ok {
			return nil, fail("InvalidParameterValue", "The filter '"+c.name+"' is invalid")
		}
	}
	var servers []model.Server
	if len(ids) > 0 {
		if servers, f = r.instances(ids); f != nil {
			return nil, f
		}
	} else {
		servers = r.world.Servers(r.owns)
	}
	servers = slices.DeleteFunc(servers, func(s model.Server) bool {
		i := view(s)
		return slices.ContainsFunc(conditions, func(c filter) bool {
			values, _ := filterValues(c.name, s, i)
			return !c.matches(values...)
		})
	})
	part, next, f := page(r.form, servers, 5, 1000)
	if f != nil {
		return nil, f
	}
	if f := r.dryRun(); f != nil {
		return nil, f
	}
	out := instancesResponse{Namespace: ec2Namespace, RequestID: r.id, NextToken: next}
	for _, s := range part {
		out.Reservations.Items = append(out.Reservations.Items, reservation{
			ID: reservationID(s), OwnerID: s.AccountID, Instances: items[instance]{[]instance{view(s)}},
		})
	}
	return out, nil
}

// reservationID derives the id of the launch request from the instance's.
func reservationID(s model.Server) string { return "r-" + strings.TrimPrefix(s.ID, "i-") }

// some is the value of a field that may be absent.
func some(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}
