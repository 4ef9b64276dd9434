package awsapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// instanceFilters read what a filter of DescribeInstances compares with.
var instanceFilters = map[string]func(model.Server, instance) []string{
	"instance-id":         func(_ model.Server, i instance) []string { return []string{i.ID} },
	"instance-state-name": func(_ model.Server, i instance) []string { return []string{i.State.Name} },
	"instance-state-code": func(_ model.Server, i instance) []string { return []string{strconv.Itoa(i.State.Code)} },
	"instance-type":       func(_ model.Server, i instance) []string { return []string{i.Type} },
	"key-name":            func(_ model.Server, i instance) []string { return some(i.KeyName) },
	"platform":            func(_ model.Server, i instance) []string { return some(i.Platform) },
	"platform-details":    func(_ model.Server, i instance) []string { return []string{i.PlatformDetails} },
	"image-id":            func(_ model.Server, i instance) []string { return []string{i.ImageID} },
	"vpc-id":              func(_ model.Server, i instance) []string { return some(i.VPCID) },
	"subnet-id":           func(_ model.Server, i instance) []string { return some(i.SubnetID) },
	"private-ip-address":  func(_ model.Server, i instance) []string { return some(i.PrivateIP) },
	"ip-address":          func(_ model.Server, i instance) []string { return some(i.PublicIP) },
	"private-dns-name":    func(_ model.Server, i instance) []string { return some(i.PrivateDNS) },
	"dns-name":            func(_ model.Server, i instance) []string { return some(i.PublicDNS) },
	"availability-zone":   func(_ model.Server, i instance) []string { return []string{i.Zone} },
	"architecture":        func(_ model.Server, i instance) []string { return []string{i.Architecture} },
	"launch-time":         func(_ model.Server, i instance) []string { return []string{i.LaunchTime} },
	"owner-id":            func(s model.Server, _ instance) []string { return []string{s.AccountID} },
	"reservation-id":      func(s model.Server, _ instance) []string { return []string{reservationID(s)} },
	"tag-key":             func(s model.Server, _ instance) []string { return slices.Collect(keys(tagsOf(s))) },
	"hypervisor":          func(_ model.Server, i instance) []string { return []string{i.Hypervisor} },
	"virtualization-type": func(_ model.Server, i instance) []string { return []string{i.Virtualization} },
	"root-device-type":    func(_ model.Server, i instance) []string { return []string{i.RootDeviceType} },
	"monitoring-state":    func(_ model.Server, i instance) []string { return []string{i.Monitoring} },
	"tenancy":             func(_ model.Server, i instance) []string { return []string{i.Tenancy} },
	"root-device-name":    func(_ model.Server, i instance) []string { return []string{i.RootDeviceName} },
	"usage-operation":     func(_ model.Server, i instance) []string { return []string{i.UsageOperation} },
	"launch-index":        func(_ model.Server, i instance) []string { return []string{strconv.Itoa(i.LaunchIndex)} },
	"ebs-optimized":       func(_ model.Server, i instance) []string { return []string{strconv.FormatBool(i.EBSOptimized)} },
	"ena-support":         func(_ model.Server, i instance) []string { return []string{strconv.FormatBool(i.EnaSupport)} },
	"source-dest-check":   func(_ model.Server, i instance) []string { return []string{strconv.FormatBool(i.SourceDestCheck)} },
	"reason":              func(_ model.Server, i instance) []string { return some(i.Reason) },
}

