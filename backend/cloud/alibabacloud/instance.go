package alibabacloud

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// instance is what DescribeInstances shows of one (ecs-20140526 v7.7.0, describe_instances_response_body_model.go).
type instance struct {
	InstanceID       string `json:"InstanceId"`
	InstanceName     string
	OSType           string
	OSName, OSNameEn string
	Status           string
	KeyPairName      string
	ImageID          string `json:"ImageId"`
	CreationTime     string
	VpcAttributes    struct {
		PrivateIPAddress addresses `json:"PrivateIpAddress"`
	}
	InnerIPAddress  addresses `json:"InnerIpAddress"`
	PublicIPAddress addresses `json:"PublicIpAddress"`
	EipAddress      struct {
		IPAddress string `json:"IpAddress"`
	}
	Tags struct {
		Tag []struct{ TagKey, TagValue string }
	}
	OperationLocks struct{ LockReason []struct{ LockReason string } }
	ImageOptions   struct{ LoginAsNonRoot bool }
}

type addresses struct {
	IPAddress []string `json:"IpAddress"`
}

// first is the first address of a list, or "".
func (a addresses) first() string {
	if len(a.IPAddress) == 0 {
		return ""
	}
	return a.IPAddress[0]
}

// nonRootUser is the account of images that let nobody log in as root. The page that says so was not at hand.
const nonRootUser = "ecs-user"

// shown maps the cloud's description.
func (i *instance) shown() cloud.Instance {
	mapped := cloud.Instance{
		ID:        i.InstanceID,
		Name:      i.InstanceName,
		OSName:    i.OSNameEn,
		Platform:  platform(i.OSType),
		KeyName:   i.KeyPairName,
		Image:     i.ImageID,
		PrivateIP: i.VpcAttributes.PrivateIPAddress.first(),
		PublicIP:  i.EipAddress.IPAddress,
	}
	mapped.State, mapped.CloudState = state(i.Status, i.locks())
	if mapped.OSName == "" {
		mapped.OSName = i.OSName
	}
	if mapped.PrivateIP == "" {
		mapped.PrivateIP = i.InnerIPAddress.first() // the classic network
	}
	if mapped.PublicIP == "" {
		mapped.PublicIP = i.PublicIPAddress.first()
	}
	if i.ImageOptions.LoginAsNonRoot && mapped.Platform == cloud.Linux {
		mapped.LoginUser = nonRootUser
	}
	for _, tag := range i.Tags.Tag {
		if mapped.Tags == nil {
			mapped.Tags = make(map[string]string, len(i.Tags.Tag))
		}
		mapped.Tags[tag.TagKey] = tag.TagValue
	}
	mapped.LaunchTime = moment(i.CreationTime)
	return mapped.Shown()
}

// moment reads a time, which ECS gives without seconds.
func moment(s string) time.Time {
	for _, form := range []string{"2006-01-02T15:04Z", time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func platform(osType string) cloud.Platform {
	switch strings.ToLower(osType) {
	case "windows":
		return cloud.Windows
	case "linux":
		return cloud.Linux
	}
	return ""
}

// locks are the reasons why the cloud has locked the instance, in its own words: financial, security, Recycling,
// dedicatedhostfinancial, refunded.
func (i *instance) locks() []string {
	var reasons []string
	for _, lock := range i.OperationLocks.LockReason {
		if lock.LockReason != "" {
			reasons = append(reasons, lock.LockReason)
		}
	}
	return reasons
}

// state maps Status and the locks. A locked instance takes no commands, so that one is neither running nor stopped here;
// its word says both. The cloud shows no instance that has been released.
func state(word string, locks []string) (cloud.State, string) {
	if len(locks) > 0 {
		return cloud.StateChanging, word + " (locked: " + strings.Join(locks, ", ") + ")"
	}
	switch word {
	case "Running":
		return cloud.StateRunning, word
	case "Stopped":
		return cloud.StateStopped, word
	}
	return cloud.StateChanging, word // Pending, Starting, Stopping
}

// unready says why an instance can be sent no command now; nil if it can, as far as its description tells.
func unready(i cloud.Instance, locks []string) error {
	switch {
	case len(locks) > 0:
		return cloud.Errorf(cloud.Refused,
			"instance %s is locked by the cloud (%s), and takes no commands; settle that in the cloud's console first",
			i.ID, text.Line(strings.Join(locks, ", "), cloud.MaxCode))
	case i.State != cloud.StateRunning:
		return cloud.Errorf(cloud.Refused, "instance %s is %s, and commands run on running instances only; start it, or wait until it runs",
			i.ID, i.CloudState)
	}
	return nil
}

// instanceIDForm is the form of ECS instance ids, wider than that of the SDK's examples (i-bp67acfmxazb4ph4wxyz).
var instanceIDForm = regexp.MustCompile(`^i-[0-9a-z]{8,32}$`)

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return fmt.Errorf("instance id %q: Alibaba Cloud ids are i- and 8 to 32 lower-case letters or digits, such as i-bp67acfmxazb4p1x2y3z",
			text.Line(id, 64))
	}
	return nil
}
