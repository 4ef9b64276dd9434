package tencentcloud

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// instance maps the cloud's description.
func instance(i *cvm.Instance) cloud.Instance {
	mapped := cloud.Instance{
		ID:        value(i.InstanceId),
		Name:      value(i.InstanceName),
		OSName:    value(i.OsName),
		LoginUser: value(i.DefaultLoginUser),
		PrivateIP: first(i.PrivateIpAddresses),
		PublicIP:  first(i.PublicIpAddresses),
		Image:     value(i.ImageId),
	}
	if i.SystemDisk != nil { // ResetInstance keeps the disk's id, unless it goes from one platform to the other
		mapped.SystemDisk = value(i.SystemDisk.DiskId)
	}
	mapped.Platform = platform(mapped.OSName, mapped.LoginUser)
	mapped.State, mapped.CloudState = state(value(i.InstanceState), value(i.RestrictState))
	if i.LoginSettings != nil {
		mapped.KeyName = first(i.LoginSettings.KeyIds)
	}
	for _, tag := range i.Tags {
		if tag != nil && tag.Key != nil {
			if mapped.Tags == nil {
				mapped.Tags = make(map[string]string, len(i.Tags))
			}
			mapped.Tags[*tag.Key] = value(tag.Value)
		}
	}
	if created, err := time.Parse(time.RFC3339, value(i.CreatedTime)); err == nil {
		mapped.LaunchTime = created.UTC()
	}
	return mapped.Shown()
}

// platform tells Windows by the name of the system ("Windows Server 2022 ..."), since an Instance
// has no field for it, or by the account where there is no name.
func platform(osName, loginUser string) cloud.Platform {
	switch {
	case strings.Contains(strings.ToLower(osName), "windows"):
		return cloud.Windows
	case osName != "":
		return cloud.Linux
	case strings.EqualFold(loginUser, "Administrator"):
		return cloud.Windows
	case loginUser != "":
		return cloud.Linux
	}
	return ""
}

// restrictNormal is the RestrictState of an instance that is neither expired nor isolated.
const restrictNormal = "NORMAL"

// state maps InstanceState and RestrictState. The cloud resets no password of an expired or isolated
// instance, so that one is neither running nor stopped here; its word says both.
func state(word, restrict string) (cloud.State, string) {
	mapped := cloud.StateChanging
	switch word {
	case "RUNNING":
		mapped = cloud.StateRunning
	case "STOPPED":
		mapped = cloud.StateStopped
	case "TERMINATING", "LAUNCH_FAILED":
		return cloud.StateGone, word
	}
	// All others are on their way: PENDING, STARTING, STOPPING, REBOOTING, the rescue modes and live
	// migrations; and SHUTDOWN, which waits in the recycle bin and can come back from there.
	if restrict != "" && restrict != restrictNormal {
		return cloud.StateChanging, word + " (" + restrict + ")"
	}
	return mapped, word
}

// value reads an optional field, whose absence and null are the zero value.
func value[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}

// first returns the first element of a list, or "".
func first(list []*string) string {
	for _, v := range list {
		if value(v) != "" {
			return *v
		}
	}
	return ""
}

// instanceIDForm is the form of CVM instance ids: "ins-" and eight lower-case letters or digits
// (API pages: ins-r8hr2upy, ins-5d8a23rs).
var instanceIDForm = regexp.MustCompile(`^ins-[0-9a-z]{8}$`)

func validateInstanceID(id string) error {
	if !instanceIDForm.MatchString(id) {
		return fmt.Errorf("instance id %q: Tencent Cloud ids are ins- and eight lower-case letters or digits, such as ins-r8hr2upy",
			text.Line(id, 64))
	}
	return nil
}