// otherInstanceFilters are what DescribeInstances knows besides, by the documentation of the model: no
// simulated instance has any of it.
var otherInstanceFilters = []string{
	"affinity",
	"availability-zone-id",
	"block-device-mapping.attach-time",
	"block-device-mapping.delete-on-termination",
	"block-device-mapping.device-name",
	"block-device-mapping.status",
	"block-device-mapping.volume-id",
	"boot-mode",
	"capacity-reservation-id",
	"capacity-reservation-specification.capacity-reservation-preference",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
	"client-token",
	"current-instance-boot-mode",
	"enclave-options.enabled",
	"group-id",
	"group-name",
	"hibernation-options.configured",
	"host-id",
	"iam-instance-profile.id",
	"instance-lifecycle",
	"instance.group-id",
	"instance.group-name",
	"ipv6-address",
	"kernel-id",
	"maintenance-options.auto-recovery",
	"metadata-options.http-endpoint",
	"metadata-options.http-protocol-ipv4",
	"metadata-options.http-protocol-ipv6",
	"metadata-options.http-put-response-hop-limit",
	"metadata-options.http-tokens",
	"metadata-options.instance-metadata-tags",
	"metadata-options.state",
	"network-interface.addresses.association.allocation-id",
	"network-interface.addresses.association.association-id",
	"network-interface.addresses.association.carrier-ip",
	"network-interface.addresses.association.customer-owned-ip",
	"network-interface.addresses.association.ip-owner-id",
	"network-interface.addresses.association.public-dns-name",
	"network-interface.addresses.association.public-ip",
	"network-interface.addresses.primary",
	"network-interface.addresses.private-dns-name",
	"network-interface.addresses.private-ip-address",
	"network-interface.association.allocation-id",
	"network-interface.association.association-id",
	"network-interface.association.carrier-ip",
	"network-interface.association.customer-owned-ip",
	"network-interface.association.ip-owner-id",
	"network-interface.association.public-dns-name",
	"network-interface.association.public-ip",
	"network-interface.attachment.attach-time",
	"network-interface.attachment.attachment-id",
	"network-interface.attachment.delete-on-termination",
	"network-interface.attachment.device-index",
	"network-interface.attachment.instance-id",
	"network-interface.attachment.instance-owner-id",
	"network-interface.attachment.network-card-index",
	"network-interface.attachment.status",
	"network-interface.availability-zone",
	"network-interface.deny-all-igw-traffic",
	"network-interface.description",
	"network-interface.group-id",
	"network-interface.group-name",
	"network-interface.ipv4-prefixes.ipv4-prefix",
	"network-interface.ipv6-address",
	"network-interface.ipv6-addresses.ipv6-address",
	"network-interface.ipv6-addresses.is-primary-ipv6",
	"network-interface.ipv6-native",
	"network-interface.ipv6-prefixes.ipv6-prefix",
	"network-interface.mac-address",
	"network-interface.network-interface-id",
	"network-interface.operator.managed",
	"network-interface.operator.principal",
	"network-interface.outpost-arn",
	"network-interface.owner-id",
	"network-interface.private-dns-name",
	"network-interface.private-ip-address",
	"network-interface.public-dns-name",
	"network-interface.requester-id",
	"network-interface.requester-managed",
	"network-interface.source-dest-check",
	"network-interface.status",
	"network-interface.subnet-id",
	"network-interface.tag-key",
	"network-interface.tag-value",
	"network-interface.vpc-id",
	"network-performance-options.bandwidth-weighting",
	"operator.managed",
	"operator.principal",
	"outpost-arn",
	"placement-group-name",
	"placement-partition-number",
	"private-dns-name-options.enable-resource-name-dns-a-record",
	"private-dns-name-options.enable-resource-name-dns-aaaa-record",
	"private-dns-name-options.hostname-type",
	"product-code",
	"product-code.type",
	"ramdisk-id",
	"requester-id",
	"spot-instance-request-id",
	"state-reason-code",
	"state-reason-message",
	"tpm-support",
	"usage-operation-update-time",
	"iam-instance-profile.arn",
}

// filterValues is what a server has to compare with a filter; ok is false for
// a filter that EC2 does not know.
func filterValues(name string, s model.Server, i instance) (values []string, ok bool) {
	if key, isTag := strings.CutPrefix(name, "tag:"); isTag && key != "" {
		value, has := tagsOf(s)[key]
		if !has {
			return nil, true
		}
		return []string{value}, true
	}
	read, ok := instanceFilters[name]
	if !ok {
		return nil, slices.Contains(otherInstanceFilters, name)
	}
	return read(s, i), true
}
